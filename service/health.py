"""The container's health check: a script that exits with 0 when the service of this container is alive.

Whether it is ready is for the gateway to ask: a database that is down is no reason to replace containers. Each
replica runs this every few seconds. So it is started without `site`, and takes the C module that `socket` is made
of: with `http.client` it would take five times the CPU time.
"""

import _socket

PORT = 8080
TIMEOUT_SECONDS = 2.0


def main(port: int = PORT) -> int:
    """Ask `/livez`; 1, with the reason on standard output, when it does not answer 200."""
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_SECONDS)
    try:
        connection.connect(("127.0.0.1", port))
        connection.send(b"GET /livez HTTP/1.0\r\n\r\n")
        answer = connection.recv(4096)
    except OSError as error:
        print(error)
        return 1
    finally:
        connection.close()
    if answer.split(b" ", 2)[1:2] == [b"200"]:
        return 0
    print(answer.decode(errors="replace"))
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
