"""`make up` on a fresh clone: what it deploys, and that a second run changes nothing."""

import os
import shutil
from pathlib import Path

import requests

from tests.stack.clone import HOSTNAME, NO_CHANGES, Clone, copy_of_project


def test_a_session_is_created_and_listed_through_the_gateway(clone: Clone) -> None:
    created = clone.request("POST", "/sessions", json={"userId": 7, "context": "grüße"})
    assert created.status_code == 201, created.text
    assert created.json() in clone.request("GET", "/sessions").json()


def test_any_other_host_gets_kongs_own_404(clone: Clone) -> None:
    answer = requests.get(clone.proxy + "/sessions", headers={"Host": "other.example"}, timeout=10)
    assert answer.status_code == 404
    assert answer.json()["message"] == "no Route matched with those values"


def test_the_record_points_to_the_gateway(clone: Clone) -> None:
    assert [
        (record["Name"], record["TTL"], [value["Value"] for value in record["ResourceRecords"]])
        for record in clone.records()
    ] == [(f"{HOSTNAME}.", 300, ["127.0.0.1"])]


def test_the_outputs_name_what_was_deployed(clone: Clone) -> None:
    outputs = clone.outputs()
    assert outputs["url"] == f"https://{HOSTNAME}"
    assert outputs["record"] == {"name": HOSTNAME, "addresses": ["127.0.0.1"]}
    assert outputs["containers"] == clone.containers()
    assert clone.kong(f"/services/{outputs['kong']['service']}")["name"] == "session-context-management-service"
    assert clone.kong(f"/routes/{outputs['kong']['route']}")["hosts"] == [HOSTNAME]


def test_a_second_up_changes_nothing_even_if_every_file_was_touched(clone: Clone) -> None:
    for file in clone.folder.rglob("*"):
        if file.is_file() and ".local" not in file.parts and ".venv" not in file.parts:
            os.utime(file)
            file.chmod(file.stat().st_mode & 0o700)  # as in a clone whose umask is 077
    image = clone.outputs()["image"]
    assert "unchanged" in clone.make("up")
    clone.pulumi(NO_CHANGES)
    assert clone.outputs()["image"] == image


def test_another_clone_of_the_same_files_has_the_same_image(clone: Clone, tmp_path: Path) -> None:
    copy_of_project(tmp_path)
    shutil.copytree(clone.folder / "service", tmp_path / "service", dirs_exist_ok=True)  # which tests may change
    command = "from infra.image import *; print(content_hash(ROOT, 'session-context-base:bookworm')[:TAG_DIGITS])"
    image = clone.shell(f'cd {tmp_path} && .venv/bin/python -c "{command}"')
    assert clone.outputs()["image"] == f"session-context-api:{image.strip()}"
