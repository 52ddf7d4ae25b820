"""Route 53's API on this machine, served by moto, with the hosted zone of the dev stack."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import requests

from local.console import step
from local.gateway import require_free_port
from local.processes import Daemon
from local.waiting import attempts
from local.workspace import VENV, LocalError, Workspace

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client

ZONE = "fountain.coach"
SEED = 1
"""moto generates random ids. With a seed the zone's id is always the same, so a stack's config can name it."""
START_SECONDS = 60
FOR_ROUTE53 = {"Authorization": "AWS4-HMAC-SHA256 Credential=dev/20130401/us-east-1/route53/aws4_request"}
"""Where moto finds which service a request is for. It checks no signature."""


def check(workspace: Workspace) -> None:
    """Raise `LocalError` if the port is taken by something else."""
    if not _daemon(workspace).is_running(_command(workspace)):
        require_free_port(workspace.dns_port, workspace)


def start(workspace: Workspace) -> str:
    """Start moto and create the zone, unless they exist; return the zone's id."""
    if not _daemon(workspace).is_running(_command(workspace)):
        stop(workspace)
        _start_server(workspace)
    try:
        zones = dict(_list_zones(workspace))
        return zones.get(f"{ZONE}.") or _create_zone(workspace)
    except requests.RequestException as error:
        raise LocalError(f"moto on port {workspace.dns_port} did not list its zones: {error}") from error


def stop(workspace: Workspace) -> None:
    """Stop the stack's moto, if it runs."""
    _daemon(workspace).stop("moto_server")


def delete_record(workspace: Workspace, zone: str, record: dict[str, Any]) -> None:
    """Delete a record, given as the inputs of `aws.route53.Record`, if it has exactly these values.

    An alias stays: if it is still declared, the next run takes it for its own.
    """
    if record.get("aliases"):
        return
    wanted = {
        "Name": f"{record['name']}.",
        "Type": record["type"],
        "TTL": record["ttl"],
        "ResourceRecords": [{"Value": value} for value in record["records"]],
    }
    route53 = _connect(workspace)
    for found in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
        if all(found.get(key) == value for key, value in wanted.items()):
            route53.change_resource_record_sets(
                HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": found}]}
            )


def find_targets(workspace: Workspace, name: str) -> list[str]:
    """Return where the A and AAAA records of this name point: addresses, or the names of aliases."""
    route53 = _connect(workspace)
    records = [
        record
        for _, zone in _list_zones(workspace)
        for record in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        if record["Name"] == f"{name}." and record["Type"] in ("A", "AAAA")
    ]
    addresses = [value["Value"] for record in records for value in record.get("ResourceRecords", [])]
    aliases = [record["AliasTarget"]["DNSName"].rstrip(".") for record in records if "AliasTarget" in record]
    return [*addresses, *dict.fromkeys(aliases)]


def _daemon(workspace: Workspace) -> Daemon:
    daemon, before = Daemon(f"route53-{workspace.owner}"), Daemon("route53")
    if before.is_running(_command(workspace)):  # of version 1.0.0, which had one for all stacks
        before.pid_file.replace(daemon.pid_file)
    return daemon


def _command(workspace: Workspace) -> str:
    return f"moto_server --host 127.0.0.1 --port {workspace.dns_port}"


def _list_zones(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield the name and the id of each zone, without boto3, which takes half a second to start."""
    url = f"{workspace.route53_url}/2013-04-01/hostedzone"
    response = requests.get(url, headers=FOR_ROUTE53, timeout=10)
    response.raise_for_status()
    for zone in ElementTree.fromstring(response.content).iterfind(".//{*}HostedZone"):  # noqa: S314 - our own moto's
        yield zone.findtext("{*}Name", ""), zone.findtext("{*}Id", "").rpartition("/")[2]


def _create_zone(workspace: Workspace) -> str:
    """Return the id of the new zone."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        seed = f"{workspace.route53_url}/moto-api/seed"
        requests.post(seed, params={"a": str(SEED)}, timeout=10).raise_for_status()
        zone = _connect(workspace).create_hosted_zone(Name=ZONE, CallerReference="local")["HostedZone"]
    except (BotoCoreError, ClientError, requests.RequestException) as error:
        raise LocalError(f"moto on port {workspace.dns_port} did not create zone {ZONE}: {error}") from error
    return zone["Id"].rpartition("/")[2]


def _connect(workspace: Workspace) -> "Route53Client":
    import boto3

    return boto3.client(
        "route53",
        endpoint_url=workspace.route53_url,
        region_name="us-east-1",
        aws_access_key_id="dev",  # moto accepts any credentials
        aws_secret_access_key="dev",  # noqa: S106 - moto accepts any credentials
    )


def _start_server(workspace: Workspace) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with step(f"Starting Route 53's API (moto) on port {workspace.dns_port}"):
        program, *arguments = _command(workspace).split()
        daemon = _daemon(workspace)
        server = daemon.start([str(VENV / "bin" / program), *arguments], environment)
        for _ in attempts(START_SECONDS):
            if _is_moto(workspace.route53_url):
                return
            if server.poll() is not None:
                break
    raise LocalError(f"moto did not start on port {workspace.dns_port}. See {daemon.log_file}.")


def _is_moto(url: str) -> bool:
    try:
        return requests.get(f"{url}/moto-api/data.json", timeout=10).ok
    except requests.RequestException:
        return False
