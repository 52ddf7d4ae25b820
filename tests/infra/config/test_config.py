"""The stack's config: all errors are reported at once, and none repeats a secret."""

from pathlib import Path

import pytest
import yaml

from infra.paths import ROOT
from tests.certificates import HOSTNAME, certificate
from tests.infra.config.loading import known_keys, load, rejection

KEY = "canary-canary-canary"
ALIAS = {"name": "lb-1.eu-central-1.elb.amazonaws.com", "zoneId": "Z215JYRZR1TBD5"}


def test_exactly_the_described_keys_are_known() -> None:
    described = set(yaml.safe_load(Path(ROOT / "Pulumi.yaml").read_text())["config"])
    assert known_keys() == described


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("replica", "unknown config key replica; did you mean replicas?\n"),
        ("requestPerMinute", "unknown config key requestPerMinute; did you mean requestsPerMinute?\n"),
        ("zzz", "unknown config key zzz; Pulumi.yaml describes every key\n"),
    ],
)
def test_an_unknown_key_is_rejected_with_the_most_similar_one(key: str, expected: str) -> None:
    assert expected in f"{rejection(None, **{key: 2})}\n"


def test_dev_is_open_and_unprotected() -> None:
    dev = load()
    assert (dev.access.key_auth, dev.access.consumers) == (False, {})
    assert (dev.access.requests_per_minute, dev.access.plain_http) == (None, "serve")
    assert not dev.protect
    assert not dev.record.adopt


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("plainHttp", "maybe", "plainHttp must be one of serve, redirect, refuse"),
        ("kongAdminTimeout", "5", "kongAdminTimeout must be a whole number from 100 to 300000"),
        ("kongAdminUser", "ci", "kongAdminUser and kongAdminPassword belong together: set both or neither"),
        ("kongAdminUser", "a:b", "kongAdminUser must be printable, without ':'"),
        ("kongAdminPassword", "canary", "kongAdminPassword is stored in plain text"),
        ("kongAdminClientKey", "canary", "kongAdminClientKey is stored in plain text"),
        ("kongAdminCa", "none.pem", "or a file with them, and 'none.pem' can't be read: "),
        ("kongAdminCa", "README.md", "kongAdminCa contains no valid certificate in PEM format"),
        ("kongAdminCa", "-----BEGIN x", "kongAdminCa contains no valid certificate in PEM format"),
        ("serviceName", "a/b", "serviceName must be letters, digits, '.', '-', '_' and '~', not 'a/b'"),
        ("routeName", "", "routeName is missing"),
        ("hostedZoneId", "", "hostedZoneId is missing; set the zone's id, or dns to none"),
        ("upstreamName", "pr-42:8080", "upstreamName must be a host name, since the service uses it as its host"),
        ("upstreamName", "10.0.0.1", "upstreamName must be a host name"),
        ("platform", "windows", "platform must be a platform such as linux/amd64"),
        ("keyAuth", "yes", "keyAuth must be one of true, false"),
        ("connectTimeout", "2", "connectTimeout must be a whole number from 100 to 60000"),
        ("connectTimeout", "", "connectTimeout is missing; set it with `pulumi config set connectTimeout VALUE`"),
        ("readTimeout", "20", "readTimeout must be a whole number from 1000 to 3600000"),
        ("retries", "-1", "retries must be a whole number from 0 to 100"),
        ("requestsPerMinute", "0", "requestsPerMinute must be a whole number from 1"),
        ("maxContextBytes", "4194305", "maxContextBytes must be a whole number from 1 to 4194304"),
        ("databaseUrl", "postgresql://u:canary@h/d", "databaseUrl is stored in plain text"),
        (
            "consumers",
            {"reader": KEY},
            "consumers is stored in plain text; encrypt it with `pulumi config set --secret --path",
        ),
        ("platformConsumers", "reader", "platformConsumers must be a list of usernames"),
        ("platformConsumers", {"reader": KEY}, "platformConsumers must be a list of usernames"),
        (
            "platformConsumers",
            [1],
            "platformConsumers must contain usernames of consumers in Kong, not ids",
        ),
        ("platformConsumers", [""], "platformConsumers must contain usernames"),
        ("platformConsumers", ["a\nb"], "platformConsumers must contain usernames"),
        ("platformConsumers", ["295DD562-7740-453b-b80d-799cb9ed8adf"], "not ids"),
        ("platformConsumers", ["a", "a"], "platformConsumers contains duplicates: 'a'"),
        ("platformConsumers", ["reader"], "Kong does not check them: set keyAuth to true"),
        ("platformGroups", [" "], "platformGroups must contain names of acl groups in Kong, not ' '"),
        ("platformGroups", ["staff"], "Kong does not check them: set keyAuth to true"),
        ("allowedAddresses", "10.0.0.1", "allowedAddresses must be a list of IP addresses, or networks"),
        (
            "allowedAddresses",
            ["10.0.0.1/8"],
            "allowedAddresses must contain IP addresses, or networks without",
        ),
        ("corsOrigins", ["https://app.example.com/"], "corsOrigins must contain origins such as https://app.exam"),
        ("corsOrigins", ["app.example.com"], "corsOrigins must contain origins"),
        ("corsOrigins", ["*", "https://a.example"], "corsOrigins must contain either '*' alone or single origins"),
        ("consumerRequestsPerMinute", [], "consumerRequestsPerMinute must be a map from consumer names to req"),
        ("consumerRequestsPerMinute", {"a": 0}, "consumerRequestsPerMinute must be a whole number from 1"),
        ("consumerRequestsPerMinute", {"a": 5}, "consumerRequestsPerMinute names a, which consumers does not"),
        ("memory", "100", "memory must be a whole number from 256 to 65536"),
        ("memory", "256m", "memory must be a whole number"),
        ("processes", "0", "processes must be a whole number from 1 to 64"),
        ("cpus", "0", "cpus must be a number of CPUs from 0.1 to 256, such as 1.5, not '0'"),
        ("logDriver", "Journald", "logDriver must be the name of a logging driver, such as journald"),
        ("logOptions", "max-size=1m", "logOptions must be a map of options of the logging driver"),
        ("logOptions", {"max-size": ["1m"]}, "logOptions must have strings as values; wrong: 'max-size'"),
        ("dataVolume", "sessions", "dataVolume requires keepData true, or a destroy would remove that volume"),
        ("sequenceServiceUrl", "http://a b", "sequenceServiceUrl must not contain white space"),
        ("kongAdminUrl", "http://127.0.0.1:8001\n", "kongAdminUrl must not contain white space"),
        ("dockerHost", "tcp://docker-1", "dockerHost must contain a port"),
        (
            "network",
            "bridge",
            "network must be a user-defined Docker network, not the built-in 'bridge'",
        ),
        ("hostedZoneId", "/hostedzone/Z0123456789", "not '/hostedzone/Z0123456789'; did you mean Z0123456789?"),
        ("hostname", "bücher.example", "not 'bücher.example'; did you mean xn--bcher-kva.example?"),
        ("hostname", 300, "hostname must be a host name"),
        (
            "baseImage",
            "Registry:5000/Team/App:v1",
            "not 'Registry:5000/Team/App:v1'; did you mean registry:5000/team/app:v1?",
        ),
        ("baseImage", "Python:3.11-Slim", "not 'Python:3.11-Slim'; did you mean python:3.11-Slim?"),
        ("gatewayAddresses", [3221225985], "gatewayAddresses must contain unicast IP addresses"),
        (
            "gatewayAddresses",
            [],
            "gatewayAddresses is missing; set the gateway's public addresses, or",
        ),
        ("gatewayAlias", ALIAS, "gatewayAddresses and gatewayAlias exclude each other: set one of them"),
        ("gatewayAlias", "lb.example", "gatewayAlias must be a map with name and zoneId of a load balancer"),
        ("gatewayAlias", {"name": "lb.example"}, "gatewayAlias must be a map with name and zoneId"),
        ("gatewayAlias", {**ALIAS, "zoneId": "/x/Z1"}, "one of which must be a Route 53 zone id"),
        ("gatewayAlias", {**ALIAS, "ipv6": "yes"}, "gatewayAlias must have true or false as ipv6"),
        ("dns", "bind", "dns must be one of route53, none, not 'bind'"),
        ("kong:adopt", "yes", "kong:adopt must be one of true, false"),
        ("kong:adpot", "true", "unknown config key kong:adpot; the only key of kong is kong:adopt"),
        ("docker:host", "ssh://h", "unknown config key docker:host; set the Docker engine with dockerHost"),
        ("docker:registryAuth", [{"address": "ghcr.io"}], "unknown config key docker:registryAuth"),
        (
            "imageRepository",
            "session-context",
            "imageRepository must be a repository such as registry.example.com/",
        ),
        ("imageRepository", "ghcr.io/team/api:v1", "imageRepository must be a repository such as"),
        ("image", "ghcr.io/team/api:v1", "image must be like registry.example.com/api@sha256:…"),
        ("registryUsername", "ci", "registryUsername and registryPassword belong together: set both or neither"),
        ("registryPassword", "canary", "registryPassword is stored in plain text"),
        ("packageIndex", "https://ci:canary@pypi.internal/simple", "packageIndex must not contain a password"),
        ("keepImages", "0", "keepImages must be a whole number from 1 to 1000"),
        ("gatewayAddresses", ["192.0.2.1", "192.0.2.1"], "gatewayAddresses contains duplicates: '192.0.2.1'"),
    ],
)
def test_an_invalid_value_is_rejected(key: str, value: object, expected: str) -> None:
    assert expected in rejection(None, **{key: value})


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ({"databaseUrl": "mysql://u:canary@h/d"}, "databaseUrl must start with"),
        ({"kongAdminToken": "canary\r"}, "kongAdminToken must be printable ASCII"),
        (
            {"consumers": {"reader": "canary"}},
            "keys of 16 to 256 printable ASCII characters",
        ),
        ({"consumers": {"one": KEY, "two": KEY}}, "consumers must have a different key for each consumer"),
        ({"consumers": {"a/b": KEY}}, "consumers must have names of letters"),
        ({"consumers": [KEY]}, "consumers must be a map"),
        ({"consumers": "canary"}, "consumers must be a map"),
        ({"consumers": {"reader": KEY}}, "Kong does not check them: set keyAuth to true"),
        (
            {"kongAdminClientKey": "canary"},
            "kongAdminClientCertificate and kongAdminClientKey belong together: set both or neither",
        ),
        ({"tlsKey": "canary"}, "tlsCertificate and tlsKey belong together"),
        ({"tlsKey": "canary", "tlsCertificate": "canary"}, "tlsCertificate must be one or more certificates"),
    ],
)
def test_an_invalid_secret_is_rejected_and_not_repeated(secrets: dict[str, object], expected: str) -> None:
    assert expected in rejection(secrets)


