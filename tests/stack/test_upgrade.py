"""An upgrade from 1.0.0: the present program changes nothing in a stack that this release deployed.

`recorded/state.json` is what `pulumi stack export --show-secrets` printed of a stack with every kind of resource,
with names in braces for what differs from run to run. Pulumi's own Docker plugin had deployed it. A preview
compares it with the program. Nothing is deployed: without `--refresh`, a preview calls only Route 53, here moto.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from moto.server import ThreadedMotoServer

from infra.image import TAG_DIGITS, content_hash, stage
from infra.paths import REPOSITORY
from offline.docker_plugin.image import hash_context
from tests.certificates import HOSTNAME, certificate
from tests.stack.clone import Clone

RECORDED = Path(__file__).parent / "recorded" / "state.json"
BASE_IMAGE, PLATFORM = "session-context-base:bookworm", "linux/amd64"
CONFIG = {
    "baseImage": BASE_IMAGE,
    "platform": PLATFORM,
    "network": "kong-net",
    "gatewayAddresses": ["203.0.113.10", "203.0.113.11"],
    "keyAuth": True,
    "plainHttp": "refuse",
    "platformConsumers": ["mobile-gateway"],
    "protect": True,
    "replicas": 2,
    "requestsPerMinute": 600,
    "sequenceServiceUrl": "http://central-sequence-service:8080",
}
SECRETS = {
    "kongAdminToken": "recorded-token",
    "databaseUrl": "postgresql://recorded:recorded@database.example/recorded",
    "--path consumers.mobile-app": "recorded-consumer-key",
}
CHANGED = {
    "docker:index/container:Container::session-context-1": {"envs"},  # API_KEY_HEADER
    "docker:index/container:Container::session-context-2": {"envs"},
    "kong:index:KongTarget::session-context-1": {"target"},  # the new containers
    "kong:index:KongTarget::session-context-2": {"target"},
}
"""The properties that the present program changes in such a stack, by resource. CHANGELOG.md names the reasons."""


class Recorded:
    """The recorded stack, in a backend of its own."""

    def __init__(self, clone: Clone) -> None:
        clone.stack = "recorded"
        clone.file = clone.folder / "Pulumi.recorded.yaml"
        self._clone = clone
        (clone.folder / "states").mkdir()
        self._certificate, self._key = map(str.strip, certificate(HOSTNAME))  # as `pulumi config set` does
        self._configure()
        self._import()

    def _pulumi(self, command: str, given: str = "") -> str:
        own = f"PULUMI_BACKEND_URL=file://{self._clone.folder / 'states'} PULUMI_CONFIG_PASSPHRASE=recorded"
        pulumi = f"pulumi --non-interactive {command} --stack recorded"
        return self._clone.shell(f"export {own} && printf %s {shlex.quote(given)} | {pulumi}")

    def _configure(self) -> None:
        dev: dict[str, Any] = yaml.safe_load((self._clone.folder / "Pulumi.dev.yaml").read_text())["config"]
        zone = self._clone.route53().create_hosted_zone(Name="fountain.coach", CallerReference="recorded")
        self._zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
        self._route53_url = f"http://127.0.0.1:{self._clone.ports['DNS_PORT']}"
        config = {key: value for key, value in dev.items() if key.startswith("aws:")}
        config["aws:endpoints"] = [{"route53": self._route53_url}]
        own = CONFIG | {"hostedZoneId": self._zone_id, "kongAdminUrl": self._clone.admin}
        config |= {f"session-context:{key}": value for key, value in own.items()}
        self._clone.file.write_text(yaml.safe_dump({"config": config}))
        self._pulumi("stack init --no-select")
        for key, value in (SECRETS | {"tlsCertificate": self._certificate, "tlsKey": self._key}).items():
            self._pulumi(f"config set --secret {key}", value)

    def _import(self) -> None:
        folder = self._clone.folder
        context = stage(folder)
        values = {
            "{admin_url}": self._clone.admin,
            "{certificate}": self._certificate,
            "{certificate_key}": self._key,
            "{context_digest}": hash_context(context, context / "Dockerfile"),
            "{dns_url}": self._route53_url,
            "{image}": f"{REPOSITORY}:{content_hash(folder, BASE_IMAGE, PLATFORM)[:TAG_DIGITS]}",
            "{network}": CONFIG["network"],
            "{zone_id}": self._zone_id,
        }
        state = fill(json.loads(RECORDED.read_text()), values)
        salt = yaml.safe_load(self._clone.file.read_text())["encryptionsalt"]
        state["deployment"]["secrets_providers"] = {"type": "passphrase", "state": {"salt": salt}}
        file = folder / "state.json"
        file.write_text(json.dumps(state))
        self._pulumi(f"stack import --file {file}")

    def changes(self) -> dict[str, set[str]]:
        """Preview an `up`: the changed properties of each resource, or the operation if there are none."""
        steps = json.loads(self._pulumi("preview --json 2>/dev/null"))["steps"]
        return {
            "::".join(step["urn"].split("$")[-1].split("::")[-2:]): {
                re.split(r"[.\[]", path)[0] for path in step.get("detailedDiff") or [step["op"]]
            }
            for step in steps
            if step["op"] != "same"
        }


def fill(value: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Replace the names in braces, in secrets too."""
    if isinstance(value, dict) and isinstance(value.get("plaintext"), str):
        return value | {"plaintext": json.dumps(fill(json.loads(value["plaintext"]), values))}
    if isinstance(value, dict):
        return {key: fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, values) for item in value]
    if isinstance(value, str):
        for name, replacement in values.items():
            value = value.replace(name, replacement)
    return value


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    clone = Clone(tmp_path)
    clone.make("setup")
    moto = ThreadedMotoServer("127.0.0.1", clone.ports["DNS_PORT"], verbose=False)
    moto.start()
    yield Recorded(clone)
    moto.stop()


def test_an_upgrade_changes_nothing_but_what_is_named(recorded: Recorded) -> None:
    assert recorded.changes() == CHANGED
