"""A real PgBouncer on a free loopback port, before a PostgreSQL server."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from local.debian import find_program
from tests.ports import free_port
from tests.service.postgresql import Postgresql

_START_SECONDS = 10


class PgBouncer:
    """With Debian's defaults but for the pool's mode and size."""

    def __init__(self, server: Postgresql, mode: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        size = 2 if mode == "transaction" else 10  # a session takes three for each process, and keeps them
        self.port = free_port()
        (self._folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {self._folder}/users\n"
            f"pool_mode = {mode}\ndefault_pool_size = {size}\n"
        )
        (self._folder / "users").write_text('"test" ""\n')
        (self._folder / "users").chmod(0o644)
        (self._folder / "pgbouncer.ini").chmod(0o644)
        self._folder.chmod(0o755)
        # It refuses to run as root; Debian's package of PostgreSQL brings a user for it.
        user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._process = subprocess.Popen(
            [find_program("pgbouncer"), "-q", str(self._folder / "pgbouncer.ini")],
            user=user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, "PgBouncer did not start"
            assert time.monotonic() < give_up, "PgBouncer does not listen"
            time.sleep(0.02)

    def url(self, database_url: str) -> str:
        """The URL of the same database through the pooler."""
        return f"postgresql://test@127.0.0.1:{self.port}/{database_url.rpartition('/')[2]}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=_START_SECONDS)
        shutil.rmtree(self._folder)
