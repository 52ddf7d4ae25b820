"""Updates of a deployed stack: a new version, drift, and a run that is killed."""

import requests

from tests.gapless.changes import Change, restart_gateway
from tests.gapless.trial import apply_under_load
from tests.stack.clone import HOSTNAME, NO_CHANGES, Clone, docker_client
from tests.waiting import wait_for


def test_a_new_version_takes_over_without_a_failed_request(redeployed: Clone) -> None:
    clone = redeployed
    before = clone.containers()

    def update() -> None:
        clone.set("replicas", 2)
        clone.set("ttl", 60)
        clone.change_service()
        clone.make("up")

    restart = Change("gateway restarted", None, lambda: restart_gateway(clone))
    changes = [Change("update", 0, update), restart]
    assert apply_under_load(clone, changes, rate=40, quiet_seconds=1)[1] == []
    after = clone.containers()
    assert len(after) == 2
    assert not set(after) & set(before)
    assert clone.targets() == [f"{name}:8080" for name in after]
    assert clone.records()[0]["TTL"] == 60
    clone.pulumi(NO_CHANGES)


def test_containers_that_the_gateway_can_not_resolve_replace_none(redeployed: Clone) -> None:
    with docker_client() as client:
        elsewhere = client.networks.create(f"session-context-{redeployed.stack}-elsewhere")
        try:
            redeployed.set("network", elsewhere.name)
            printed = redeployed.pulumi("up --yes --skip-preview", fails=True)
            assert "Kong can't resolve the host of target session-context-1-" in printed
            assert "Set network to a Docker network that Kong is in too" in printed
            assert redeployed.request("GET", "/sessions?limit=1").status_code == 200
        finally:
            redeployed.make("up")  # with the gateway's network
            elsewhere.remove()


def test_a_container_that_restarts_at_another_address_is_found_again(redeployed: Clone) -> None:
    redeployed.change_service()
    redeployed.make("up")  # which leaves the lower address of the old container free
    with docker_client() as client:
        container = client.containers.get(redeployed.containers()[0])
        container.stop()
        container.start()
    wait_for(lambda: redeployed.request("GET", "/sessions?limit=1").status_code == 200, seconds=30)


def test_drift_is_shown_and_reverted(clone: Clone) -> None:
    service, route = "/services/session-context-management-service", "/routes/session-context-management-route"
    requests.patch(clone.admin + service, json={"retries": None, "read_timeout": 1}, timeout=10).raise_for_status()
    requests.delete(clone.admin + route, timeout=10).raise_for_status()
    clone.change_record("UPSERT", ResourceRecords=[{"Value": "192.0.2.66"}])

    shown = clone.pulumi("preview --diff --refresh")
    assert "read_timeout" in shown
    assert "retries" in shown
    assert "192.0.2.66" in shown
    printed = clone.pulumi("refresh --yes")
    assert "3 changes" in printed or ("1 deleted" in printed and "2 updated" in printed), printed

    clone.make("up")
    assert clone.kong(service)["read_timeout"] == 12000
    assert clone.kong(service)["retries"] == 5
    assert clone.kong(route)["hosts"] == [HOSTNAME]
    assert clone.records()[0]["ResourceRecords"] == [{"Value": "127.0.0.1"}]
    clone.pulumi(NO_CHANGES)


def test_after_kill_9_while_a_container_is_created_the_next_up_converges(clone: Clone) -> None:
    before = set(clone.containers())
    clone.change_service()
    running = clone.start("up")
    wait_for(lambda: set(clone.containers()) - before, seconds=90)
    clone.kill_engine()
    running.wait(timeout=30)
    orphans = set(clone.containers()) - before
    assert orphans

    assert "Removing the lock" in clone.make("up")
    after = set(clone.containers())
    assert len(after) == len(before)
    assert not after & (before | orphans)
    assert clone.targets() == [f"{name}:8080" for name in clone.containers()]
    clone.pulumi(NO_CHANGES)
