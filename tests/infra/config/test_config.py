"""The stack's config: what is wrong is told, together and without a secret."""

import asyncio
import contextvars
import json
from collections.abc import Mapping
from pathlib import Path

import pulumi
import pytest
import yaml
from pulumi.runtime import config as runtime
from pulumi.runtime import mocks, settings

from infra import config
from infra.plan import stack_file
from infra.project import ROOT
from tests.infra.certificates import HOSTNAME, certificate

KEY = "canary-canary-canary"


def load(secrets: Mapping[str, object] | None = None, **given: object) -> config.StackConfig:
    """The config of the dev stack, changed; `secrets` are as if encrypted in the stack's file."""
    values, _ = stack_file.config(ROOT / "Pulumi.dev.yaml")
    project = stack_file.project()
    for key, value in {**given, **(secrets or {})}.items():
        values[key if ":" in key else f"{project}:{key}"] = value if isinstance(value, str) else json.dumps(value)

    async def read() -> config.StackConfig:
        runtime.set_all_config(values, [f"{project}:{key}" for key in secrets or {}])
        settings.configure(
            mocks.MockSettings(  # type: ignore[no-untyped-call] # the SDK's own has no types
                monitor=None, engine=mocks.MockEngine(None), project=project, stack="dev", dry_run=True
            )
        )
        return config.load()

    # The SDK keeps settings and open outputs in the context: they end with it.
    return contextvars.copy_context().run(asyncio.run, read())


def refused(secrets: Mapping[str, object] | None = None, **given: object) -> str:
    with pytest.raises(pulumi.RunError) as error:
        load(secrets, **given)
    assert "canary" not in str(error.value)
    assert "BEGIN" not in str(error.value)
    return str(error.value)


def test_every_described_key_is_read_and_no_other() -> None:
    described = set(yaml.safe_load(Path(ROOT / "Pulumi.yaml").read_text())["config"])
    told = refused(replica=2)
    assert "replica is no key of this stack" in told
    assert set(told.partition("there are ")[2].strip().split(", ")) == described


def test_dev_is_open_and_unprotected() -> None:
    dev = load()
    assert (dev.key_auth, dev.consumers, dev.requests_per_minute, dev.plain_http) == (False, {}, None, "serve")
    assert not dev.protect
    assert not dev.adopt_record


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("plainHttp", "maybe", "plainHttp must be one of serve, redirect, refuse"),
        ("platform", "windows", "platform must be a platform such as linux/amd64"),
        ("keyAuth", "yes", "keyAuth must be one of true, false"),
        ("connectTimeout", "2", "connectTimeout must be a whole number from 100 to 60000"),
        ("connectTimeout", "", "connectTimeout is missing: set milliseconds"),
        ("readTimeout", "20", "readTimeout must be a whole number from 1000 to 3600000"),
        ("retries", "-1", "retries must be a whole number from 0 to 100"),
        ("requestsPerMinute", "0", "requestsPerMinute must be a whole number from 1"),
        ("maxContextBytes", "4194305", "maxContextBytes must be a whole number from 1 to 4194304"),
        ("databaseUrl", "postgresql://u:canary@h/d", "databaseUrl is in the clear"),
        (
            "consumers",
            {"reader": KEY},
            "consumers is in the clear: set it with `pulumi config set --secret --path",
        ),
        ("platformConsumers", "reader", "platformConsumers must be a list of usernames"),
        ("platformConsumers", {"reader": KEY}, "platformConsumers must be a list of usernames"),
        ("platformConsumers", [1], "platformConsumers must hold usernames of consumers in Kong, and no ids"),
        ("platformConsumers", [""], "platformConsumers must hold usernames"),
        ("platformConsumers", ["a\nb"], "platformConsumers must hold usernames"),
        ("platformConsumers", ["295DD562-7740-453b-b80d-799cb9ed8adf"], "and no ids"),
        ("platformConsumers", ["a", "a"], "platformConsumers names a consumer twice"),
        ("platformConsumers", ["reader"], "keyAuth is false, so the keys of consumers would guard nothing"),
        ("sequenceServiceUrl", "http://a b", "sequenceServiceUrl must hold no space"),
        ("kongAdminUrl", "http://127.0.0.1:8001\n", "kongAdminUrl must hold no space, line end"),
        ("dockerHost", "tcp://docker-1", "dockerHost must hold a port"),
        (
            "network",
            "bridge",
            "network must be a network that was made for the gateway, not Docker's own 'bridge'",
        ),
        ("hostedZoneId", "/hostedzone/Z0123456789", "not '/hostedzone/Z0123456789': set Z0123456789"),
        ("hostname", "bücher.example", "not 'bücher.example': set xn--bcher-kva.example"),
        ("hostname", 300, "hostname must be a host name"),
        (
            "baseImage",
            "Registry:5000/Team/App:v1",
            "not 'Registry:5000/Team/App:v1': set registry:5000/team/app:v1",
        ),
        ("baseImage", "Python:3.11-Slim", "not 'Python:3.11-Slim': set python:3.11-Slim"),
        ("gatewayAddresses", [3221225985], "gatewayAddresses must hold IPv4 addresses of a gateway only"),
        ("kong:adopt", "yes", "kong:adopt must be one of true, false"),
        ("kong:adpot", "true", "kong:adpot is no key of this stack"),
        ("docker:host", "ssh://h", "docker:host is no key of this stack: the engine is set by dockerHost"),
        ("docker:registryAuth", [{"address": "ghcr.io"}], "docker:registryAuth is no key of this stack"),
        ("gatewayAddresses", ["192.0.2.1", "192.0.2.1"], "gatewayAddresses names an address twice"),
    ],
)
def test_a_wrong_value_is_refused(key: str, value: object, says: str) -> None:
    assert says in refused(None, **{key: value})


