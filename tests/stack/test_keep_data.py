"""A stack whose data outlives it, with the resources and the logging driver of its config."""

from tests.stack.clone import NO_CHANGES, Clone, docker_client


def test_a_destroy_keeps_the_data_that_the_next_up_serves(empty: Clone) -> None:
    clone = empty
    for key, value in {"keepData": True, "memory": 768, "cpus": "0.75", "logDriver": "local"}.items():
        clone.set(key, value)
    volume = f"session-context-{clone.stack}-data"
    clone.make("up")
    try:
        with docker_client() as client:
            [name] = clone.containers()
            host = client.containers.get(name).attrs["HostConfig"]
        assert (host["Memory"], host["NanoCpus"]) == (768 * 2**20, 750_000_000)
        assert host["LogConfig"] == {"Type": "local", "Config": {}}
        clone.pulumi(NO_CHANGES)
        created = clone.request("POST", "/sessions", json={"userId": 7, "context": "kept"}).json()
        assert "unless the last `up` had keepData" in clone.pulumi("destroy --yes")
        assert clone.containers() == []
        clone.pulumi("up --yes --skip-preview")
        kept = clone.settled(200, f"/sessions/{created['sessionId']}/context")
        assert kept.json()["context"] == "kept"
        clone.pulumi(NO_CHANGES)
    finally:
        clone.pulumi("destroy --yes")
        with docker_client() as client:
            client.volumes.get(volume).remove()
