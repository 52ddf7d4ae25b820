"""The programs that the cluster is made of: Debian's packages, and Kubernetes built from its Go module."""

import shutil
from pathlib import Path

from local.cluster.layout import BINARY, PAUSE, VERSION
from local.console import step
from local.debian import can_install, install_packages
from local.go_programs import build, find_command, link
from local.workspace import BIN, ROOT, LocalError

SOURCE = ROOT / "offline" / "cluster"
PACKAGES = {
    "containerd": "containerd",
    "conntrack": "conntrack",
    "docker-registry": "docker-registry",
    "etcd": "etcd-server",
    "iptables": "iptables",
    "runc": "runc",
    "unshare": "util-linux",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/usr/lib/postgresql": "postgresql",
}
"""By a program or file of each."""


def install() -> None:
    """Install what is missing. Raises `LocalError` where they can't be installed."""
    if not can_install():
        raise LocalError(
            "`make cluster` is made of Debian's packages, so it needs Debian, as root. On other machines use a "
            "cluster of your own: docs/kubernetes.md"
        )
    missing = [package for program, package in PACKAGES.items() if not _is_there(program)]
    if missing:
        with step(f"Installing {' '.join(missing)}"):
            install_packages(*missing)
    build(
        BINARY,
        SOURCE,
        ".",
        takes="about 10 minutes and 3 GB of memory",
        flags=f"-X k8s.io/component-base/version.gitVersion=v{VERSION}",
    )
    build(PAUSE, SOURCE, "./pause", takes="a few seconds", environment={"CGO_ENABLED": "0"})
    if not find_command("kubectl"):
        link(BIN / "kubectl", BINARY)


def _is_there(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program) is not None
