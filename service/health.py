"""The container's health check: exits with 0 when the service of this container is ready."""

import http.client
import sys

PORT = 8080
TIMEOUT_SECONDS = 2.0


def main() -> int:
    """Ask `/readyz`. The standard library alone is loaded: this runs every few seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return int(connection.getresponse().status != http.client.OK)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
