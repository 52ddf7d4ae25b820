"""A tunnel by `ssh` to the socket of a Docker engine on another machine.

Pulumi's plugin runs `docker system dial-stdio` there instead, once for each connection. Docker's SDK does so for
each request, which takes seconds. All need a login that may use the engine.
"""

import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from infra.plugin import PluginError

ENGINE = "/var/run/docker.sock"
CONNECT_SECONDS = 30.0
SSH_AND_CLEAN_UP = """trap '' INT; ssh "$@"; rm -r "$0" """


def open_tunnel(host: str) -> str:
    """Return the URL of a local socket that leads to the engine at `ssh://user@host:port`."""
    parts = urlsplit(host)
    folder = Path(tempfile.mkdtemp(prefix="docker-over-ssh-"))
    socket = folder / "docker.sock"
    login = [*(["-l", parts.username] if parts.username else []), *(["-p", str(parts.port)] if parts.port else [])]
    forward = ["-o", "ExitOnForwardFailure=yes", "-L", f"{socket}:{ENGINE}"]
    # `cat` ends with this end of its pipe, and ssh with it, however this process ends. ssh prints to our stderr.
    ssh = subprocess.Popen(
        ["sh", "-c", SSH_AND_CLEAN_UP, folder, *login, *forward, str(parts.hostname), "cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + CONNECT_SECONDS
    while not socket.exists():
        if ssh.poll() is not None or time.monotonic() > deadline:
            ssh.kill()
            raise PluginError(f"`ssh` could not connect to {host}. Try `ssh {parts.hostname}` to see why.")
        time.sleep(0.02)
    return f"unix://{socket}"
