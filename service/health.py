"""The container's health check: a script that exits with 0 when the service of this container is alive.

Until the service was ready once it asks for that, since healthy containers replace those that serve. From then on
whether it is ready is for the gateway to ask: a database that is down is no reason to replace containers. Each
replica runs this every few seconds. So it is started without `site`, and takes the C module that `socket` is made
of: with `http.client` it would take five times the CPU time.
"""

import _socket

PORT = 8080
TIMEOUT_SECONDS = 2.0
WAS_READY = "/tmp/was-ready"  # noqa: S108 - a tmpfs of the container, empty after each start


def main(port: int = PORT, was_ready: str = WAS_READY) -> int:
    """Ask the service; unless it answers 200, print the reason and return 1."""
    try:
        open(was_ready).close()  # noqa: PTH123 - pathlib takes as long to load as all the rest
    except FileNotFoundError:
        answer = _ask(port, b"/readyz")
        if _is_ok(answer):
            open(was_ready, "w").close()  # noqa: PTH123
    else:
        answer = _ask(port, b"/livez")
    if _is_ok(answer):
        return 0
    print(answer.decode(errors="replace"))
    return 1


def _ask(port: int, path: bytes) -> bytes:
    """Return the head of an answer, or what went wrong."""
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_SECONDS)
    try:
        connection.connect(("127.0.0.1", port))
        connection.send(b"GET " + path + b" HTTP/1.0\r\n\r\n")
        return connection.recv(4096)
    except OSError as error:
        return str(error).encode()
    finally:
        connection.close()


def _is_ok(answer: bytes) -> bool:
    return answer.split(b" ", 2)[1:2] == [b"200"]


if __name__ == "__main__":
    raise SystemExit(main())
