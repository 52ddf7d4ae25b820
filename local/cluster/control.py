"""The control plane, with the registry and the PostgreSQL that belong to the platform."""

import json
import shutil
from pathlib import Path

from local.cluster.certificates import Authority
from local.cluster.layout import (
    BINARY,
    CONTROL,
    DATA,
    DATABASE_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    HOST,
    KUBECONFIG,
    NODES,
    REGISTRY,
    REGISTRY_PORT,
    SERVICES,
    SUBNET,
)

PKI = CONTROL / "pki"
USER = "session_context"  # without a password: only this machine reaches the bridge


def prepare() -> dict[str, list[str]]:
    """Write what the control plane's programs read; return their commands by name."""
    for folder in (PKI, DATA / "registry"):
        folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(PKI)
    authority.issue("apiserver", user="kube-apiserver", addresses=(HOST, SERVICES.replace(".0/24", ".1")))
    authority.issue("kubelet-client", user="kube-apiserver", groups=("system:masters",))
    authority.issue("service-accounts", user="service-accounts")
    authority.issue_kubeconfig(KUBECONFIG, user="admin", groups=("system:masters",))
    for node in NODES:
        node.folder.mkdir(exist_ok=True)
        authority.issue_kubeconfig(node.kubeconfig, user=f"system:node:{node.name}", groups=("system:nodes",))
    return {
        "etcd": _etcd(),
        **_kubernetes(),
        "registry": ["docker-registry", "serve", _registry_config(REGISTRY)],
        "registry-for-nodes": ["docker-registry", "serve", _registry_config(f"{HOST}:{REGISTRY_PORT}")],
        "postgresql": _postgresql(),
    }


def _etcd() -> list[str]:
    urls, peers = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"
    return [
        "etcd",
        "--data-dir=/run/etcd",  # in memory: the cluster begins anew with the control plane
        f"--listen-client-urls={urls}",
        f"--advertise-client-urls={urls}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def _kubernetes() -> dict[str, list[str]]:
    accounts = PKI / "service-accounts"
    api_server = {
        "etcd-servers": f"http://127.0.0.1:{ETCD_PORT}",
        "bind-address": HOST,
        "advertise-address": HOST,
        "service-cluster-ip-range": SERVICES,
        "authorization-mode": "Node,RBAC",
        "kubelet-preferred-address-types": "InternalIP",
        "enable-admission-plugins": "NodeRestriction",
        "client-ca-file": PKI / "ca.crt",
        "tls-cert-file": PKI / "apiserver.crt",
        "tls-private-key-file": PKI / "apiserver.key",
        "kubelet-client-certificate": PKI / "kubelet-client.crt",
        "kubelet-client-key": PKI / "kubelet-client.key",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": f"{accounts}.crt",
        "service-account-signing-key-file": f"{accounts}.key",
    }
    controllers = {
        "kubeconfig": KUBECONFIG,
        "bind-address": "127.0.0.1",
        "leader-elect": "false",
        "root-ca-file": PKI / "ca.crt",
        "service-account-private-key-file": f"{accounts}.key",
        # A lost node is noticed in 12 s, not in 50.
        "node-monitor-grace-period": "12s",
        "node-monitor-period": "2s",
    }
    scheduler = {"kubeconfig": KUBECONFIG, "bind-address": "127.0.0.1", "leader-elect": "false"}
    return {
        "kube-apiserver": command("kube-apiserver", api_server),
        "kube-controller-manager": command("kube-controller-manager", controllers),
        "kube-scheduler": command("kube-scheduler", scheduler),
    }


def command(program: str, flags: dict[str, object]) -> list[str]:
    """Return the command line of one of Kubernetes' programs."""
    return [str(BINARY), program, *(f"--{name}={value}" for name, value in flags.items())]


def _registry_config(address: str) -> str:
    file = CONTROL / f"registry-{address.partition(':')[0]}.json"  # JSON is YAML as well
    file.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "warn"},
                "storage": {
                    "filesystem": {"rootdirectory": str(DATA / "registry")},
                    "delete": {"enabled": True},
                },
                "http": {"addr": address, "secret": "one for both registries"},
            }
        )
    )
    return str(file)  # fmt: skip


def _postgresql() -> list[str]:
    """Return the server's command. It runs where `DATA` is /var/lib."""
    folder = DATA / "postgresql"
    folder.mkdir(exist_ok=True)
    shutil.chown(folder, "postgres")
    as_postgres = f"setpriv --reuid postgres --regid postgres --init-groups {_postgresql_binaries()}"
    script = (
        "cd /var/lib/postgresql\n"
        f"[ -d data ] || {{ rm -rf new && {as_postgres}/initdb -D new -U {USER} -E UTF8 -A trust --no-sync"
        f" && echo 'host all all {SUBNET} trust' >> new/pg_hba.conf && mv new data; }} || exit 1\n"
        f'exec {as_postgres}/postgres -D data -p {DATABASE_PORT} "$@"'
    )
    settings = {"listen_addresses": HOST, "unix_socket_directories": "", "max_connections": 300}
    flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return ["sh", "-c", script, "postgresql", *flags]


def _postgresql_binaries() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin"))
