"""A stack deployed as in Pulumi.prod.yaml, with its engine behind a real sshd and canaries for secrets."""

import os
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml
from docker.models.containers import Container

from tests.certificates import HOSTNAME, certificate
from tests.service.postgresql import Postgresql
from tests.stack.clone import Clone, docker_client
from tests.stack.sshd import Sshd


class Prod(Clone):
    """A clone with the platform of `make up`; its stack is prod, with its own backend and passphrase."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._platform = self.stack
        self.variables = {"DOCKER_CONTEXT": "no-such-context"}  # dockerHost is what counts
        self._states = folder / "states-of-prod"
        self._states.mkdir()
        self.passphrase, self.token, self.key, self._password = (f"canary{uuid4().hex}" for _ in range(4))
        self.certificate, self._tls_key = certificate(HOSTNAME)
        self.canaries = [
            self.passphrase,
            self.token,
            self.key,
            self._password,
            *self._tls_key.splitlines()[1:-1],
        ]
        self._ending = ExitStack()

    def prepare(self) -> None:
        """Start what prod needs around it, and write its config."""
        self._ending.callback(self.make, "down")
        self.make("preview")  # starts the platform, and makes nothing in it
        platform: dict[str, Any] = yaml.safe_load(self.file.read_text())["config"]
        self._sshd = Sshd(Path(tempfile.mkdtemp(prefix="sshd-")))
        self._ending.callback(self._sshd.stop)
        with docker_client() as client:
            network = client.networks.get(platform["session-context:network"]).attrs
        address = network["IPAM"]["Config"][0]["Gateway"]
        database = Postgresql(also_on=address)
        self._ending.callback(database.remove)
        name = database.new_database().rpartition("/")[2]
        self.database_url = database.url(name, host=address, user=f"test:{self._password}")
        self.stack = f"prod-{self._platform}"
        self.file = self.folder / f"Pulumi.{self.stack}.yaml"
        self._configure(platform)

    def _configure(self, platform: dict[str, Any]) -> None:
        content = yaml.safe_load((self.folder / "Pulumi.prod.yaml").read_text())
        taken = (
            "aws:",
            *(f"session-context:{key}" for key in ("hostedZoneId", "network", "kongAdminUrl", "baseIm")),
        )
        content["config"] |= {key: value for key, value in platform.items() if key.startswith(taken)}
        self.file.write_text(yaml.safe_dump(content))
        self.set("dockerHost", self._sshd.url)
        self.pulumi(f"stack init {self.stack}")
        self._ending.callback(self._destroy)
        for name, value in {
            "kongAdminToken": self.token,
            "databaseUrl": self.database_url,
            "--path consumers.mobile-app": self.key,
            "tlsCertificate": self.certificate,
            "tlsKey": self._tls_key,
        }.items():
            self.pulumi(f"config set --secret {name}", given=value)

    def _destroy(self) -> None:
        try:
            self.pulumi("config set protect false")
            self.pulumi("up --yes --skip-preview")
            self.pulumi("destroy --yes --skip-preview")
        finally:
            self.stack = self._platform

    def remove(self) -> None:
        """Undo everything in reverse order, even if a step fails."""
        self._ending.close()

    def deploy(self) -> None:
        """Preview it in every way, then deploy it; all output is kept."""
        commands = ("preview", "preview --diff", "preview --json", "up --yes")
        self.said = [self.pulumi(command) for command in commands]

    def pulumi(self, command: str, *, fails: bool = False, given: str | None = None) -> str:
        """Run a pulumi command with the passphrase, and `given` on its standard input."""
        if self.stack == self._platform:
            return super().pulumi(command, fails=fails)
        own = f"PULUMI_BACKEND_URL=file://{self._states} PULUMI_CONFIG_PASSPHRASE={self.passphrase}"
        script = f". ./activate && export {own} && pulumi --non-interactive "
        done = subprocess.run(
            ["bash", "-c", script + command],
            cwd=self.folder,
            env=self.environment() | {"PATH": os.pathsep.join([self._sshd.bin, self.environment()["PATH"]])},
            input=given or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def report(self) -> str:
        """Return the report on a change of each secret, as the preview-comment workflow writes it."""
        before = self.file.read_text()
        for name in ("kongAdminToken", "--path consumers.mobile-app"):
            self.pulumi(f"config set --secret {name}", given=f"{self.key}-changed")
        try:
            raw = self.folder / ".local" / "raw.json"
            self.pulumi(f"preview --json 2>/dev/null > {raw}")
            return subprocess.run(
                [self.folder / ".venv" / "bin" / "python", "-m", "infra.report"],
                cwd=self.folder,
                input=raw.read_text(),
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        finally:
            self.file.write_text(before)

    def inspected(self) -> list[Container]:
        """Return this stack's containers, including those that never run."""
        with docker_client() as client:
            return client.containers.list(all=True, filters={"label": f"session-context.stack={self.stack}"})
