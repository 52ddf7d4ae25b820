"""The rules for containers."""

import re
from collections.abc import Iterator, Mapping

from infra.policy.declared import Declared
from infra.props import UNKNOWN

PINNED = re.compile(r"(.+@)?sha256:[0-9a-f]{64}|.+:[0-9a-f]{16,64}")


def _runs(container: Declared) -> bool:
    return container.given("start") is not False  # one that is never started only holds files


def no_published_port(container: Declared) -> Iterator[str]:
    if container.given("ports") not in (None, [], UNKNOWN):
        yield "it publishes a port: remove `ports`, since the gateway reaches it in its own network"
    if container.given("publishAllPorts") is True:
        yield "it publishes all ports: remove `publishAllPorts`"
    if container.given("networkMode") == "host":
        yield "it shares the machine's network: name a network in `networksAdvanced` instead of `networkMode`"


def not_root(container: Declared) -> Iterator[str]:
    user = container.given("user")
    if not _runs(container) or user == UNKNOWN:
        return
    name = str(user or "").partition(":")[0]
    if name in ("", "root") or (name.isdecimal() and int(name) == 0):
        yield "it runs as root: set `user` to another, such as 10001:10001"


def read_only_root(container: Declared) -> Iterator[str]:
    if _runs(container) and container.given("readOnly") not in (True, UNKNOWN):
        yield "its root can be written to: set `readOnly`, and give what it writes a volume or `tmpfs`"


def limits(container: Declared) -> Iterator[str]:
    if not _runs(container):
        return
    for name in ("memory", "memorySwap"):
        limit = container.given(name)
        if limit != UNKNOWN and not (isinstance(limit, int | float) and limit > 0):
            yield f"it may take all memory: set `{name}`, in MB"
    ulimits = container.given("ulimits")
    if ulimits != UNKNOWN and any(_name(each) == "nproc" for each in ulimits or []):
        yield "nproc counts what its user runs in all containers of the machine: take it out of `ulimits`"
    options = container.given("logOpts") or {}
    if container.given("logDriver") in (None, "json-file") and options != UNKNOWN and "max-size" not in options:
        yield "its log may fill the disk: set max-size in `logOpts`"


def _name(item: object) -> object:
    return item.get("name") if isinstance(item, Mapping) else None


def pinned_image(container: Declared) -> Iterator[str]:
    image = container.given("image")
    if image != UNKNOWN and not PINNED.fullmatch(str(image)):
        yield f"the image {image} may be another one tomorrow: name it by digest or by a hash of its content"
