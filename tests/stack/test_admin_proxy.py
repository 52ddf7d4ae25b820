"""A stack whose Admin API is behind a company's proxy, deployed by the real engine."""

from pathlib import Path
from uuid import uuid4

from tests.certificates import certificate
from tests.infra.kong.admin_proxy import AdminProxy
from tests.stack.clone import NO_CHANGES, Clone


def test_a_stack_is_deployed_through_a_proxy_that_demands_everything(redeployed: Clone, tmp_path: Path) -> None:
    clone = redeployed
    pem, key = certificate("pulumi")
    password, token = (f"canary{uuid4().hex}" for _ in range(2))
    proxy = AdminProxy(clone.admin, tmp_path)
    proxy.prefix = "/team-a"
    proxy.demand_client_certificate(pem)
    proxy.demand_user("deployer", password)
    proxy.headers["Kong-Admin-Token"] = token
    clone.set("kongAdminUrl", proxy.url)
    clone.set("kongAdminCa", str(proxy.ca_file))
    clone.set("kongAdminUser", "deployer")
    clone.set("kongAdminTimeout", 20_000)
    clone.set("requestsPerMinute", 6000)
    secrets = {
        "kongAdminClientCertificate": pem,
        "kongAdminClientKey": key,
        "kongAdminPassword": password,
        "kongAdminToken": token,
    }
    for name, value in secrets.items():
        file = tmp_path / name
        file.write_text(value)
        clone.shell(f"pulumi config set --secret {name} < {file}")
    with proxy.serving():
        printed = clone.pulumi("preview --diff --refresh --run-program")
        printed += clone.pulumi("up --yes --skip-preview --refresh --run-program")
        printed += clone.pulumi(f"{NO_CHANGES} --diff") + clone.pulumi("stack export")
        printed += clone.file.read_text()
    plugins = clone.kong(f"/services/{clone.outputs()['kong']['service']}/plugins")["data"]
    assert "rate-limiting" in {plugin["name"] for plugin in plugins}
    assert [part for part in (password, token, *key.splitlines()[1:-1]) if part in printed] == []
