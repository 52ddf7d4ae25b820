"""The stack on a cluster of this machine, and what is looked at and changed behind its back."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from local.cluster.layout import BRIDGE, DATA, KUBECONFIG, NODES
from local.cluster.node import cgroups
from local.processes import list_processes
from local.workspace import ROOT
from tests.stack.clone import Clone
from tests.waiting import wait_for

SAME = "preview --refresh --run-program --expect-no-changes"


REPOSITORIES = "docker/registry/v2/repositories"
REPLACED_SECONDS = 120
"""A lost node is noticed after 12 s, and its pods are replaced 5 s later."""


class Deployment(Clone):
    """A clone whose stack is on a cluster of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        shutil.copy(folder / "Pulumi.cluster.yaml", self.file)
        self.objects = f"session-context-{self.stack}"
        """The name of the stack's objects in the cluster."""

    def make_cluster(self) -> None:
        """Start the cluster, however long its programs take to build."""
        subprocess.run(["make", "cluster"], cwd=self.folder, env=self.environment(), check=True)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the stack's namespace; return its output."""
        kubeconfig = self.folder / KUBECONFIG.relative_to(ROOT)
        command = ["kubectl", f"--kubeconfig={kubeconfig}", "--namespace=session-context", *arguments]
        path = f"{self.folder / '.local' / 'bin'}:{self.environment()['PATH']}"
        done = subprocess.run(
            command, env=self.environment() | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pods(self) -> list[dict[str, Any]]:
        """Return the stack's pods that are not being deleted."""
        return [pod for pod in self._all_pods() if "deletionTimestamp" not in pod["metadata"]]

    def has_old_pods(self) -> bool:
        """Return whether pods are being deleted: they still serve what comes on the gateway's open connections."""
        return any("deletionTimestamp" in pod["metadata"] for pod in self._all_pods())

    def _all_pods(self) -> list[dict[str, Any]]:
        selector = f"--selector=app.kubernetes.io/instance={self.stack}"
        pods: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", selector, "--output=json"))["items"]
        return pods

    def ready_pods(self) -> int:
        """Return how many of those pods are ready."""
        conditions = [condition for pod in self.pods() for condition in pod["status"].get("conditions", ())]
        return sum((each["type"], each["status"]) == ("Ready", "True") for each in conditions)

    def kill_pod(self) -> None:
        """Kill, with -9, the service's process in one of the pods."""
        uid = self.pods()[0]["metadata"]["uid"]
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if uid in Path(f"/proc/{process.pid}/cgroup").read_text() and "service" in process.cmdline():
                    process.kill()

    @contextmanager
    def node_cut_off(self) -> Iterator[None]:
        """Cut a node off, as one whose cable was pulled, until its pods are replaced; then connect it again."""
        node, replicas = NODES[-1], len(self.pods())
        subprocess.run(["ip", "link", "set", node.link, "down"], check=True)
        try:
            yield
            wait_for(lambda: self.nodes_of_pods() == [NODES[0].name] * replicas, REPLACED_SECONDS)
            wait_for(lambda: self.ready_pods() == replicas, REPLACED_SECONDS)
        finally:
            subprocess.run(["ip", "link", "set", node.link, "up"], check=True)
            self.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s")

    def nodes_of_pods(self) -> list[str]:
        """Return the node of each pod, sorted."""
        return sorted(str(pod["spec"].get("nodeName")) for pod in self.pods())

    def engines(self) -> list[int]:
        """Return the pulumi processes that update this stack."""
        return [pid for pid, command in list_processes() if "pulumi up --yes" in command and self.stack in command]

    def lose_images(self) -> None:
        """Remove all that was pushed to the cluster's registry, except what holds pods' namespaces."""
        shutil.rmtree(self.folder / DATA.relative_to(ROOT) / "registry" / REPOSITORIES / "session-context-api")

    def images(self) -> set[str]:
        """Return the images of the stack's pods."""
        return {container["image"] for pod in self.pods() for container in pod["spec"]["containers"]}


def traces() -> list[str]:
    """Return what a cluster has left on this machine."""
    programs = [line for _, line in list_processes() if "/.local/cluster/" in line]
    links = [link.name for link in Path("/sys/class/net").iterdir() if link.name.startswith(BRIDGE)]
    groups = [str(folder) for node in NODES for folder in cgroups(node) if folder.exists()]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "/.local/cluster/" in line]
    return [*programs, *links, *groups, *mounts]
