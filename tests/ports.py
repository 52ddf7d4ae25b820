"""Ports for what the tests start."""

import os
import random
import socket

# Below those that the kernel gives to connections, or one of them may take the port before it is used. And each of
# pytest's processes has a share of its own, or two may choose the same before either uses it.
_SHARE, _SHARES = 2_000, 8
_mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
_PORTS = range(15_000 + _mine * _SHARE, 15_000 + (_mine + 1) * _SHARE)
_random = random.SystemRandom()


def free_port() -> int:
    """Return a port on loopback that nothing uses."""
    while True:
        port = _random.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def is_open(port: int) -> bool:
    """Return whether something listens on this port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
