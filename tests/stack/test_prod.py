"""Pulumi.prod.yaml, deployed: a remote engine, no secret in plain text, nothing lost by mistake."""

from collections.abc import Iterator

import pytest
from docker.models.images import Image

from tests.stack.clone import HOSTNAME, docker_client
from tests.stack.prod import Prod


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prod]:
    """Deployed once for this module."""
    prod = Prod(tmp_path_factory.mktemp("prod"))
    try:
        prod.prepare()
        prod.deploy()
        yield prod
    finally:
        prod.remove()


def test_the_containers_of_the_remote_engine_serve_from_postgresql(prod: Prod) -> None:
    serving = [container for container in prod.inspected() if container.status == "running"]
    assert len(serving) == 2
    for container in serving:
        secret = container.exec_run(["cat", "/run/secrets/database_url"]).output
        assert secret == prod.database_url.encode()
        assert container.exec_run(["ls", "/app/data"]).output == b""
    prod.pulumi("preview --refresh --expect-no-changes")


def test_no_secret_is_anywhere_in_plain_text(prod: Prod) -> None:
    seen = {
        "what pulumi says": "\n".join(prod.said),
        "the reviewer's report": prod.report(),
        "the exported state": prod.pulumi("stack export"),
        "the outputs": prod.pulumi("stack output --json"),
        "docker inspect": str([container.attrs for container in prod.inspected()]),
        "the containers' logs": "\n".join(container.logs().decode() for container in prod.inspected()),
        "the plan in git": (prod.folder / "plans" / "prod.yaml").read_text(),
        "files of the clone": "\n".join(
            file.read_text(errors="replace")
            for file in prod.folder.rglob("*")
            if file.is_file() and ".venv" not in file.parts
        ),
        "how the image was made": str(image(prod).history()),
    }
    seen_bytes = {where: text.encode() for where, text in seen.items()}
    seen_bytes["the image's layers"] = b"".join(image(prod).save())
    for where, content in seen_bytes.items():
        assert len(content) > 100, f"{where} was not checked"
        assert [canary for canary in prod.canaries if canary.encode() in content] == [], f"in {where}"


def image(prod: Prod) -> Image:
    with docker_client() as client:
        return client.images.get(prod.outputs()["image"])


def test_a_destroy_takes_two_explicit_steps(prod: Prod) -> None:
    before = (prod.containers(), prod.records())
    assert "protect" in prod.pulumi("destroy --yes", fails=True)
    assert "protect" in prod.pulumi("destroy --yes --skip-preview", fails=True)
    assert (prod.containers(), prod.records()) == before
    prod.pulumi("preview --refresh --expect-no-changes")


def test_only_a_consumers_key_gets_in_and_never_over_plain_http(prod: Prod) -> None:
    prod.settled(426, "/sessions", headers={"apikey": prod.key})
    prod.set("plainHttp", "redirect")
    prod.pulumi("up --yes --skip-preview")
    redirected = prod.settled(308, "/sessions?limit=1")
    assert redirected.headers["Location"] == f"https://{HOSTNAME}/sessions?limit=1"

    prod.set("plainHttp", "serve")
    prod.set("requestsPerMinute", 5)
    prod.pulumi("up --yes --skip-preview")
    prod.settled(401, "/sessions")
    assert prod.request("GET", f"/sessions?apikey={prod.key}").status_code == 401
    assert prod.request("GET", "/docs", headers={"apikey": "wrong"}).status_code == 401
    statuses = [prod.request("GET", "/sessions", headers={"apikey": prod.key}).status_code for _ in range(11)]
    assert statuses[0] == 200
    assert 429 in statuses  # a new minute may begin on the way, but only one


def test_the_gateway_has_the_certificate_for_the_hostname(prod: Prod) -> None:
    sni = prod.kong(f"/snis/{HOSTNAME}")
    assert prod.kong(f"/certificates/{sni['certificate']['id']}")["cert"].strip() == prod.certificate.strip()
