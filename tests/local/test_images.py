"""Why an image can't be pulled, which the user must know since a stand-in replaces it."""

from pathlib import Path

import pytest
from docker.errors import BuildError

from local import base_image, console, images
from tests.local.registry import LIMIT, registry
from tests.stack.clone import docker_client
from tests.stack.registry import serving


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


def test_only_an_answer_of_the_registry_says_that_an_image_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "REGISTRY_SECONDS", 1)
    name = f"kong@sha256:{'0' * 64}"
    with serving(tmp_path) as empty:
        assert images.is_missing_in_registry(f"{empty.host}/{name}", None)
    assert not images.is_missing_in_registry(f"{empty.host}/{name}", None)  # it has ended
    with registry("limited") as limited, registry("silent") as silent:
        assert not images.is_missing_in_registry(f"{limited}/{name}", None)
        assert not images.is_missing_in_registry(f"{silent}/{name}", None)


def test_a_pull_shows_the_bytes_of_all_layers() -> None:
    progress = console.Progress()
    events: list[images.Event] = [
        {"status": "Pulling from library/kong"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 1_000_000, "total": 30_000_000}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 500, "total": 10_000_000}},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 20_000_000, "total": 30_000_000}},
        {"status": "Pull complete", "id": "a", "progressDetail": {}},
    ]
    assert list(images._follow_pull(events, progress)) == events
    assert progress.detail == "20 of 40 MB"


def test_a_build_shows_its_steps_and_a_failed_one_its_log(tmp_path: Path) -> None:
    progress = console.Progress()
    (tmp_path / "Dockerfile").write_text(f"FROM {images.BASE_IMAGE}\nLABEL a=b\nRUN echo why it fails; exit 3\n")
    with docker_client() as client:
        base_image.prepare(client, prefer_official=False)
        with pytest.raises(BuildError) as failure:
            images.build(client, progress, path=str(tmp_path))
    assert progress.detail == "step 3 of 3"
    assert "why it fails" in str(images.build_failure("it", failure.value))


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
