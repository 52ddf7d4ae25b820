"""The changes that a reviewer should look at first, and why."""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

from infra.report.escape import code
from infra.report.preview import Change

RESTRICTING = frozenset(
    {
        "acl",
        "basic-auth",
        "bot-detection",
        "hmac-auth",
        "ip-restriction",
        "jwt",
        "key-auth",
        "ldap-auth",
        "oauth2",
        "rate-limiting",
        "request-size-limiting",
        "request-termination",
    }
)
MATCHERS = (
    "hosts", "paths", "methods", "headers", "snis", "protocols", "sources", "destinations",
    "https_redirect_status_code", "strip_path",
)  # fmt: skip
MAX_PATHS = 5


class Risk(IntEnum):
    """The worst first."""

    DATA = 0
    DELETE = 1
    REPLACE = 2
    DNS = 3
    TRAFFIC = 4
    PROTECTION = 5


def find_risks(change: Change) -> Iterator[tuple[Risk, str]]:
    """Find out why a change is risky; each reason continues a sentence that begins with the resource."""
    if change.old.get("protect") and change.new and not change.new.get("protect"):
        yield Risk.PROTECTION, "is no longer protected"
    if change.is_component or change.action in ("same", "read"):
        return
    is_record = change.type.startswith("aws:route53/")
    if change.action in ("delete", "replace"):
        reasons = _list([each.path for each in change.properties if each.replaces])
        done = f"is {change.action}d{f' because of {reasons}' if reasons else ''}"
        if is_record:
            yield Risk[change.action.upper()], f"{done}, which {_record(change)}"
        elif change.type == "docker:index/volume:Volume":
            yield Risk.DATA, f"{done}, with all its data"
        else:
            yield Risk[change.action.upper()], done
    elif is_record:
        yield Risk.DNS, _record(change)
    if (judge := TRAFFIC.get(change.type)) and change.action != "delete":
        yield from ((Risk.TRAFFIC, reason) for reason in judge(change))


def _record(change: Change) -> str:
    def describe(get: Callable[[str], Any]) -> str:
        values = get("records") or get("aliases") or []
        return code(f"{get('name')} {get('type')} {', '.join(map(str, values))}")

    if change.action == "delete":
        return f"removes {describe(change.before)} from public DNS"
    if change.action == "create":
        return f"adds {describe(change.after)} to public DNS"
    before, after = describe(change.before), describe(change.after)
    if before == after:
        return f"changes {_changed(change)} in public DNS"
    return f"changes public DNS: {before} becomes {after}"


def _changed(change: Change) -> str:
    return _list([each.path for each in change.properties])


def _list(paths: list[str]) -> str:
    more = [f"{len(paths) - MAX_PATHS} more"] if len(paths) > MAX_PATHS else []
    return ", ".join([*map(code, paths[:MAX_PATHS]), *more])


def _becomes(change: Change, name: str) -> str:
    return f"{name} {code(change.before(name))} becomes {code(change.after(name))}"


def _route(change: Change) -> Iterator[str]:
    if change.action not in ("update", "replace"):
        return
    for name in MATCHERS:
        if change.changes(name):
            yield f"matches other requests: {_becomes(change, name)}"
    if change.changes("service"):
        yield "forwards to another service"


def _service(change: Change) -> Iterator[str]:
    if change.changes("enabled") and change.after("enabled") is False:
        yield "is disabled"
    for name in ("protocol", "host", "port", "path"):
        if change.changes(name):
            yield f"forwards requests elsewhere: {_becomes(change, name)}"


def _plugin(change: Change) -> Iterator[str]:
    name = change.after("name")
    if name not in RESTRICTING:
        return
    if change.after("enabled") is False:
        if change.changes("enabled"):
            yield f"no longer rejects requests ({code(name)})"
        return
    if change.action == "create" or (change.changes("enabled") and change.before("enabled") is False):
        yield f"starts to reject requests ({code(name)})"
    elif change.properties:
        yield f"may reject different requests ({code(name)}: {_changed(change)})"


def _target(change: Change) -> Iterator[str]:
    if change.changes("weight") and change.after("weight") == 0:
        yield "receives no more requests"


def _key(change: Change) -> Iterator[str]:
    if change.changes("key") or change.changes("consumer"):
        yield "changes, so the clients' current key stops working"


def _certificate(change: Change) -> Iterator[str]:
    if any(map(change.changes, ("cert", "key", "name", "certificate"))):
        yield "presents another certificate to clients"


def _deployment(change: Change) -> Iterator[str]:
    for each in change.properties:
        if each.path.endswith(".image"):
            yield f"rolls out another image: {code(each.old)} becomes {code(each.new)}"
        elif each.path == "spec.replicas":
            yield f"gets another number of pods: {code(each.old)} becomes {code(each.new)}"


def _pod_access(change: Change) -> Iterator[str]:
    if change.changes("spec"):
        yield f"lets requests reach the pods in another way: {_changed(change)}"


def _kong(change: Change) -> Iterator[str]:
    if change.changes("adminUrl"):
        yield f"manages another gateway: {_becomes(change, 'adminUrl')}"


TRAFFIC: dict[str, Callable[[Change], Iterator[str]]] = {
    "kong:index:KongRoute": _route,
    "kong:index:KongService": _service,
    "kong:index:KongPlugin": _plugin,
    "kong:index:KongTarget": _target,
    "kong:index:KongKey": _key,
    "kong:index:KongCertificate": _certificate,
    "kong:index:KongSni": _certificate,
    "kubernetes:apps/v1:Deployment": _deployment,
    "kubernetes:core/v1:Service": _pod_access,
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": _pod_access,
    "pulumi:providers:kong": _kong,
}
"""By type: how a change could prevent requests from being answered, or admit others."""
