"""The golden plans: up to date, reproducible, and without secrets."""

import os
from pathlib import Path

import pulumi
import pytest
import yaml

from infra.kong.provider.ownership import entity_id
from infra.paths import ROOT
from infra.plan.drawing import DRAWING, DRAWN, draw_plan
from infra.plan.golden import PLANS, render_plan
from infra.plan.recorder import record_plan
from infra.plan.stack_file import stack_files, stack_name
from tests.infra.plans import stack_with

FILES = stack_files()


@pytest.mark.parametrize("file", FILES, ids=stack_name)
def test_the_plan_in_git_is_up_to_date(file: Path) -> None:
    golden = PLANS / f"{stack_name(file)}.yaml"
    assert golden.is_file(), f"{golden} is missing; run `make plans` and commit it"
    assert render_plan(file) == golden.read_text(), f"{golden} is out of date; run `make plans` and commit it"


def test_the_drawing_in_the_docs_is_up_to_date() -> None:
    assert draw_plan(DRAWN) == DRAWING.read_text(), f"{DRAWING} is out of date; run `make plans` and commit it"


def test_every_plan_belongs_to_a_stack() -> None:
    assert {golden.stem for golden in PLANS.glob("*.yaml")} <= set(map(stack_name, FILES))


@pytest.mark.parametrize("file", FILES, ids=stack_name)
def test_ids_are_those_that_the_provider_derives(file: Path) -> None:
    gateway = f"urn:pulumi:{stack_name(file)}::session-context::session-context:index:Gateway"
    resources, outputs = record_plan(file)
    service = next(resource for resource in resources if resource.type == "kong:index:KongService")
    assert service.urn == f"{gateway}$kong:index:KongService::session-context"
    assert service.id == outputs["kong"]["service"] == entity_id(service.urn)


@pytest.mark.parametrize("file", FILES, ids=stack_name)
def test_only_resources_whose_plugins_support_timeouts_have_one(file: Path) -> None:
    """Docker's plugin warns about the timeout of a volume, and ignores it."""
    resources, _ = record_plan(file)
    limited = {resource.type for resource in resources if "customTimeouts" in resource.options}
    containers = {resource.type for resource in resources} & {"docker:index/container:Container"}
    assert limited == {"aws:route53/record:Record", *containers}


def test_a_plan_does_not_depend_on_the_folder_or_ports(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text((ROOT / "Pulumi.dev.yaml").read_text().replace("127.0.0.1:8001", "127.0.0.1:18001"))
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert render_plan(file) == render_plan(ROOT / "Pulumi.dev.yaml")
    finally:
        os.chdir(before)


SECRETS = (
    "databaseUrl",
    "kongAdminClientCertificate",
    "kongAdminClientKey",
    "kongAdminPassword",
    "kongAdminToken",
    "tlsCertificate",
    "tlsKey",
)


def test_secrets_and_the_content_hash_are_masked(tmp_path: Path) -> None:
    stack = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    for key in SECRETS:
        stack["config"][f"session-context:{key}"] = {"secure": "v1:canary"}
    stack["config"] |= {
        "session-context:kongAdminUrl": "https://kong-admin.internal:8444",
        "session-context:kongAdminUser": "deployer",
    }
    file = tmp_path / "Pulumi.sealed.yaml"
    file.write_text(yaml.safe_dump(stack))
    plan = render_plan(file)
    assert "canary" not in plan
    assert "placeholder" not in plan
    assert "BEGIN" not in plan
    resources = yaml.safe_load(plan)["resources"]
    container = resources["docker:index/container:Container::session-context-1"]["inputs"]
    assert "MAX_CONTEXT_BYTES=1048576" in container["envs"]
    assert not any(variable.startswith("DATABASE_URL") for variable in container["envs"])
    secrets_container = resources["docker:index/container:Container::session-context-secrets"]["inputs"]
    assert secrets_container["uploads"] == [{"content": "[secret]", "file": "/run/secrets/database_url"}]
    assert container["image"] == "session-context-api:[content]"
    provider = resources["pulumi:providers:kong::kong"]["inputs"]
    secrets = ("token", "password", "clientCertificate", "clientKey")
    assert [provider[name] for name in secrets] == ["[secret]"] * 4


def test_a_plan_of_an_invalid_config_fails_with_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.invalid.yaml"
    file.write_text("config:\n  session-context:ttl: soon\n")
    with pytest.raises(pulumi.RunError, match="ttl must be a whole number") as error:
        render_plan(file)
    assert "hostedZoneId is missing" in str(error.value)


def test_no_two_states_admit_the_same_group() -> None:
    groups = {
        each.inputs["group"]
        for _ in range(2)
        for each in record_plan(ROOT / "Pulumi.prod.yaml")[0]
        if each.type == "kong:index:KongMembership"
    }
    assert len(groups) == 2
    assert all(group.startswith("session-context:prod:") for group in groups)


def test_a_stack_with_its_own_names_shares_no_entity_with_another(tmp_path: Path) -> None:
    names = {"serviceName": "api-pr-42", "routeName": "route-pr-42", "upstreamName": "pr-42.upstream"}
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, **names)))["resources"]
    service = plan["kong:index:KongService::session-context"]["inputs"]
    assert (service["name"], service["host"]) == ("api-pr-42", "pr-42.upstream")
    assert plan["kong:index:KongRoute::session-context"]["inputs"]["name"] == "route-pr-42"
    assert plan["kong:index:KongUpstream::session-context"]["inputs"]["name"] == "pr-42.upstream"


