"""A real sshd on loopback that accepts a single key, and an `ssh` that is configured for it."""

import os
import shutil
import subprocess
from getpass import getuser
from pathlib import Path

from local.debian import find_program
from tests.ports import free_port
from tests.waiting import wait_for

START_SECONDS = 10


class Sshd:
    """An sshd for logins as this user. `folder/bin/ssh` must come before the machine's own on PATH."""

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
            process = subprocess.Popen(
                [find_program("sshd", "openssh-server"), "-D", "-e", "-f", folder / "sshd_config"], stderr=log
            )
        command = [f"{self.bin}/ssh", "-p", str(self._port), "127.0.0.1", "true"]
        wait_for(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0, START_SECONDS)
        return process

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)
        shutil.rmtree(self._folder)


def _to_the_engine() -> str:
    """Return the setting by which a login reaches the engine of the tests, wherever it listens."""
    engine = os.environ.get("DOCKER_HOST")
    return f"SetEnv DOCKER_HOST={engine}\n" if engine else ""
