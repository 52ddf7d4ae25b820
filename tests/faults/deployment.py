"""A clone whose runs reach Docker, Kong and Route 53 through fault proxies, and what it has in them."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import requests
import yaml

from local import processes
from local.environment import DEFAULT_HOST, build_environment
from local.recovery import PLUGIN
from local.workspace import PROJECT
from tests.certificates import certificate
from tests.faults.proxy import FaultProxy
from tests.stack.clone import Clone, docker_client

UP = "up --yes --refresh --run-program --skip-preview"
DESTROY = "destroy --yes --run-program --skip-preview"
PATIENCE_SECONDS = 200
"""After this time an engineer presses Ctrl-C."""

GRACE_SECONDS = 10
"""After this time, once more, which ends the engine at once."""

PLUGINS = {
    "docker": r"pulumi-resource-docker|offline\.docker_plugin",
    "kong": r"pulumi-resource-kong|infra\.kong",
    "dns": r"pulumi-resource-aws|offline\.aws_plugin",
}
COLLECTIONS = (
    "services", "routes", "upstreams", "plugins", "consumers", "key-auths", "acls", "certificates", "snis",
)  # fmt: skip


class Deployment(Clone):
    """Its platform runs from the first `make up` until `close`."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="faults-"))  # short: a socket's path may have 107 characters
        super().__init__(self.home / "clone")
        docker = build_environment().get("DOCKER_HOST", DEFAULT_HOST).removeprefix("unix://")
        self.socket = self.home / "docker.sock"
        self.proxies = {
            "docker": FaultProxy(self.socket, Path(docker)),
            "kong": FaultProxy(("127.0.0.1", 0), ("127.0.0.1", self.ports["ADMIN_PORT"])),
            "dns": FaultProxy(("127.0.0.1", 0), ("127.0.0.1", self.ports["DNS_PORT"])),
        }
        self.running: subprocess.Popen[str] | None = None

    @classmethod
    def empty(cls) -> "Deployment":
        """Return a deployment whose platform runs, with an empty stack."""
        deployment = cls()
        deployment.make("preview")
        for key, value in zip(("tlsCertificate", "tlsKey"), certificate("*.fountain.coach"), strict=True):
            file = deployment.home / f"{key}.pem"
            file.write_text(value)
            deployment.pulumi(f"config set --secret --stack {deployment.stack} {key} < {file}")
        deployment.set("keyAuth", True)
        key = "--path consumers.app the-key-of-the-app"
        deployment.pulumi(f"config set --secret --stack {deployment.stack} {key}")
        return deployment

    def environment(self) -> dict[str, str]:
        return super().environment() | {"DOCKER_HOST": f"unix://{self.socket}"}

    def _lead_through_proxies(self) -> None:
        """Make the next run reach Kong and Route 53 through the proxies; `make up` reverts it."""
        content = yaml.safe_load(self.file.read_text())
        content["config"] |= {
            f"{PROJECT}:kongAdminUrl": f"http://127.0.0.1:{self.proxies['kong'].port}",
            "aws:endpoints": [{"route53": f"http://127.0.0.1:{self.proxies['dns'].port}"}],
        }
        self.file.write_text(yaml.safe_dump(content))

    def config(self) -> dict[str, Any]:
        """Return the project's values in the stack's config file."""
        content = yaml.safe_load(self.file.read_text())["config"]
        prefix = f"{PROJECT}:"
        return {key.removeprefix(prefix): value for key, value in content.items() if key.startswith(prefix)}

    def broken_up(self) -> str:
        """Run `make up`'s own `pulumi up`, which may fail or be killed; return its output."""
        self._lead_through_proxies()
        command = f". ./activate && exec pulumi --non-interactive {UP} --stack {self.stack}"
        with (self.home / "broken-up.log").open("w+") as log:
            self.running = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment(),
                stdout=log,
                stderr=log,
                text=True,
            )
            for patience in (PATIENCE_SECONDS, GRACE_SECONDS, PATIENCE_SECONDS):
                try:
                    self.running.wait(patience)
                    break
                except subprocess.TimeoutExpired:
                    self.running.send_signal(signal.SIGINT)
            log.seek(0)
            return log.read()

    def kill_engine(self) -> None:
        """Kill, with -9, the engine of the current run."""
        assert self.running is not None
        self.running.kill()

    def plugins(self) -> list[str]:
        """Return the command lines of the plugins that serve this clone's runs."""
        commands = [command for _, command in processes.list_processes()]
        return [command for command in commands if str(self.folder) in command and PLUGIN.search(command)]

    def kill_plugin(self, party: str) -> None:
        """Kill, with -9, the current run's plugin for an outside party."""
        assert self.running is not None
        ours = {child.pid for child in psutil.Process(self.running.pid).children(recursive=True)}
        found = [
            pid
            for pid, command in processes.list_processes()
            if pid in ours and re.search(PLUGINS[party], command)
        ]
        assert found, f"no plugin for {party} is among the run's processes"
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def take_state(self, seconds: float | None = None) -> None:
        """Make every write of the state fail from now on, or for a while."""
        self._states.rename(self._states_aside)
        self._states.write_text("no folder, so nothing can be written into it")
        if seconds is not None:
            threading.Timer(seconds, self.give_state_back).start()

    def give_state_back(self) -> None:
        """Make the state writable again."""
        with contextlib.suppress(FileNotFoundError):
            self._states_aside.rename(self._states.with_name("back"))
            self._states.unlink()
            self._states.with_name("back").rename(self._states)

    @property
    def _states(self) -> Path:
        return self.folder / ".local" / "state" / ".pulumi" / "stacks" / PROJECT

    @property
    def _states_aside(self) -> Path:
        return self._states.with_name("aside")

    def at_next_write(self, act: Callable[[], None]) -> None:
        """Call a function as soon as the next write of the state begins."""
        before = self._states.stat().st_mtime_ns

        def watch() -> None:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while self._states.stat().st_mtime_ns == before and time.monotonic() < deadline:
                pass  # a sleep would miss it
            act()

        threading.Thread(target=watch, daemon=True).start()

    def state(self) -> dict[str, Any]:
        """Return the deployment in the state."""
        exported: dict[str, Any] = json.loads(self.pulumi(f"stack export --stack {self.stack}"))["deployment"]
        return exported

    def differences(self) -> list[str]:
        """Describe each difference between the state and reality."""
        state = self.state()
        resources = state.get("resources", [])
        wrong = [
            f"still pending: {pending['resource']['urn']}" for pending in state.get("pending_operations") or []
        ]
        wrong += [f"still to be deleted: {found['urn']}" for found in resources if found.get("delete")]
        recorded = {
            party: sorted(found["id"] for found in resources if re.match(kinds, found["type"]))
            for party, kinds in (
                ("containers", "docker:index/container:"),
                ("volumes", "docker:index/volume:"),
                ("kong", "kong:index:"),
                ("records", "aws:route53/record:"),
            )
        }
        live = self.live()
        wrong += [
            f"{party}: there are {live[party]}, and the state has {recorded[party]}"
            for party in recorded
            if live[party] != recorded[party]
        ]
        return wrong

    def live(self) -> dict[str, list[str]]:
        """Return the ids of all that this stack has outside, read without a proxy."""
        wanted: dict[str, str | list[str] | bool] = {"label": f"session-context.stack={self.stack}"}
        with docker_client() as client:
            containers = client.containers.list(all=True, filters=wanted, ignore_removed=True)
            volumes = client.volumes.list(filters=wanted)
        zone = self.route53().list_hosted_zones()["HostedZones"][0]["Id"].rpartition("/")[2]
        return {
            "containers": sorted(str(container.id) for container in containers),
            "volumes": sorted(str(volume.name) for volume in volumes),
            "kong": sorted(self._in_kong()),
            "records": sorted(
                f"{zone}_{record['Name'].rstrip('.')}_{record['Type']}" for record in self.records()
            ),
        }

    def _in_kong(self) -> Iterator[str]:
        """Return the ids in the gateway, which has entities of this deployment alone."""
        for collection in COLLECTIONS:
            answer = requests.get(f"{self.admin}/{collection}?size=1000", timeout=10)
            for entity in answer.json().get("data", []):
                yield entity["id"]
                if collection == "upstreams":
                    yield from (row["id"] for row in self.kong(f"/upstreams/{entity['id']}/targets")["data"])

    def abandon(self) -> None:
        """Remove by force what a failed cell left, so that it does not affect others."""
        with docker_client() as client:
            for container in client.containers.list(all=True, ignore_removed=True):
                if self.stack in json.dumps(container.attrs):
                    container.remove(force=True, v=True)
            for kind in (client.volumes, client.networks):
                for found in kind.list():
                    if self.stack in json.dumps(found.attrs):
                        found.remove()
        shutil.rmtree(self.folder / ".local" / "state")
        self.close()

    def close(self) -> list[str]:
        """Run `make down` and stop the proxies; return what is left behind."""
        try:
            self.make("down")
            return self.left_behind()
        finally:
            for proxy in self.proxies.values():
                proxy.close()
            shutil.rmtree(self.home)
