#!/usr/bin/env python3
"""Stands in for `kong`, and for PostgreSQL where the environment has PostgreSQL's settings.

As strict as Kong 3.9.3, in a tenth of its time: a run of migrations that was cut off leaves its lock, what that
stops exits with 0, only `list` shows it by its exit code, and Kong looks up its database's address only once.
"""

import json
import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOCK_SECONDS = 6
STEPS, STEP_SECONDS = 66, 0.01
FOLDER = Path("/var/lib/postgresql/data")
VERSION = FOLDER / "PG_VERSION"
DATA = FOLDER / "state.json"


def postgres() -> int:
    """Serve one value, once the database exists. Only a start in an empty folder creates it, as of the image."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(DATA.read_bytes() if DATA.exists() else b'FATAL: database "kong" does not exist')

        def do_PUT(self) -> None:
            DATA.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(b"{}")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    FOLDER.mkdir(parents=True, exist_ok=True)
    if not VERSION.exists():
        VERSION.write_text("16")
        createdb()
    ThreadingHTTPServer(("", 5432), Handler).serve_forever()
    return 0


def createdb() -> int:
    """Create the database; exit with 1 if it exists."""
    if DATA.exists():
        print('createdb: error: database creation failed: ERROR:  database "kong" already exists')
        return 1
    DATA.write_text("{}")
    return 0


def pg_isready() -> int:
    """Exit with 0 when the database answers."""
    socket.create_connection(("127.0.0.1", 5432), timeout=1).close()
    return 0


def ask(address: str, state: dict[str, float] | None = None) -> dict[str, float]:
    """Read what the database keeps, or replace it."""
    body = b"" if state is None else json.dumps(state).encode()
    with socket.create_connection((address, 5432), timeout=1) as connection:
        head = f"{'GET' if state is None else 'PUT'} / HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    kept: dict[str, float] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return kept


def migrations(verb: str) -> int:
    """`kong migrations VERB`; its exit code."""
    address = socket.gethostbyname(os.environ["KONG_PG_HOST"])
    state = ask(address)
    if verb == "list":
        print("Database needs bootstrapping" if not state else f"Executed migrations: {state['done']} of {STEPS}")
        return 3 if not state else 0 if state["done"] == STEPS else 5
    if verb == "bootstrap" and state:
        print("Database already bootstrapped")
        return 0
    if verb != "bootstrap" and not state:
        print("Cannot run migrations: database needs bootstrapping; run 'kong migrations bootstrap'")
        return 1
    if time.time() < ask(address).get("locked_until", 0):
        while verb == "up" and time.time() < ask(address).get("locked_until", 0):
            time.sleep(0.1)
        print("aborted: another node is performing database changes")  # even when it has waited to the end
        return 0
    if verb == "finish":
        return 0
    for done in range(int(state.get("done", 0)), STEPS):
        ask(address, {"done": done, "locked_until": time.time() + LOCK_SECONDS})
        print(f"step {done}")
        time.sleep(STEP_SECONDS)
    ask(address, {"done": STEPS})
    print("Database is up-to-date")
    return 0


def start() -> int:
    """Serve `/status` and a proxy with no route, once the database is migrated."""
    address = socket.gethostbyname(os.environ["KONG_PG_HOST"])
    if ask(address).get("done") != STEPS:
        print("New migrations available; run 'kong migrations up' to proceed")
        return 1

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                ask(address)
                reachable = True
            except OSError:
                reachable = False
            body = json.dumps({"database": {"reachable": reachable}}).encode()
            self.send_response(200 if self.path == "/status" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    if os.fork():
        ThreadingHTTPServer(("", 8000), Handler).serve_forever()
    ThreadingHTTPServer(("", 8001), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    program = Path(sys.argv[0]).name
    if program in ("createdb", "pg_isready"):
        sys.exit(createdb() if program == "createdb" else pg_isready())
    if sys.argv[1] == "migrations":
        sys.exit(migrations(sys.argv[2]))
    sys.exit(postgres() if "POSTGRES_DB" in os.environ else start())
