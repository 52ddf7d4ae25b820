"""A stack's pods: how each one is, and why one is not ready, of which a rollout that fails says little."""

import json
from collections.abc import Iterator
from typing import Any

from local.kubectl import kubectl, selector
from local.workspace import LocalError, Workspace

LINES = 20
Facts = dict[str, Any]


def list_pods(workspace: Workspace) -> list[Facts]:
    """Return the stack's pods that are not being stopped, as Kubernetes has them."""
    listed = kubectl(workspace, "get", "pods", selector(workspace), "--output=json")
    pods = [pod for pod in json.loads(listed)["items"] if "deletionTimestamp" not in pod["metadata"]]
    return sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))


def count_wanted(workspace: Workspace) -> int:
    """Return how many pods the Deployment is to have, which an autoscaler may have changed; 0 without one."""
    output = "--output=jsonpath={.items[*].spec.replicas}"
    return int(kubectl(workspace, "get", "deployments", selector(workspace), output) or 0)


def describe(pod: Facts, image: str) -> Facts:
    """Return what `make status` shows of a pod; `image` is what is deployed."""
    container = read_container(pod)
    actual = pod["spec"]["containers"][0]["image"]
    health = "healthy" if container.get("ready") else _find_reason(pod, container)[0]
    return {
        "ok": health == "healthy" and actual == image,
        "name": pod["metadata"]["name"],
        "health": health,
        "version": actual.rpartition(":")[2][:16],
        "deployed": actual == image,
        "restarts": container.get("restartCount", 0),
        "startedAt": pod["metadata"]["creationTimestamp"],
    }


def read_container(pod: Facts) -> Facts:
    """Return the status of a pod's container; empty before a node has it."""
    statuses: list[Facts] = pod["status"].get("containerStatuses") or [{}]
    return statuses[0]


def explain_unready(workspace: Workspace) -> str:
    """Return why each unready pod is not ready, with its last log lines; empty without any."""
    try:
        pods = [pod for pod in list_pods(workspace) if not read_container(pod).get("ready")]
        return "\n".join(line for pod in pods for line in _explain(workspace, pod))
    except LocalError as error:
        return f"The pods can't be inspected: {error}"


def _explain(workspace: Workspace, pod: Facts) -> Iterator[str]:
    name, container = pod["metadata"]["name"], read_container(pod)
    reason, message = _find_reason(pod, container)
    yield f"Pod {name} is not ready ({reason}){f': {message}' if message else ''}"
    if warning := _last_warning(workspace, name):
        yield f"  Last warning of Kubernetes: {warning}"
    if not (container.get("state", {}).get("running") or container.get("restartCount")):
        return  # it never ran, so it has no log
    # A container that ended is started again, so its reason is in the log of the previous one.
    previous = [] if container["state"].get("running") else ["--previous"]
    yield "  Last log lines:"
    for line in kubectl(workspace, "logs", name, f"--tail={LINES}", *previous).splitlines() or ["none"]:
        yield f"    {line}"


def _find_reason(pod: Facts, container: Facts) -> tuple[str, str]:
    """Return Kubernetes' word for why a pod is not ready, and its message."""
    state = container.get("state", {})
    for found in (state.get("waiting"), state.get("terminated"), *pod["status"].get("conditions", ())):
        if found and found.get("status") != "True" and found.get("reason"):
            return found["reason"], found.get("message", "").strip()
    return pod["status"].get("phase", "Pending"), ""


def _last_warning(workspace: Workspace, name: str) -> str:
    """Return the message of a pod's last warning, such as the output of a failed probe."""
    # A cluster without DNS warns of that at each look at a pod.
    only = f"--field-selector=type=Warning,reason!=MissingClusterDNS,involvedObject.name={name}"
    found: list[Facts] = json.loads(kubectl(workspace, "get", "events", only, "--output=json"))["items"]
    found.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return str(found[-1]["message"]).strip() if found else ""
