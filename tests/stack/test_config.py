"""The stack's config: errors in it, and secrets."""

from pathlib import Path

from tests.stack.clone import NO_CHANGES, Clone, has_traceback


def test_an_invalid_config_stops_the_preview_with_one_message_that_lists_every_error(edited: Clone) -> None:
    for key, value in {
        "hostname": "not a name",
        "hostedZoneId": "",
        "gatewayAddresses": ["10.0.0.1", "300.1.1.1"],
        "ttl": "soon",
        "kongAdminUrl": "kong:8001",
        "kongAdminToken": "in plain text",
        "containerHost": "moon",
        "replicas": 17,
        "replica": 2,
    }.items():
        edited.set(key, value)
    printed = edited.pulumi("preview", fails=True)
    for error in (
        "hostname must", "hostedZoneId is missing", "gatewayAddresses must contain", "ttl must",
        "kongAdminUrl must", "kongAdminToken is stored in plain text", "containerHost must",
        "replicas must", "unknown config key replica",
    ):  # fmt: skip
        assert error in printed, printed
    assert not has_traceback(printed)


def test_make_up_starts_nothing_for_an_invalid_config(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    clone.set("replicas", 17)
    clone.set("kongAdminUrl", "kong:8001")  # which `make up` corrects
    printed = clone.make("up", fails=True)
    assert printed.count(f"Invalid config for stack {clone.stack}; fix {clone.file.name}:") == 1
    assert "  - replicas must be a whole number from 1 to 16, not '17'" in printed
    assert "kongAdminUrl" not in printed
    assert "Deploying" not in printed
    assert clone.left_behind() == []
    assert not (tmp_path / ".local" / f"route53-{clone.stack}.pid").exists()


def test_a_config_that_was_valid_is_checked_again_once_it_has_changed(edited: Clone) -> None:
    edited.make("preview")
    edited.set("replicas", 17)
    printed = edited.make("preview", fails=True)
    assert "  - replicas must be a whole number from 1 to 16, not '17'" in printed
    assert "Previewing" not in printed, "only the program has found it"


def test_secrets_are_in_plain_text_neither_in_previews_nor_in_the_state(redeployed: Clone) -> None:
    redeployed.pulumi("config set --secret kongAdminToken canary-token")
    redeployed.pulumi("config set --secret databaseUrl sqlite:////app/data/canary.db")
    assert "canary" not in redeployed.pulumi("preview --diff")
    assert "canary" not in redeployed.pulumi("up --yes")
    state = redeployed.pulumi("stack export")
    assert "kongAdminToken" not in state
    assert "ciphertext" in state
    assert "canary" not in state


def test_make_up_corrects_a_wrong_admin_url(clone: Clone) -> None:
    clone.set("kongAdminUrl", "http://127.0.0.1:9")
    assert "Admin API at http://127.0.0.1:9 is unreachable" in clone.pulumi("up --yes", fails=True)
    clone.make("up")
    clone.pulumi(NO_CHANGES)
