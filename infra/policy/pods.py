"""The rules for pods, and for the Services that lead to them."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.policy.containers import PINNED
from infra.policy.declared import Declared, rule
from infra.props import UNKNOWN

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"


@rule("hardened-pods", "A pod can't change its own program or its node, or use up the node's memory.", DEPLOYMENT)
def hardened(deployment: Declared) -> Iterator[str]:
    pod = _pod(deployment)
    if _get(pod, "hostNetwork") is True:
        yield "its pods use the network of their node; remove `hostNetwork`"
    if _get(pod, "automountServiceAccountToken") not in (False, UNKNOWN):
        yield "its pods can call the cluster's API; set `automountServiceAccountToken` to false"
    for container in _containers(deployment):
        security = _get(container, "securityContext")
        if True not in (_get(pod, "securityContext", "runAsNonRoot"), _get(security, "runAsNonRoot")):
            yield "may run as root; set `runAsNonRoot`"
        if _get(security, "readOnlyRootFilesystem") not in (True, UNKNOWN):
            yield "its root filesystem is writable; set `readOnlyRootFilesystem`, and mount what it writes to"
        if _get(security, "allowPrivilegeEscalation") not in (False, UNKNOWN):
            yield "may gain privileges; set `allowPrivilegeEscalation` to false"
        if not _get(container, "resources", "limits", "memory"):
            yield "has no memory limit; set `resources.limits.memory`"


@rule("pinned-image-in-pods", "The image that was reviewed is the one that runs, in pods as well.", DEPLOYMENT)
def pinned_image(deployment: Declared) -> Iterator[str]:
    for container in _containers(deployment):
        image = _get(container, "image")
        if image != UNKNOWN and not PINNED.fullmatch(str(image)):
            yield f"image {image} can change; use a digest, or a tag that is a hash of its content"


@rule("no-load-balancer", "Pods are reachable through the gateway only.", SERVICE)
def no_load_balancer(service: Declared) -> Iterator[str]:
    if _get(service.get("spec"), "type") == "LoadBalancer":
        yield "is public beside the gateway; set `type` to ClusterIP or NodePort"


def _get(value: Any, *path: str) -> Any:  # noqa: ANN401 - JSON
    """Return a value inside another: None if it is left out, `UNKNOWN` if only an `up` will know it."""
    for name in path:
        if value == UNKNOWN:
            return UNKNOWN
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _pod(deployment: Declared) -> Any:  # noqa: ANN401 - JSON
    return _get(deployment.get("spec"), "template", "spec")


def _containers(deployment: Declared) -> list[Any]:
    lists = [_get(_pod(deployment), name) for name in ("initContainers", "containers")]
    return [container for found in lists if isinstance(found, list) for container in found]
