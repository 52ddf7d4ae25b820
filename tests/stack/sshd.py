"""A real sshd on loopback, for one key alone, and an `ssh` that knows it."""

import os
import shutil
import subprocess
import time
from getpass import getuser
from pathlib import Path

from tests.ports import free_port

START_SECONDS = 10


class Sshd:
    """Logs in as the user of this process. `folder/bin/ssh` is to be found before the machine's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        for key in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        host_key = (folder / "host.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self._port} {host_key}")
        (folder / "ssh_config").write_text(
            f"IdentityFile {folder}/client\nIdentitiesOnly yes\nBatchMode yes\n"
            f"UserKnownHostsFile {folder}/known_hosts\nStrictHostKeyChecking yes\n"
        )
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self._port}\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/client.pub\nPidFile none\n"
            f"UsePAM no\nStrictModes no\nPasswordAuthentication no\n{_to_the_engine()}"
        )
        wrapper = folder / "bin" / "ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
        wrapper.chmod(0o755)
        self.bin = str(wrapper.parent)
        self.url = f"ssh://{getuser()}@127.0.0.1:{self._port}"
        self._process = self._started(folder)

    def _started(self, folder: Path) -> "subprocess.Popen[bytes]":
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # which Debian's package makes at boot
        with (folder / "sshd.log").open("w") as log:
            process = subprocess.Popen([_program(), "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
        command = [f"{self.bin}/ssh", "-p", str(self._port), "127.0.0.1", "true"]
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(command, capture_output=True, check=False).returncode != 0:
            assert time.monotonic() < deadline, (folder / "sshd.log").read_text()
            time.sleep(0.1)
        return process

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        shutil.rmtree(self._folder)


def _to_the_engine() -> str:
    """Who logs in reaches the engine of the tests, wherever it listens."""
    engine = os.environ.get("DOCKER_HOST")
    return f"SetEnv DOCKER_HOST={engine}\n" if engine else ""


def _program() -> str:
    """sshd wants to be called by its whole path; where it is missing, Debian's package is installed."""
    found = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "openssh-server"]
        subprocess.run(["apt-get", "update"], check=True, capture_output=True)
        subprocess.run(
            command, check=True, capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        )
        found = shutil.which("sshd", path="/usr/sbin")
    assert found is not None, "these tests need sshd: apt-get install openssh-server"
    return found
