"""A real PgBouncer on a free port of loopback, in front of a PostgreSQL server."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from local.debian import find_program
from tests.ports import free_port, is_open
from tests.service.postgresql import Postgresql
from tests.waiting import wait_for

_SECONDS = 10


class PgBouncer:
    """PgBouncer with Debian's defaults, except for the mode and size of the pool."""

    def __init__(self, server: Postgresql, mode: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        size = 2 if mode == "transaction" else 10  # in mode session a process keeps each of its connections
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
        # It refuses to run as root, but Debian's package of PostgreSQL has created a user.
        user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._process = subprocess.Popen(
            [find_program("pgbouncer"), "-q", str(self._folder / "pgbouncer.ini")],
            user=user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: self._process.poll() is not None or is_open(self.port), _SECONDS)
        assert self._process.poll() is None, "PgBouncer did not start"

    def url(self, database_url: str) -> str:
        """Return the URL of the same database through the pooler."""
        return f"postgresql://test@127.0.0.1:{self.port}/{database_url.rpartition('/')[2]}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=_SECONDS)
        shutil.rmtree(self._folder)
