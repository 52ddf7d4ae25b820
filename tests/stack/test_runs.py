"""Runs of make that meet another run, or a stack that they must not change."""

import subprocess
from contextlib import ExitStack

from local.lock import hold_lock
from tests.stack.clone import Clone


def test_of_two_runs_at_once_the_second_waits(clone: Clone) -> None:
    lock = f"run on stack {clone.stack}"
    with ExitStack() as first:
        first.enter_context(hold_lock(lock))
        with clone.start("up", stdout=subprocess.PIPE) as second:
            assert second.stdout
            assert any(f"Waiting for another {lock} to finish" in line for line in second.stdout), (
                "it did not wait"
            )
            assert second.poll() is None
            first.close()
            assert "To remove everything: make down" in second.stdout.read()
    assert second.returncode == 0


def test_a_stack_of_another_kong_is_left_as_it_is(edited: Clone) -> None:
    edited.set("kongAdminUrl", "https://kong-admin.internal:8444")
    theirs = edited.file.read_text()
    assert "names the Kong at https://kong-admin.internal:8444" in edited.make("up", fails=True)
    assert edited.file.read_text() == theirs


def test_a_file_that_is_not_yaml_is_named(edited: Clone) -> None:
    edited.file.write_text("config: [")
    for verb in ("up", "preview", "down"):
        assert f"{edited.file.name} is not valid YAML" in edited.make(verb, fails=True)


def test_a_stack_that_never_existed_is_not_reported_as_removed(clone: Clone) -> None:
    assert "neither stack typo nor Pulumi.typo.yaml exists" in clone.make("down", "STACK=typo", fails=True)
    assert "Run `make up STACK=typo` first" in clone.make("smoke", "STACK=typo", fails=True)


def test_a_protected_stack_is_not_removed(redeployed: Clone) -> None:
    redeployed.set("protect", True)
    redeployed.make("up")
    printed = redeployed.make("down", fails=True)
    assert "is protected. Run `pulumi config set protect false" in printed
    assert "Continuing" not in printed
    assert redeployed.request("GET", "/sessions").status_code == 200


def test_a_destroyed_stack_can_be_refreshed_and_destroyed_again(empty: Clone) -> None:
    assert "errored" not in empty.pulumi("refresh --yes --run-program --skip-preview")
    assert "errored" not in empty.pulumi("destroy --yes --run-program --skip-preview")
    assert "errored" not in empty.pulumi("destroy --yes --run-program --refresh --skip-preview")
