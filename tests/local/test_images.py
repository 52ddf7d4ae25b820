"""Why an image can't be pulled, which the user must know: a stand-in takes its place."""

import pytest

from local import images
from tests.local.registry import LIMIT, registry
from tests.stack.clone import docker_client


def test_a_pull_that_the_registry_refuses_is_explained_once(capsys: pytest.CaptureFixture[str]) -> None:
    with registry("limited") as host, docker_client() as client:
        assert not images.pull_image(client, f"{host}/kong:3.9")
    said = capsys.readouterr().out
    assert f"{host}/kong:3.9 can't be pulled: " in said
    assert said.count(LIMIT) == 1


def test_a_pull_that_fails_half_way_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with registry("broken") as host, docker_client() as client:
        assert not images.pull_image(client, f"{host}/kong:3.9")
    assert "verification failed" in capsys.readouterr().out


def test_a_registry_that_never_answers_holds_up_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "REGISTRY_SECONDS", 1)
    with registry("silent") as host, docker_client() as client:
        assert not images.pull_image(client, f"{host}/kong:3.9")
    assert "can't be pulled: no answer within 1 s" in capsys.readouterr().out
