"""The gateway starts again, whatever state Kong, its database or an earlier run are in."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import docker
import pytest
import requests

from local import base_image, gateway, images, kong
from local.platform import Platform
from local.workspace import Workspace
from tests.ports import free_port
from tests.stack.clone import docker_client
from tests.waiting import wait_for

FOLDER = Path(__file__).parent / "kong_image"


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    """Yield an engine with stand-ins for the official images, under other names."""
    tag = uuid4().hex[:8]
    with docker_client() as client, pytest.MonkeyPatch.context() as patch:
        base_image.prepare(client, prefer_official=False)
        patch.setattr(kong, "KONG_IMAGE", f"session-context-kong:{tag}")
        patch.setattr(kong, "POSTGRES_IMAGE", f"session-context-postgres:{tag}")
        for name in (kong.KONG_IMAGE, kong.POSTGRES_IMAGE):
            images.build_image(client, FOLDER, name)
        yield client
        for name in (kong.KONG_IMAGE, kong.POSTGRES_IMAGE):
            client.images.remove(name, force=True)


@pytest.fixture
def platform(client: docker.DockerClient) -> Iterator[Platform]:
    """Yield the empty platform of another stack."""
    stack = f"t{uuid4().hex[:6]}"
    proxy_port, tls_port, admin_port = (free_port() for _ in range(3))
    workspace = Workspace(stack=stack, proxy_port=proxy_port, tls_port=tls_port, admin_port=admin_port)
    platform = Platform(client, workspace)
    yield platform
    platform.remove()


def start(platform: Platform) -> None:
    gateway.start(platform.client, platform.workspace, hostname="api.example", prefer_official=True)


def get_id(platform: Platform) -> str | None:
    container = platform.find_container(platform.gateway)
    return container.id if container else None


def reaches_database(platform: Platform) -> bool:
    status = requests.get(f"http://127.0.0.1:{platform.workspace.admin_port}/status", timeout=10).json()
    return bool(status["database"]["reachable"])


def test_a_serving_kong_is_left_alone_and_its_database_is_restarted(platform: Platform) -> None:
    start(platform)
    settings = platform.client.containers.get(platform.gateway).attrs["Config"]["Env"]
    assert {"KONG_NGINX_WORKER_PROCESSES=2", "KONG_ANONYMOUS_REPORTS=off"} <= set(settings)
    first = get_id(platform)
    start(platform)
    assert get_id(platform) == first
    assert not gateway.is_stand_in(platform.client, platform.workspace)

    platform.client.containers.get(platform.database).stop(timeout=0)
    assert not reaches_database(platform)
    start(platform)
    assert reaches_database(platform)

    platform.client.containers.get(platform.database).remove(force=True)
    platform.client.volumes.get(platform.database).remove()
    start(platform)
    assert reaches_database(platform)


def test_interrupted_migrations_are_repeated_even_for_a_restarting_gateway(platform: Platform) -> None:
    platform.create_network()
    kong._start_database(platform)
    bootstrap = platform.client.containers.run(
        kong.KONG_IMAGE,
        ["kong", "migrations", "bootstrap"],
        detach=True,
        network=platform.network,
        environment=kong._settings(platform),
    )
    wait_for(lambda: b"step 2" in bootstrap.logs())
    bootstrap.remove(force=True)
    platform.replace_container(platform.gateway, kong.KONG_IMAGE, environment=kong._settings(platform))
    wait_for(lambda: b"New migrations" in platform.client.containers.get(platform.gateway).logs())

    start(platform)
    assert reaches_database(platform)


def test_a_database_whose_first_start_was_cut_off_is_created(platform: Platform) -> None:
    platform.create_network()
    cut_off = "import pathlib; pathlib.Path('/data/PG_VERSION').write_text('16')"
    platform.client.volumes.create(platform.database, labels=platform.labels)
    platform.client.containers.run(
        kong.POSTGRES_IMAGE,
        ["python3", "-c", cut_off],
        volumes={platform.database: {"bind": "/data", "mode": "rw"}},
        remove=True,
    )
    start(platform)
    assert reaches_database(platform)


def test_a_stand_in_is_replaced_by_a_kong_that_can_be_pulled_but_only_by_up(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(kong, "KONG_IMAGE", "127.0.0.1:9/kong:3.9")
        start(platform)
        assert gateway.is_stand_in(platform.client, platform.workspace)
        assert "Could not pull 127.0.0.1:9/kong:3.9: " in capsys.readouterr().out
    gateway.start(platform.client, platform.workspace, hostname="api.example", prefer_official=False)
    assert gateway.is_stand_in(platform.client, platform.workspace)
    start(platform)
    assert not gateway.is_stand_in(platform.client, platform.workspace)
    assert reaches_database(platform)