def test_an_invalid_url_is_rejected_beside_a_secret_too() -> None:
    assert "kongAdminUrl must contain a valid host" in rejection(
        {"kongAdminToken": "canary"}, kongAdminUrl="http://[::zz"
    )


def test_key_auth_needs_a_consumer() -> None:
    assert "no client has a key: set consumers, platformConsumers or platformGroups" in rejection(keyAuth=True)
    assert "no client" not in rejection({"consumers": {"reader": "canary"}}, keyAuth=True)
    assert "no client" not in rejection(platformConsumers="reader", keyAuth=True)
    assert list(load({"consumers": {"reader": KEY}}, keyAuth=True).access.consumers) == ["reader"]
    assert load(platformGroups=["staff"], keyAuth=True).access.platform_groups == ["staff"]
    assert load(platformConsumers=["b/c é"], keyAuth=True).access.platform_consumers == ["b/c é"]


def test_the_ca_of_the_admin_api_is_pem_or_a_file_with_it(tmp_path: Path) -> None:
    pem, other = (certificate(name)[0] for name in ("one.example", "two.example"))
    file = tmp_path / "ca.pem"
    file.write_text(f"# Zertifizierungsstelle für Köln\n{pem}{other}")
    https: dict[str, object] = {"kongAdminUrl": "https://kong-admin.internal:8444"}
    assert load(None, **https, kongAdminCa=pem).kong.ca == pem.strip()
    assert load(None, **https, kongAdminCa=str(file)).kong.ca == f"{pem}{other}".strip()
    assert "kongAdminUrl must start with https:// for kongAdminCa" in rejection(kongAdminCa=pem)


