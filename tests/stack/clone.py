"""A clone of this project with its own stack, ports and platform, used by the documented commands."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import docker
import requests
import yaml

from local import processes
from local.environment import build_environment
from local.workspace import BIN, PORTS, ROOT, SHELL
from tests.ports import free_port

HOSTNAME = "sessioncontext.fountain.coach"
NO_CHANGES = "preview --expect-no-changes --refresh"
NEVER_SECONDS = 300
SETTLED_SECONDS = 15
INTERRUPTED = re.compile(r"Traceback \(most recent call last\):\n(?:(?!.*Traceback).*\n)*?.*KeyboardInterrupt")
"""What Pulumi's own language host prints of a program that it stops after a failure."""


class Clone:
    """Everything in it is real: the engine, the containers, the Admin API and Route 53's API over HTTP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = f"t{uuid4().hex[:6]}"
        self.ports = {name: free_port() for name in PORTS}
        self.variables: dict[str, str] = {}
        """Additional environment variables."""
        self.file = folder / f"Pulumi.{self.stack}.yaml"
        copy_of_project(folder)
        shutil.copy(folder / "Pulumi.dev.yaml", self.file)

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.ports['ADMIN_PORT']}"

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self.ports['PROXY_PORT']}"

    def environment(self) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items() if name not in ("PATH", "PULUMI_BACKEND_URL")}
        ports = {name: str(port) for name, port in self.ports.items()}
        own = (str(BIN), str(SHELL))  # a fresh clone finds no CLI of another clone on PATH
        path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part not in own)
        return given | ports | {"STACK": self.stack, "PATH": path} | self.variables

    def make(self, *targets: str, fails: bool = False) -> str:
        """Run make and return its output."""
        return self._run(["make", *targets], fails=fails)

    def pulumi(self, command: str, *, fails: bool = False) -> str:
        """Run a pulumi command as documented: after `. ./activate`."""
        return self.shell(f"pulumi --non-interactive {command}", fails=fails)

    def shell(self, command: str, *, fails: bool = False) -> str:
        """Run a command in a shell with `. ./activate` and return its output."""
        return self._run(["bash", "-c", f". ./activate && {command}"], fails=fails)

    def script(self, command: str, *, fails: bool = False) -> str:
        """Run a script in a shell without `. ./activate` and return its output."""
        return self._run(["bash", "-e", "-c", command], fails=fails)

    def _run(self, command: list[str], *, fails: bool) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=NEVER_SECONDS,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def start(self, *targets: str, stdout: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        """Start make without waiting for its end."""
        return subprocess.Popen(
            ["make", *targets],
            cwd=self.folder,
            env=self.environment(),
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def kill_engine(self) -> None:
        """Kill, with -9, the pulumi process that updates this stack."""
        for pid, command in processes.list_processes():
            if re.search(f"pulumi .*--stack {self.stack}", command):
                os.kill(pid, signal.SIGKILL)

    def set(self, key: str, value: object) -> None:
        """Edit the stack's file by hand."""
        content = yaml.safe_load(self.file.read_text())
        content["config"][f"session-context:{key}"] = value
        self.file.write_text(yaml.safe_dump(content))

    def change_service(self) -> None:
        """Create another version of the service, so that its containers are replaced."""
        file = self.folder / "service" / "health.py"
        file.write_text(f"{file.read_text()}\n# version {uuid4()}\n")

    def outputs(self) -> dict[str, Any]:
        outputs: dict[str, Any] = json.loads(self.pulumi("stack output --json"))
        return outputs

    def containers(self) -> list[str]:
        """Return the names of the service's containers, running or not."""
        wanted: dict[str, str | list[str] | bool] = {"label": f"session-context.stack={self.stack}"}
        with docker_client() as client:
            return sorted(
                str(container.name)
                for container in client.containers.list(all=True, filters=wanted, ignore_removed=True)
            )

    def left_behind(self) -> list[str]:
        """Return the names of all that the stack or its platform has in the Docker engine."""
        with docker_client() as client:
            return [
                str(found.name)
                for kind in (
                    client.containers.list(all=True, ignore_removed=True),
                    client.networks.list(),
                    client.volumes.list(),
                )
                for found in kind
                if self.stack in json.dumps(found.attrs)
            ]

    def kong(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return requests.get(self.admin + path, timeout=10).json()

    def targets(self) -> list[str]:
        upstream = "/upstreams/session_context_management_api/targets"
        return sorted(row["target"] for row in self.kong(upstream)["data"])

    def request(self, method: str, path: str, **more: Any) -> requests.Response:  # noqa: ANN401 - requests' options
        """Send a request through the gateway. No redirect is followed: it would lead to the public hostname."""
        headers = {"Host": HOSTNAME, **more.pop("headers", {})}
        url = self.proxy + path
        return requests.request(method, url, headers=headers, timeout=30, allow_redirects=False, **more)

    def settled(self, status: int, path: str, **more: Any) -> requests.Response:  # noqa: ANN401 - requests' options
        """Return the answer to a GET once it has this status: Kong applies a change within seconds."""
        deadline = time.monotonic() + SETTLED_SECONDS
        while (answer := self.request("GET", path, **more)).status_code != status:
            assert time.monotonic() < deadline, f"{answer.status_code} instead of {status}: {answer.text}"
            time.sleep(0.2)
        return answer

    def route53(self) -> Any:  # noqa: ANN401 - a boto3 client
        return boto3.client(
            "route53",
            endpoint_url=f"http://127.0.0.1:{self.ports['DNS_PORT']}",
            region_name="us-east-1",
            aws_access_key_id="dev",
            aws_secret_access_key="dev",  # noqa: S106 - moto takes any
        )

    def records(self) -> list[dict[str, Any]]:
        route53 = self.route53()
        zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
        found: list[dict[str, Any]] = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return [record for record in found if record["Type"] == "A"]

    def change_record(self, action: str, **fields: object) -> None:
        """Change the A record by hand."""
        self.in_zone(action, {**self.records()[0], **fields})

    def in_zone(self, action: str, record_set: object) -> None:
        """Make one change in the zone."""
        route53 = self.route53()
        zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
        change = {"Action": action, "ResourceRecordSet": record_set}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})


def copy_of_project(folder: Path) -> None:
    """Copy what git would clone, as it is in the work tree, with the installed packages linked."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, goal = ROOT / name, folder / name
        if source.is_file():
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, goal)  # with the mode and without the dates, as a checkout does
    (folder / ".venv").symlink_to(ROOT / ".venv")


def has_traceback(said: str) -> bool:
    """Return whether an error of this project was printed as a traceback instead of a message."""
    return "Traceback" in INTERRUPTED.sub("", said)


def docker_client() -> "contextlib.closing[docker.DockerClient]":
    """Return a client of the engine that `make up` uses."""
    return contextlib.closing(docker.from_env(environment=build_environment()))
