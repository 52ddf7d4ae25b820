"""The cluster's parts as processes: started in namespaces of their own, put on the bridge, and ended."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from local import processes
from local.cluster import node
from local.cluster.layout import BRIDGE, FOLDER, HOST, NODES, Node
from local.console import run
from local.waiting import attempts
from local.workspace import LOGS, LocalError

SUPERVISOR = Path(__file__).with_name("supervisor.py")
PARTS = ("control", *(each.name for each in NODES))
END_SECONDS = 20


def _spec(part: str) -> Path:
    return FOLDER / f"{part}.json"


def find(part: str) -> list[int]:
    """Return the processes of a part's supervisor, also of a clone whose folder was removed."""
    part_of_any_clone = re.compile(rf"/local/cluster/supervisor\.py /.*/{FOLDER.name}/{part}\.json$")
    return sorted(pid for pid, line in processes.list_processes() if part_of_any_clone.search(line))


def owner() -> str | None:
    """Return the folder of the cluster that runs on this machine, whichever clone's it is."""
    marker = "local/cluster/supervisor.py "
    lines = (line for _, line in processes.list_processes() if marker in line)
    return next((str(Path(line.rpartition(" ")[2]).parent) for line in lines), None)


def start(
    part: str, programs: dict[str, list[str]], mounts: dict[str, str], *, on_bridge: Node | None = None
) -> None:
    """Start a part: its programs, in namespaces for processes and mounts, and for the network as a node."""
    logs = FOLDER / part / "log"
    logs.mkdir(parents=True, exist_ok=True)
    _spec(part).write_text(json.dumps({"logs": str(logs), "mounts": mounts, "programs": programs}))
    flags = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *(["--net"] if on_bridge else [])]
    with (logs / "supervisor.log").open("ab") as log:
        outer = subprocess.Popen(
            ["unshare", *flags, sys.executable, "-I", str(SUPERVISOR), str(_spec(part))],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    if on_bridge:
        _connect(on_bridge, _inner(part, outer))
    assert outer.stdin is not None  # noqa: S101 - as PIPE above makes it
    outer.stdin.close()


def _inner(part: str, outer: subprocess.Popen[bytes]) -> int:
    """Return the process of the supervisor itself, which `unshare` has started in the new namespaces."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        with suppress(OSError):
            if found := children.read_text().split():
                return int(found[0])
        if outer.poll() is not None or time.monotonic() > deadline:
            raise LocalError(f"{part} of the cluster does not start: see {FOLDER / part / 'log'}")
        time.sleep(0.05)


def create_bridge() -> None:
    """Make the bridge that the nodes are on, with an address of this machine."""
    run(["ip", "link", "add", BRIDGE, "type", "bridge"], log="cluster-network")
    run(["ip", "address", "add", f"{HOST}/24", "dev", BRIDGE], log="cluster-network")
    run(["ip", "link", "set", BRIDGE, "up"], log="cluster-network")


def _connect(new: Node, pid: int) -> None:
    """Put the network namespace of a process on the bridge. It ends with that process."""
    run(
        ["ip", "link", "add", new.link, "type", "veth", "peer", "name", "eth0", "netns", str(pid)],
        log="cluster-network",
    )
    run(["ip", "link", "set", new.link, "master", BRIDGE, "up"], log="cluster-network")
    others = [each for each in NODES if each != new]
    for command in (
        "link set lo up",
        f"address add {new.address}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {HOST}",
        *(f"route add {each.pods} via {each.address}" for each in others),
    ):
        run(["nsenter", f"--target={pid}", "--net", "ip", *command.split()], log="cluster-network")


def is_complete() -> bool:
    """Whether all parts run."""
    return all(map(find, PARTS))


def remove(*, keep: Path | None = None) -> None:
    """End all that runs, and remove what no namespace took with it. Safe to repeat, whatever is left.

    Of the cluster's folder, `keep` stays.
    """
    for pid in [pid for part in PARTS for pid in find(part)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for _ in attempts(END_SECONDS):
        if not any(map(find, PARTS)):
            break
    else:
        raise LocalError("the cluster's processes do not end")
    _remove_links()
    for each in NODES:
        for folder in node.cgroups(each):
            _remove_cgroup(folder)
    for path in FOLDER.iterdir() if FOLDER.exists() else ():
        if path != keep:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if FOLDER.exists() and keep is None:
        FOLDER.rmdir()


def _remove_links() -> None:
    """Remove the bridge and the nodes' links. Such a link ends by itself too, some time after its node."""
    links = [BRIDGE, *(each.link for each in NODES)]
    for _ in attempts(END_SECONDS):
        left = [link for link in links if Path(f"/sys/class/net/{link}").exists()]
        if not left:
            return
        for link in left:
            with suppress(LocalError):
                run(["ip", "link", "delete", link], log="cluster-network")
    raise LocalError(f"the network links {', '.join(left)} can't be removed: see {LOGS / 'cluster-network.log'}")


def _remove_cgroup(folder: Path) -> None:
    """Remove a control group and those in it; each is empty once its processes have ended."""
    if folder.is_dir():
        for inner in folder.iterdir():
            if inner.is_dir():
                _remove_cgroup(inner)
        folder.rmdir()
