"""The rules for containers."""

import re
from collections.abc import Iterator, Mapping

from infra.config.publish import is_private_address
from infra.policy.declared import Declared, rule
from infra.props import UNKNOWN

CONTAINER = "docker:index/container:Container"
PINNED = re.compile(r"(.+@)?sha256:[0-9a-f]{64}|.+:[0-9a-f]{16,64}")


@rule("no-published-port", "The public reaches containers through the gateway only.", CONTAINER)
def no_published_port(container: Declared) -> Iterator[str]:
    ports = container.get("ports")
    for port in ports if isinstance(ports, list) else []:
        address = port.get("ip") if isinstance(port, Mapping) else None
        if UNKNOWN not in (port, address) and not is_private_address(str(address)):
            where = address or "every address of its host"
            yield f"publishes a port at {where}; set a private `ip` in `ports`, or leave `ports` out"
    if container.get("publishAllPorts") is True:
        yield "publishes all ports; remove `publishAllPorts`"
    if container.get("networkMode") == "host":
        yield "uses the host network; set `networksAdvanced` instead of `networkMode`"


@rule("no-root", "Containers run as an unprivileged user.", CONTAINER)
def not_root(container: Declared) -> Iterator[str]:
    user = container.get("user")
    if not _runs(container) or user == UNKNOWN:
        return
    name = str(user or "").partition(":")[0]
    if name in ("", "root") or (name.isdecimal() and int(name) == 0):
        yield "runs as root; set `user`, for example to 10001:10001"


@rule("read-only-root", "A process in a container can't change its own program.", CONTAINER)
def read_only_root(container: Declared) -> Iterator[str]:
    if _runs(container) and container.get("readOnly") not in (True, UNKNOWN):
        yield "its root filesystem is writable; set `readOnly`, and use a volume or `tmpfs` for what it writes"


@rule("limits", "No container can use up the memory, the disk or the processes of the others.", CONTAINER)
def limits(container: Declared) -> Iterator[str]:
    if not _runs(container):
        return
    for name in ("memory", "memorySwap"):
        limit = container.get(name)
        if limit != UNKNOWN and not (isinstance(limit, int | float) and limit > 0):
            yield f"has no memory limit; set `{name}`, in MB"
    ulimits = container.get("ulimits")
    if ulimits != UNKNOWN and any(
        isinstance(each, Mapping) and each.get("name") == "nproc" for each in ulimits or []
    ):
        yield "nproc counts the processes of its user in all containers of the host; remove it from `ulimits`"
    options = container.get("logOpts") or {}
    if container.get("logDriver") in (None, "json-file") and options != UNKNOWN and "max-size" not in options:
        yield "its log may fill the disk; set max-size in `logOpts`"


@rule("pinned-image", "The image that was reviewed is the one that runs.", CONTAINER)
def pinned_image(container: Declared) -> Iterator[str]:
    image = container.get("image")
    if image != UNKNOWN and not PINNED.fullmatch(str(image)):
        yield f"the tag of image {image} is mutable; use a digest, or a tag that is a hash of the content"


def _runs(container: Declared) -> bool:
    return container.get("start") is not False  # one that is never started only has files
