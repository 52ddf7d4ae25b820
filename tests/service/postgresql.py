"""A real PostgreSQL server on a free port of loopback, with its data in a temporary folder."""

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from local.debian import install_packages
from tests.certificates import certificate
from tests.ports import free_port
from tests.waiting import wait_for

_SECONDS = 20


class Postgresql:
    """A server that can be stopped and started again, and creates empty databases on demand."""

    def __init__(self, fsync: str = "off", *, also_on: str | None = None) -> None:
        """Start; `also_on` is an address in a Docker network whose containers can then reach the server too."""
        self._addresses = f"127.0.0.1,{also_on}" if also_on else "127.0.0.1"
        # Tests kill the service, not the server, so nothing has to be synced.
        self._fsync = fsync
        self._bin = _binaries()
        # The server refuses to run as root, but Debian's package has created a user.
        self._user = "postgres" if os.geteuid() == 0 else getpass.getuser()
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        shutil.chown(self._folder, self._user)
        self._port = free_port()
        self._names = (f"sessions{number}" for number in count())
        self._run(
            "initdb", "-D", str(self._folder / "data"), "-U", "test", "-E", "UTF8", "--no-sync", "-A", "trust"
        )
        if also_on:
            with (self._folder / "data" / "pg_hba.conf").open("a") as access:
                access.write("host all all samenet trust\n")
        self.start()

    def start(self) -> None:
        addresses = {"listen_addresses": self._addresses, "unix_socket_directories": str(self._folder)}
        settings = {**addresses, "fsync": self._fsync}
        self._server = subprocess.Popen(
            [f"{self._bin}/postgres", "-D", f"{self._folder}/data", "-p", str(self._port)]
            + [word for name, value in settings.items() for word in ("-c", f"{name}={value}")],
            **self._as_user(),
        )
        wait_for(self._accepts_connections, _SECONDS)

    def _accepts_connections(self) -> bool:
        try:
            self.execute("postgres", "SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    @property
    def folder(self) -> Path:
        """A folder that the server's user can write to."""
        return self._folder

    def run(self, script: str, **variables: str) -> None:
        """Run a script in the folder, as the server's user, with PostgreSQL's programs on PATH."""
        environment = {"PATH": f"{self._bin}:{os.environ['PATH']}", **variables}
        subprocess.run(["sh", "-ec", script], check=True, env=environment, **self._as_user())

    def enable_tls(self, name: str) -> Path:
        """Accept TLS too, as a host of this name; return the certificate of its authority."""
        files = [self._folder / "server.crt", self._folder / "server.key"]
        for file, content in zip(files, certificate(name), strict=True):
            file.write_text(content)
            file.chmod(0o600)
            shutil.chown(file, self._user)
        for setting, value in [("ssl_cert_file", files[0]), ("ssl_key_file", files[1]), ("ssl", "on")]:
            self.execute("postgres", f"ALTER SYSTEM SET {setting} = '{value}'")
        self.execute("postgres", "SELECT pg_reload_conf()")
        return files[0]

    def stop(self) -> None:
        """Stop at once, which cuts all connections."""
        self._server.send_signal(signal.SIGINT)
        self._server.wait(timeout=_SECONDS)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """Create an empty database; return its URL."""
        name = next(self._names)
        self.execute("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str, *, host: str = "127.0.0.1", user: str = "test") -> str:
        return f"postgresql://{user}@{host}:{self._port}/{name}"

    def execute(self, name: str, statement: str) -> None:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(statement.encode())

    @property
    def port(self) -> int:
        return self._port

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([self._bin / program, *arguments], check=True, **self._as_user())

    def _as_user(self) -> dict[str, Any]:
        return {
            "user": self._user,
            "cwd": self._folder,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }


def _binaries() -> Path:
    """Return the folder of initdb and postgres; install Debian's package if they are missing."""
    if _find_installed() is None:
        install_packages("postgresql")
    folder = _find_installed()
    assert folder is not None
    return folder


def _find_installed() -> Path | None:
    on_path = shutil.which("initdb")
    candidates = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(candidates) if (folder / "postgres").exists()), None)