def test_one_header_has_one_value() -> None:
    secrets = {"kongAdminPassword": "canary", "kongAdminToken": "canary"}
    both = rejection(secrets, kongAdminUser="ci", kongAdminTokenHeader="authorization")
    assert "kongAdminUser and kongAdminToken both set the header Authorization: set one of them" in both
    assert load(secrets, kongAdminUser="ci").kong.user == "ci"


def test_a_certificate_and_its_key_are_accepted() -> None:
    pem, key = certificate(HOSTNAME)
    assert load({"tlsCertificate": pem, "tlsKey": key}).access.certificate_key is not None
    assert "is for other.example" in rejection(
        dict(zip(("tlsCertificate", "tlsKey"), certificate("other.example"), strict=True))
    )


IMAGE = f"ghcr.io/team/api@sha256:{'0' * 64}"


def test_an_existing_image_is_not_pushed() -> None:
    expected = "image is already built, so nothing is pushed to imageRepository: set one of them"
    assert expected in rejection(image=IMAGE, imageRepository="ghcr.io/team/api")


def test_who_logs_in_needs_a_registry() -> None:
    login = {"registryPassword": "canary"}
    expected = "registryUsername requires imageRepository or image: set one of them"
    assert expected in rejection(login, registryUsername="ci")
    assert load(login, registryUsername="ci", image=IMAGE).image.registry == "ghcr.io"
