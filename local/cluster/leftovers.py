"""What a broken run left in the cluster: objects that are the stack's by their labels, and not in its state."""

import json
from typing import Any

from local.cluster.lifecycle import kubectl
from local.console import say
from local.kubectl import selector
from local.workspace import Workspace

KINDS = "deployment,service,secret,networkpolicy,poddisruptionbudget,horizontalpodautoscaler"


def remove_unfinished(workspace: Workspace, resources: list[dict[str, Any]]) -> None:
    """Remove the stack's objects that its state lacks.

    The next `up` would take over those with a fixed name. But a Secret has another name in each run, and where no
    `up` follows, a destroy knows nothing of any.
    """
    known = {
        (resource["type"].rpartition(":")[2], resource["id"])
        for resource in resources
        if resource["type"].startswith("kubernetes:") and "id" in resource
    }
    found = json.loads(kubectl("get", KINDS, "--all-namespaces", selector(workspace), "--output=json"))
    for item in found["items"]:
        kind, namespace, name = item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]
        if (kind, f"{namespace}/{name}") not in known:
            say(f"Removing {kind} {name}, which a broken run left unfinished")
            kubectl("delete", kind, name, f"--namespace={namespace}")
