"""The way to a Docker engine on another machine: its socket, brought here by `ssh`.

Pulumi's plugin runs `docker system dial-stdio` there instead, once for each connection. Both need a login that may
use the engine.
"""

import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from infra.plugin import PluginError

ENGINE = "/var/run/docker.sock"
CONNECT_SECONDS = 30.0
UNTIL_IT_ENDS = """trap '' INT; ssh "$@"; rm -r "$0" """


def opened(host: str) -> str:
    """The URL of a socket here that leads to the engine at `ssh://user@host:port`."""
    parts = urlsplit(host)
    folder = Path(tempfile.mkdtemp(prefix="docker-over-ssh-"))
    socket = folder / "docker.sock"
    login = [*(["-l", parts.username] if parts.username else []), *(["-p", str(parts.port)] if parts.port else [])]
    forward = ["-o", "ExitOnForwardFailure=yes", "-L", f"{socket}:{ENGINE}"]
    # `cat` ends with our end of its pipe, and ssh with it, however this process ends. What ssh says goes to ours.
    ssh = subprocess.Popen(
        ["sh", "-c", UNTIL_IT_ENDS, folder, *login, *forward, str(parts.hostname), "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + CONNECT_SECONDS
    while not socket.exists():
        if ssh.poll() is not None or time.monotonic() > deadline:
            ssh.kill()
            raise PluginError(f"no login at {host}: see what `ssh {parts.hostname}` says")
        time.sleep(0.02)
    return f"unix://{socket}"