def test_a_consumer_has_a_limit_of_its_own(tmp_path: Path) -> None:
    access = {
        "keyAuth": True,
        "consumers": {"app": {"secure": "v1:"}, "batch": {"secure": "v1:"}},
        "requestsPerMinute": 60,
        "consumerRequestsPerMinute": {"batch": 6000},
    }
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, **access)))["resources"]
    own = plan["kong:index:KongPlugin::session-context-batch-rate-limiting"]["inputs"]
    assert own["consumer"] == plan["kong:index:KongConsumer::session-context-batch"]["id"]
    assert own["service"] == plan["kong:index:KongService::session-context"]["id"]
    assert own["config"]["minute"] == 6000
    assert "kong:index:KongPlugin::session-context-app-rate-limiting" not in plan


def records_of(file: Path) -> dict[str, dict[str, object]]:
    plan = yaml.safe_load(render_plan(file))["resources"]
    return {name: entry["inputs"] for name, entry in plan.items() if name.startswith("aws:")}


def test_ipv6_addresses_are_an_aaaa_record_beside_the_a_record(tmp_path: Path) -> None:
    both = records_of(stack_with(tmp_path, gatewayAddresses=["192.0.2.1", "2001:db8::1"]))
    assert [(each["type"], each["records"]) for each in both.values()] == [
        ("A", ["192.0.2.1"]),
        ("AAAA", ["2001:db8::1"]),
    ]
    (only,) = records_of(stack_with(tmp_path, gatewayAddresses=["2001:db8::1"])).values()
    assert only["type"] == "AAAA"


def test_an_alias_points_to_a_load_balancer_and_has_no_ttl(tmp_path: Path) -> None:
    alias = {"name": "lb.example", "zoneId": "Z215JYRZR1TBD5", "ipv6": True}
    both = records_of(stack_with(tmp_path, gatewayAddresses=[], gatewayAlias=alias))
    target = {"name": "lb.example", "zoneId": "Z215JYRZR1TBD5", "evaluateTargetHealth": False}
    assert [each["type"] for each in both.values()] == ["A", "AAAA"]
    assert [each["aliases"] for each in both.values()] == [[target]] * 2
    assert not any({"ttl", "records"} & each.keys() for each in both.values())


def test_without_route53_the_record_is_an_output_alone(tmp_path: Path) -> None:
    file = stack_with(tmp_path, dns="none", gatewayAddresses=["192.0.2.1", "2001:db8::1"], hostedZoneId="")
    assert records_of(file) == {}
    assert yaml.safe_load(render_plan(file))["outputs"]["record"] == {
        "name": "sessioncontext.fountain.coach",
        "addresses": ["192.0.2.1", "2001:db8::1"],
        "ttl": 300,
    }


def test_the_containers_have_the_configured_resources_and_logs(tmp_path: Path) -> None:
    keys = {
        "memory": 1024,
        "processes": 2,
        "cpus": "1.5",
        "logDriver": "syslog",
        "logOptions": {"syslog-address": "udp://h:514"},
    }
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, **keys)))["resources"]
    container = plan["docker:index/container:Container::session-context-1"]["inputs"]
    assert (container["memory"], container["memorySwap"], container["cpus"]) == (1024, 1024, "1.5")
    assert (container["logDriver"], container["logOpts"]) == ("syslog", {"syslog-address": "udp://h:514"})
    assert "WEB_CONCURRENCY=2" in container["envs"]
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, logOptions={"max-size": "50m"})))["resources"]
    container = plan["docker:index/container:Container::session-context-1"]["inputs"]
    assert container["logOpts"] == {"max-size": "50m", "max-file": "3"}


def test_a_volume_that_is_kept_has_a_name_to_find_it_by(tmp_path: Path) -> None:
    volume = "docker:index/volume:Volume::session-context-data"
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, keepData=True)))["resources"][volume]
    assert plan["inputs"]["name"] == "session-context-dev-data"
    assert plan["options"] == {"retainOnDelete": True, "ignoreChanges": ["name"]}
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, keepData=True, dataVolume="s1")))["resources"][volume]
    assert plan["inputs"]["name"] == "s1"


LOGIN = {"registryUsername": "ci", "registryPassword": {"secure": "v1:"}}


def test_an_image_for_a_registry_is_pushed_with_its_login(tmp_path: Path) -> None:
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, imageRepository="ghcr.io/team/api", **LOGIN)))[
        "resources"
    ]
    image = plan["docker:index/image:Image::session-context"]["inputs"]
    assert not image["skipPush"]
    assert image["imageName"].startswith("ghcr.io/team/api:")
    assert image["registry"] == {"server": "ghcr.io", "username": "ci", "password": "[secret]"}
    assert plan["pulumi:providers:docker::docker"]["inputs"]["registryAuth"] == "[secret]"
    container = plan["docker:index/container:Container::session-context-1"]
    assert container["inputs"]["image"] == "[unknown before up]"


def test_an_existing_image_is_deployed_without_a_build(tmp_path: Path) -> None:
    image = f"ghcr.io/team/api@sha256:{'0' * 64}"
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, image=image, **LOGIN)))["resources"]
    assert "docker:index/image:Image::session-context" not in plan
    assert plan["docker:index/container:Container::session-context-1"]["inputs"]["image"] == image


def test_a_build_uses_the_configured_proxy_and_package_index(tmp_path: Path) -> None:
    proxy, index = "http://proxy.internal:3128", "https://pypi.internal/simple"
    plan = yaml.safe_load(render_plan(stack_with(tmp_path, buildProxy=proxy, packageIndex=index)))["resources"]
    args = plan["docker:index/image:Image::session-context"]["inputs"]["build"]["args"]
    assert args == {
        "BASE_IMAGE": "session-context-base:bookworm",
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "PIP_INDEX_URL": index,
    }
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    assert ["ARG PIP_INDEX_URL" in stage for stage in stages] == [
        False,
        True,
        False,
    ]  # and not in what is deployed
