"""Route 53 on this machine: moto's server, with the hosted zone of the dev stack."""

import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import boto3
import requests
from botocore.exceptions import BotoCoreError, ClientError

from local import processes
from local.console import step
from local.gateway import require_free_port
from local.workspace import LOGS, STATE, VENV, LocalError, Workspace

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client

ZONE = "fountain.coach"
SEED = 1
"""moto makes up a zone's id by chance; with a seed it is the same each time, so the stack's config can name it."""
PID_FILE = STATE / "route53.pid"
START_SECONDS = 60


def check(workspace: Workspace) -> None:
    """Raises `LocalError` when the port is somebody else's."""
    if not _runs(workspace):
        require_free_port(workspace.dns_port)


def _runs(workspace: Workspace) -> bool:
    return processes.is_running(
        processes.read_pid(PID_FILE), f"moto_server --host 127.0.0.1 --port {workspace.dns_port}"
    )


def start(workspace: Workspace) -> str:
    """Have Route 53's API answer with the zone in it; the zone's id. Safe to repeat."""
    url = f"http://127.0.0.1:{workspace.dns_port}"
    if not _runs(workspace):
        stop()
        _start_server(workspace, url)
    route53 = _route53(workspace)
    try:
        zones = [zone for zone in route53.list_hosted_zones()["HostedZones"] if zone["Name"] == f"{ZONE}."]
        if not zones:
            requests.post(f"{url}/moto-api/seed", params={"a": str(SEED)}, timeout=10).raise_for_status()
            zones = [route53.create_hosted_zone(Name=ZONE, CallerReference="local")["HostedZone"]]
    except (BotoCoreError, ClientError, requests.RequestException) as error:
        raise LocalError(
            f"Route 53's stand-in on port {workspace.dns_port} has no zone {ZONE}: {error}"
        ) from error
    return zones[0]["Id"].rpartition("/")[2]


def _route53(workspace: Workspace) -> "Route53Client":
    return boto3.client(
        "route53",
        endpoint_url=f"http://127.0.0.1:{workspace.dns_port}",
        region_name="us-east-1",
        aws_access_key_id="dev",  # moto takes any
        aws_secret_access_key="dev",  # noqa: S106 - moto takes any
    )


def remove_record(workspace: Workspace, zone: str, record: dict[str, Any]) -> None:
    """Remove a record, given as the inputs of `aws.route53.Record`, if it stands exactly so."""
    wanted = {
        "Name": f"{record['name']}.",
        "Type": record["type"],
        "TTL": record["ttl"],
        "ResourceRecords": [{"Value": value} for value in record["records"]],
    }
    route53 = _route53(workspace)
    for found in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
        if all(found.get(key) == value for key, value in wanted.items()):
            route53.change_resource_record_sets(
                HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": found}]}
            )


def _is_moto(url: str) -> bool:
    try:
        return requests.get(f"{url}/moto-api/data.json", timeout=10).ok
    except requests.RequestException:
        return False


def _start_server(workspace: Workspace, url: str) -> None:
    with step(f"Starting Route 53's API (moto) on port {workspace.dns_port}"):
        LOGS.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with (LOGS / "route53.log").open("ab") as log:
            server = subprocess.Popen(
                [VENV / "bin" / "moto_server", "--host", "127.0.0.1", "--port", str(workspace.dns_port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment,
            )
        PID_FILE.write_text(str(server.pid))
        deadline = time.monotonic() + START_SECONDS
        while not _is_moto(url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise LocalError(
                    f"moto's server does not answer on port {workspace.dns_port}: see {LOGS / 'route53.log'}"
                )
            time.sleep(0.2)


def stop() -> None:
    """Stop the server, if it is ours and runs."""
    pid = processes.read_pid(PID_FILE)
    if processes.is_running(pid, "moto_server"):
        processes.terminate(pid)
    PID_FILE.unlink(missing_ok=True)
