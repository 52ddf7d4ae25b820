"""What a node runs: containerd, kubelet and kube-proxy, in namespaces of its own."""

import json
from pathlib import Path

import yaml

from local.cluster.control import PKI, command
from local.cluster.layout import (
    HOST,
    KUBECONFIG,
    PAUSE_IMAGE,
    REGISTRY,
    REGISTRY_PORT,
    Node,
)

SYSCTLS = {
    "kernel/keys/root_maxbytes": 25_000_000,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
}
"""What the kubelet sets for the whole machine. It finds these values in files of the node's own instead."""

SOCKET = "unix:///run/containerd/containerd.sock"
CNI_PLUGINS = "/usr/lib/cni"  # as Debian has them
CONTAINERD = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_plugins}"
conf_dir = "{folder}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{folder}/registries"
"""
MIRROR = """\
server = "{url}"
[host."{url}"]
capabilities = ["pull", "resolve"]
"""


def prepare(node: Node) -> dict[str, list[str]]:
    """Write what the node's programs read; return their commands by name."""
    for folder in ("lib", "log", "cni", f"registries/{REGISTRY}"):
        (node.folder / folder).mkdir(parents=True, exist_ok=True)
    _create_cgroup(node)
    containerd = node.folder / "containerd.toml"
    containerd.write_text(CONTAINERD.format(pause=PAUSE_IMAGE, cni_plugins=CNI_PLUGINS, folder=node.folder))
    mirror = MIRROR.format(url=f"http://{HOST}:{REGISTRY_PORT}")
    (node.folder / "registries" / REGISTRY / "hosts.toml").write_text(mirror)
    (node.folder / "cni" / "10-bridge.conflist").write_text(json.dumps(_pod_network(node)))
    kubelet = _write_yaml(node.folder / "kubelet.yaml", _kubelet(node))
    proxy = _write_yaml(node.folder / "kube-proxy.yaml", _kube_proxy(node))
    return {
        "containerd": ["containerd", "--config", str(containerd)],
        "kubelet": command(
            "kubelet",
            {
                "config": kubelet,
                "kubeconfig": node.kubeconfig,
                "hostname-override": node.name,
                "node-ip": node.address,
            },
        ),
        "kube-proxy": command("kube-proxy", {"config": proxy}),
    }


def _write_yaml(file: Path, content: object) -> Path:
    file.write_text(yaml.safe_dump(content))
    return file


def cgroups(node: Node) -> list[Path]:
    """Return the node's control group in each hierarchy that this machine has."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root / node.cgroup[1:]]
    return [folder / node.cgroup[1:] for folder in root.iterdir() if folder.is_dir() and not folder.is_symlink()]


def mounts(node: Node) -> dict[str, str]:
    """Write the files that the node has in other places than this machine; return the place of each."""
    folder = node.folder / "sysctl"
    folder.mkdir(exist_ok=True)
    places = {str(node.folder / "lib"): "/var/lib", str(node.folder / "log"): "/var/log"}
    for name, value in SYSCTLS.items():
        file = folder / Path(name).name
        file.write_text(f"{value}\n")
        places[str(file)] = f"/proc/sys/{name}"
    return places


def _create_cgroup(node: Node) -> None:
    for folder in cgroups(node):
        folder.mkdir(exist_ok=True)


def _pod_network(node: Node) -> dict[str, object]:
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": node.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "loopback"},
        ],
    }


def _kubelet(node: Node) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(PKI / "ca.crt")},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": node.cgroup,
        "containerRuntimeEndpoint": SOCKET,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "registerWithTaints": [],
        "nodeStatusUpdateFrequency": "3s",
    }


def _kube_proxy(node: Node) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": node.address,
        "clientConnection": {"kubeconfig": str(KUBECONFIG)},
        "clusterCIDR": node.pods,
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": f"{node.address}:10256",
        "hostnameOverride": node.name,
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "iptables",
        "oomScoreAdj": 0,
    }
