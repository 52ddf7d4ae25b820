"""`make cluster` and `make cluster-down`."""

import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import docker

from local import docker_engine
from local.cluster import control, named, node, parts, programs
from local.cluster.layout import BINARY, DATA, FOLDER, KUBECONFIG, NAMESPACE, NODES, PAUSE, PAUSE_IMAGE
from local.console import run, say, step
from local.images import has_image
from local.workspace import LocalError, Workspace

READY_SECONDS = 180


def up(workspace: Workspace) -> None:
    """Start a cluster with two nodes, or prepare the one that the stack names.

    Safe to repeat: a cluster that is ready is left alone, any other made again.
    """
    if named.is_named(workspace):
        named.prepare(workspace)
        return
    _require_ours()
    if parts.is_complete() and _ready_nodes() == len(NODES):
        named.create_namespace(NAMESPACE, kubectl)  # unless an earlier run was killed before it did
        say("The cluster runs already, and both nodes are ready")
        return
    programs.install()
    parts.remove(keep=DATA)
    client = docker_engine.start()
    with step("Starting the control plane, a registry and PostgreSQL"):
        commands = control.prepare()
        parts.create_bridge()
        parts.start("control", commands, {str(DATA): "/var/lib"})
        _wait("the API server", lambda: _kubectl_answers("get", "--raw", "/readyz"))
    _push_pause(client)
    with step("Starting two nodes"):
        for each in NODES:
            parts.start(each.name, node.prepare(each), node.mounts(each), on_bridge=each)
        _wait("both nodes", lambda: _ready_nodes() == len(NODES))
    named.create_namespace(NAMESPACE, kubectl)
    say(f"The cluster is ready. Its kubeconfig: {KUBECONFIG}. To deploy to it: make up STACK=cluster")


def is_running() -> bool:
    """Return whether the cluster of this machine runs."""
    return parts.is_complete()


def require_running() -> None:
    """Raise `LocalError` unless the cluster runs."""
    if not is_running():
        raise LocalError("the cluster of this machine does not run. Start it first: make cluster")


def down(workspace: Workspace) -> None:
    """Remove the cluster and all that it left on this machine."""
    if named.is_named(workspace):
        raise LocalError(
            f"stack {workspace.stack} names a cluster that `make cluster` did not start, so it is left alone. To "
            f"remove the stack from it: make down STACK={workspace.stack}"
        )
    _require_ours()
    parts.remove()
    say("Removed the cluster. Its programs are kept, which speeds up the next `make cluster`")


def _require_ours() -> None:
    owner = parts.owner()
    if owner and owner != str(FOLDER) and Path(owner).exists():
        raise LocalError(f"the cluster of this machine belongs to the clone in {Path(owner).parent.parent}")


def kubectl(*arguments: str) -> str:
    """Run kubectl on the cluster; its output."""
    return run([str(BINARY), "kubectl", f"--kubeconfig={KUBECONFIG}", *arguments], log="kubectl")


def _kubectl_answers(*arguments: str) -> bool:
    try:
        kubectl(*arguments)
    except LocalError:
        return False
    return True


def _ready_nodes() -> int:
    try:
        ready = kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}")
    except LocalError:
        return 0
    return ready.split().count("True")


def _wait(what: str, is_ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready():
        if time.monotonic() > deadline:
            raise LocalError(f"{what} did not become ready in {READY_SECONDS} s: see the logs in {FOLDER}/*/log")
        time.sleep(1)


def _push_pause(client: docker.DockerClient) -> None:
    """Put the image that holds each pod's namespaces into the registry."""
    repository, tag = PAUSE_IMAGE.rsplit(":", 1)
    if not has_image(client, PAUSE_IMAGE):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(PAUSE, "pause")
        client.api.import_image_from_data(
            archive.getvalue(), repository=repository, tag=tag, changes=['ENTRYPOINT ["/pause"]', "USER 65535"]
        )
    for event in client.images.push(repository, tag, stream=True, decode=True):
        if "error" in event:
            raise LocalError(f"{PAUSE_IMAGE} can't be pushed: {event['error']}")
