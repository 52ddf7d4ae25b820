"""Where the cluster's parts are: folders of this clone, and addresses on a bridge of this machine."""

from dataclasses import dataclass
from pathlib import Path

from local.workspace import CACHE, STATE

VERSION = "1.34.4"
BINARY = CACHE / f"kubernetes-{VERSION}" / "kubernetes"
PAUSE = CACHE / f"kubernetes-{VERSION}" / "pause"
FOLDER = STATE / "cluster"
KUBECONFIG = FOLDER / "admin.kubeconfig"
CONTEXT = "session-context-local"
NAMESPACE = "session-context"

BRIDGE = "sc-cluster"
SUBNET = "10.89.77.0/24"
HOST = "10.89.77.1"
SERVICES = "10.89.80.0/24"
API_SERVER = f"https://{HOST}:6443"
ETCD_PORT, ETCD_PEER_PORT = 12379, 12380
DATABASE_PORT = 15432
REGISTRY_PORT = 15000
REGISTRY = f"127.0.0.1:{REGISTRY_PORT}"
"""As Docker pushes to it. The nodes reach the same registry at the bridge's address, as a mirror of this name."""

PAUSE_IMAGE = f"{REGISTRY}/pause:{VERSION}"


@dataclass(frozen=True)
class Node:
    """A node: a network namespace with an address on the bridge, and addresses for its pods."""

    number: int

    @property
    def name(self) -> str:
        return f"node-{self.number}"

    @property
    def address(self) -> str:
        return f"10.89.77.{10 + self.number}"

    @property
    def link(self) -> str:
        """The end of its network link that is on this machine."""
        return f"{BRIDGE}-{self.number}"

    @property
    def pods(self) -> str:
        return f"10.89.{80 + self.number}.0/24"

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def kubeconfig(self) -> Path:
        """What its kubelet calls the API server with."""
        return self.folder / f"{self.name}.kubeconfig"

    @property
    def cgroup(self) -> str:
        return f"/session-context-{self.name}"


NODES = (Node(1), Node(2))
CONTROL = FOLDER / "control"
DATA = FOLDER / "data"
"""The registry's images and the database, which a cluster that is made again still has."""
