"""Ports for what the tests start."""

import random
import socket

# Below those that the kernel gives to connections, or one of them may take the port before it is used.
_PORTS = range(15_000, 32_000)
_random = random.SystemRandom()  # several processes of tests choose at once


def free_port() -> int:
    """A port on loopback that nothing uses."""
    while True:
        port = _random.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
