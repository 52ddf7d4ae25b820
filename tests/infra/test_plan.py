"""The golden plans: up to date, the same on every machine, and without secrets."""

import os
from pathlib import Path

import pulumi
import pytest
import yaml

from infra.kong.provider.ownership import entity_id
from infra.paths import ROOT
from infra.plan.golden import PLANS, text
from infra.plan.recorder import declared
from infra.plan.stack_file import stack_files, stack_of

FILES = stack_files()


@pytest.mark.parametrize("file", FILES, ids=stack_of)
def test_the_plan_in_git_is_what_the_program_declares(file: Path) -> None:
    golden = PLANS / f"{stack_of(file)}.yaml"
    assert golden.is_file(), f"{golden} is missing: run `make plans` and commit it"
    assert text(file) == golden.read_text(), f"{golden} is stale: run `make plans` and commit it"


def test_every_plan_has_its_stack() -> None:
    assert {golden.stem for golden in PLANS.glob("*.yaml")} <= set(map(stack_of, FILES))


@pytest.mark.parametrize("file", FILES, ids=stack_of)
def test_ids_are_those_that_the_provider_will_give(file: Path) -> None:
    gateway = f"urn:pulumi:{stack_of(file)}::session-context::session-context:index:Gateway"
    resources, outputs = declared(file)
    service = next(resource for resource in resources if resource.type == "kong:index:KongService")
    assert service.urn == f"{gateway}$kong:index:KongService::session-context"
    assert service.id == outputs["kong"]["service"] == entity_id(service.urn)


@pytest.mark.parametrize("file", FILES, ids=stack_of)
def test_only_what_the_plugins_end_in_time_has_a_timeout(file: Path) -> None:
    """Docker's plugin warns of one that a volume has, and goes on for as long as the engine does."""
    resources, _ = declared(file)
    limited = {resource.type for resource in resources if "customTimeouts" in resource.options}
    assert limited == {"aws:route53/record:Record", "docker:index/container:Container"}


def test_a_plan_is_the_same_from_any_folder_and_on_any_port(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text((ROOT / "Pulumi.dev.yaml").read_text().replace("127.0.0.1:8001", "127.0.0.1:18001"))
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert text(file) == text(ROOT / "Pulumi.dev.yaml")
    finally:
        os.chdir(before)


def test_secrets_and_the_content_hash_are_masked(tmp_path: Path) -> None:
    stack = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    for key in ("databaseUrl", "kongAdminToken", "tlsCertificate", "tlsKey"):
        stack["config"][f"session-context:{key}"] = {"secure": "v1:canary"}
    file = tmp_path / "Pulumi.sealed.yaml"
    file.write_text(yaml.safe_dump(stack))
    told = text(file)
    assert "canary" not in told
    assert "placeholder" not in told
    assert "BEGIN" not in told
    resources = yaml.safe_load(told)["resources"]
    container = resources["docker:index/container:Container::session-context-1"]["inputs"]
    assert "MAX_CONTEXT_BYTES=1048576" in container["envs"]
    assert not any(variable.startswith("DATABASE_URL") for variable in container["envs"])
    holder = resources["docker:index/container:Container::session-context-secrets"]["inputs"]
    assert holder["uploads"] == [{"content": "[secret]", "file": "/run/secrets/database_url"}]
    assert container["image"] == "session-context-api:[content]"
    assert resources["pulumi:providers:kong::kong"]["inputs"]["token"] == "[secret]"  # noqa: S105 - the mask


def test_a_plan_of_a_wrong_config_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.wrong.yaml"
    file.write_text("config:\n  session-context:ttl: soon\n")
    with pytest.raises(pulumi.RunError, match="ttl must be a whole number") as refused:
        text(file)
    assert "hostedZoneId is missing" in str(refused.value)


def test_no_two_states_let_in_the_same_group() -> None:
    groups = {
        each.inputs["group"]
        for _ in range(2)
        for each in declared(ROOT / "Pulumi.prod.yaml")[0]
        if each.type == "kong:index:KongMembership"
    }
    assert len(groups) == 2
    assert all(group.startswith("session-context:prod:") for group in groups)
