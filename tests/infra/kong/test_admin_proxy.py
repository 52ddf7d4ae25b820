"""An Admin API behind a proxy that demands each kind of access; without it, the error names the key to set."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from infra.kong.provider import admin_api
from infra.kong.provider.connection import Kong
from infra.kong.provider.resource import EntityResource
from infra.kong.schema.routing import SERVICE
from infra.plugin import PluginError
from infra.props import Props
from tests.certificates import certificate
from tests.infra.kong.admin_proxy import AdminProxy
from tests.infra.kong.entities import made
from tests.offline.peers import Gateway


@pytest.fixture
def proxy(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AdminProxy]:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setattr(admin_api, "BACKOFF_SECONDS", 0)
    with AdminProxy(gateway.admin, tmp_path).serving() as proxy:
        yield proxy


def works(proxy: AdminProxy, gateway: Gateway, **config: object) -> bool:
    """Create a service through the proxy, and return whether Kong has it."""
    name = uuid4().hex
    made(EntityResource(_kong(proxy, config), SERVICE), "KongService", {"host": "a.example", "name": name})
    return gateway.call("GET", f"/services/{name}").ok


def failure(proxy: AdminProxy, **config: object) -> str:
    """Return why no service can be created through the proxy."""
    kong = _kong(proxy, config)
    with pytest.raises(PluginError) as error:
        kong.call(lambda api: api.get("services", "x"))
    assert "canary" not in str(error.value)
    assert "BEGIN" not in str(error.value)
    return str(error.value)


def _kong(proxy: AdminProxy, config: Props) -> Kong:
    kong = Kong(wait=lambda _: None)
    kong.configure({"adminUrl": proxy.url, "ca": proxy.ca} | config)
    return kong


def test_a_private_ca_is_trusted_alone(proxy: AdminProxy, gateway: Gateway) -> None:
    assert works(proxy, gateway)
    assert "Set kongAdminCa to the certificate of the CA that signed it" in failure(proxy, ca=None)
    assert "not from a trusted CA" in failure(proxy, ca=certificate("localhost")[0])
    address = proxy.url.replace("localhost", "127.0.0.1")
    assert "its certificate is for another host" in failure(proxy, adminUrl=address)


def test_a_ca_of_the_config_goes_before_that_of_the_environment(
    proxy: AdminProxy, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    assert works(proxy, gateway)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(proxy.ca_file))
    assert works(proxy, gateway, ca=None)
    assert "not from a trusted CA" in failure(proxy, ca=certificate("localhost")[0])


def test_a_client_certificate_is_presented(proxy: AdminProxy, gateway: Gateway) -> None:
    pem, key = certificate("pulumi")
    proxy.demand_client_certificate(pem)
    assert works(proxy, gateway, clientCertificate=pem, clientKey=key)
    advice = "the secrets kongAdminClientCertificate and kongAdminClientKey"
    assert advice in failure(proxy)
    stranger, its_key = certificate("stranger")
    assert advice in failure(proxy, clientCertificate=stranger, clientKey=its_key)


def test_a_client_certificate_needs_no_private_ca(
    proxy: AdminProxy, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, key = certificate("pulumi")
    proxy.demand_client_certificate(pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(proxy.ca_file))
    assert works(proxy, gateway, ca=None, clientCertificate=pem, clientKey=key)


def test_a_user_logs_in_by_basic_authentication(proxy: AdminProxy, gateway: Gateway) -> None:
    proxy.demand_user("dépl oyer", "canary: é")
    assert works(proxy, gateway, user="dépl oyer", password="canary: é")  # noqa: S106 - a canary
    assert "it requires a user name. Set kongAdminUser and the secret kongAdminPassword" in failure(proxy)
    wrong = failure(proxy, user="deployer", password="canary")  # noqa: S106 - a canary
    assert "the user name or the password is wrong" in wrong


def test_a_user_and_kongs_own_token_go_together(proxy: AdminProxy, gateway: Gateway) -> None:
    proxy.demand_user("deployer", "canary")
    proxy.headers["X-Admin"] = "canary-4711"
    token = {"token": "canary-4711", "tokenHeader": "X-Admin"}
    assert works(proxy, gateway, user="deployer", password="canary", **token)  # noqa: S106 - a canary


def test_the_path_of_a_workspace_is_kept(proxy: AdminProxy, gateway: Gateway) -> None:
    proxy.prefix = "/team-a"
    assert works(proxy, gateway)
    assert works(proxy, gateway, adminUrl=f"{proxy.url}/")
    assert "this is not Kong's Admin API" in failure(proxy, adminUrl=proxy.url.removesuffix("/team-a"))


def test_a_slow_proxy_gets_the_time_that_the_config_gives(
    proxy: AdminProxy, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_api, "TIMEOUT_SECONDS", (0.3, 0.3))
    proxy.delay = 0.6
    assert "no response in time. Check Kong and its database, or wait longer with kongAdminTimeout" in failure(
        proxy
    )
    assert works(proxy, gateway, timeoutMs="5000")  # the SDK sends a provider's inputs as strings
