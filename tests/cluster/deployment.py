"""The stack on a cluster of this machine, and what is looked at and changed behind its back."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from local.cluster.layout import BRIDGE, KUBECONFIG, NODES
from local.cluster.node import cgroups
from local.processes import list_processes
from local.workspace import ROOT
from tests.stack.clone import Clone

SAME = "preview --refresh --run-program --expect-no-changes"


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
        selector = f"--selector=app.kubernetes.io/instance={self.stack}"
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", selector, "--output=json"))["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

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