@pytest.mark.parametrize(
    ("secrets", "says"),
    [
        ({"databaseUrl": "mysql://u:canary@h/d"}, "databaseUrl must begin with"),
        ({"kongAdminToken": "canary\r"}, "kongAdminToken must be visible ASCII characters"),
        ({"consumers": {"reader": "canary"}}, "a key of 16 to 256 visible characters: see ['reader']"),
        ({"consumers": {"one": KEY, "two": KEY}}, "consumers gives two consumers the same key"),
        ({"consumers": {"a/b": KEY}}, "consumers must name consumers with letters"),
        ({"consumers": [KEY]}, "consumers must be a map"),
        ({"consumers": "canary"}, "consumers must be a map"),
        ({"consumers": {"reader": KEY}}, "keyAuth is false, so the keys of consumers would guard nothing"),
        ({"tlsKey": "canary"}, "tlsCertificate and tlsKey go together"),
        ({"tlsKey": "canary", "tlsCertificate": "canary"}, "tlsCertificate must be one or more certificates"),
    ],
)
def test_a_wrong_secret_is_refused_and_not_repeated(secrets: dict[str, object], says: str) -> None:
    assert says in refused(secrets)


def test_what_is_no_url_is_refused_beside_a_secret_too() -> None:
    assert "kongAdminUrl must hold a host" in refused({"kongAdminToken": "canary"}, kongAdminUrl="http://[::zz")


def test_key_auth_needs_a_consumer() -> None:
    assert "consumers is missing, and so is platformConsumers" in refused(keyAuth=True)
    assert "is missing" not in refused({"consumers": {"reader": "canary"}}, keyAuth=True)
    assert "is missing" not in refused(platformConsumers="reader", keyAuth=True)
    assert list(load({"consumers": {"reader": KEY}}, keyAuth=True).consumers) == ["reader"]
    assert load(platformConsumers=["b/c é"], keyAuth=True).platform_consumers == ["b/c é"]


def test_a_certificate_and_its_key_are_taken() -> None:
    pem, key = certificate(HOSTNAME)
    assert load({"tlsCertificate": pem, "tlsKey": key}).tls_key is not None
    assert "is for other.example" in refused(
        dict(zip(("tlsCertificate", "tlsKey"), certificate("other.example"), strict=True))
    )
