"""The config of a stack beside another one."""

from pathlib import Path

import yaml

from infra.beside import write

STAGING = """\
encryptionsalt: v1:salt
config:
  session-context:network: kong-net
  session-context:hostname: api.example.com
  session-context:protect: true
  session-context:keyAuth: true
  session-context:consumers: {app: {secure: "v1:x"}}
  session-context:consumerRequestsPerMinute: {app: 60}
  session-context:platformConsumers: [mobile]
  session-context:publish: 10.0.0.5:8080-8095
  session-context:kongAdminToken: {secure: "v1:y"}
  aws:region: eu-central-1
"""


def test_a_stack_beside_another_has_its_own_hostname_and_names_and_none_of_what_is_for_one(tmp_path: Path) -> None:
    source, goal = tmp_path / "Pulumi.staging.yaml", tmp_path / "Pulumi.pr-42.yaml"
    source.write_text(STAGING)
    assert write(source, goal) == "pr-42.api.example.com"
    assert yaml.safe_load(goal.read_text()) == {
        "encryptionsalt": "v1:salt",
        "config": {
            "session-context:network": "kong-net",
            "session-context:hostname": "pr-42.api.example.com",
            "session-context:keyAuth": True,
            "session-context:platformConsumers": ["mobile", "session-context-app"],
            "session-context:kongAdminToken": {"secure": "v1:y"},
            "session-context:serviceName": "pr-42",
            "session-context:routeName": "pr-42",
            "session-context:upstreamName": "pr-42",
            "aws:region": "eu-central-1",
        },
    }


def test_a_stack_without_a_hostname_has_the_default_one(tmp_path: Path) -> None:
    source = tmp_path / "Pulumi.dev.yaml"
    source.write_text("config:\n  aws:region: eu-central-1\n")
    assert write(source, tmp_path / "Pulumi.PR-7.yaml") == "pr-7.sessioncontext.fountain.coach"
