"""Why an image can't be pulled, which the user must know since a stand-in replaces it."""

import pytest

from local import images
from tests.local.registry import LIMIT, registry
from tests.stack.clone import docker_client


def test_a_refused_pull_is_explained_once(capsys: pytest.CaptureFixture[str]) -> None:
    with registry("limited") as host, docker_client() as client:
        assert not images.pull_image(client, f"{host}/kong:3.9")
    printed = capsys.readouterr().out
    assert f"Could not pull {host}/kong:3.9: " in printed
    assert printed.count(LIMIT) == 1


def test_a_pull_that_fails_halfway_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with registry("broken") as host, docker_client() as client:
        assert not images.pull_image(client, f"{host}/kong:3.9")
    assert "verification failed" in capsys.readouterr().out


def test_a_registry_that_never_answers_causes_no_long_wait(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "REGISTRY_SECONDS", 1)
    with registry("silent") as host, docker_client() as client:
        assert not images.pull_image(client, f"{host}/kong:3.9")
    assert f"Could not pull {host}/kong:3.9: no answer within 1 s" in capsys.readouterr().out


def test_the_same_reason_for_several_images_is_printed_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_printed", set())
    with docker_client() as client:
        for name in ("kong:3.9", "postgres:16"):
            assert not images.pull_image(client, f"127.0.0.1:9/{name}")
    printed = capsys.readouterr().out
    assert printed.count("connection refused") == 1
    assert "Could not pull 127.0.0.1:9/postgres:16: see above" in printed
