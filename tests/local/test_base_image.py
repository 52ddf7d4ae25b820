"""The base image has the machine's CAs and proxies, and images that are built on it do not keep the proxies."""

import io
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import docker
import pytest

from local import base_image, images
from tests.certificates import certificate
from tests.stack.clone import docker_client

PROXY = "http://proxy.example:3128"
BUILD = f"""FROM {{base}}
RUN [ "$HTTPS_PROXY $https_proxy $NO_PROXY" = "{PROXY} {PROXY} .example" ]
"""


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[docker.DockerClient]:
    """Yield an engine that has the current base image for the official image, on a machine without a proxy."""
    name = f"session-context-base:{uuid4().hex[:8]}"
    for variable in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with docker_client() as client:
        base_image.prepare(client, prefer_official=False)
        monkeypatch.setattr(base_image, "OFFICIAL_IMAGE", images.BASE_IMAGE)
        monkeypatch.setattr(images, "BASE_IMAGE", name)
        yield client
        client.images.remove(name, force=True)


def prepare(client: docker.DockerClient) -> str:
    base_image.prepare(client, prefer_official=True)
    return str(client.images.get(images.BASE_IMAGE).id)


def test_builds_trust_the_ca_of_a_proxy_that_inspects_tls(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "company.pem").write_text(certificate("company.example")[0])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "company.pem"))
    prepare(client)
    trusted = client.containers.run(images.BASE_IMAGE, ["cat", base_image.CA_BUNDLE], remove=True)
    assert (tmp_path / "company.pem").read_bytes() in trusted
    assert trusted.count(b"BEGIN CERTIFICATE") > 100


def test_builds_use_the_machines_proxy_and_their_images_do_not_keep_it(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", ".example")
    prepare(client)
    recipe = io.BytesIO(BUILD.format(base=images.BASE_IMAGE).encode())
    image, _ = client.images.build(fileobj=recipe, rm=True, forcerm=True)
    assert "proxy" not in str(image.attrs["Config"]["Env"]).lower()
    client.images.remove(str(image.id), force=True)


def test_the_proxies_of_dockers_config_take_precedence(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://other.example:1")
    (tmp_path / "config.json").write_text(f'{{"proxies": {{"default": {{"httpsProxy": "{PROXY}"}}}}}}')
    prepare(client)
    triggers = client.images.get(images.BASE_IMAGE).attrs["Config"]["OnBuild"]
    assert triggers == [f"ARG HTTPS_PROXY={PROXY}", f"ARG https_proxy={PROXY}"]


@pytest.mark.parametrize(
    "proxy", ["http://me:canary@proxy.example:3128", "me:canary@proxy.example", "127.0.0.1:3128"]
)
def test_a_proxy_with_a_password_or_on_loopback_is_not_used(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    prepare(client)
    assert not client.images.get(images.BASE_IMAGE).attrs["Config"]["OnBuild"]
    printed = capsys.readouterr().out
    assert "Builds will not use the http" in printed
    assert "canary" not in printed


def test_the_base_image_is_rebuilt_only_for_another_proxy(
    client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(client)
    assert prepare(client) == first
    monkeypatch.setenv("http_proxy", PROXY)
    assert prepare(client) != first
