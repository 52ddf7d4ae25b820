"""The records and the lookups of Route 53, by boto3."""

import json
import re
import time
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.plugin import PluginError, Resource
from infra.props import UNKNOWN, Props

if TYPE_CHECKING:
    from mypy_boto3_route53.client import Route53Client
    from mypy_boto3_route53.literals import ChangeActionType
    from mypy_boto3_route53.type_defs import ResourceRecordSetOutputTypeDef, ResourceRecordSetTypeDef

INSYNC_SECONDS = 300.0
INSYNC_POLL_SECONDS = 0.5


class Route53:
    """A client of the Route 53 API that the provider is configured for."""

    def __init__(self) -> None:
        self._client: Route53Client | None = None

    def configure(self, config: Props) -> None:
        # The engine passes lists as JSON text.
        endpoints = {
            name: url for entry in json.loads(config.get("endpoints") or "[]") for name, url in entry.items()
        }
        self._client = boto3.client(
            "route53",
            region_name=config.get("region"),
            aws_access_key_id=config.get("accessKey"),
            aws_secret_access_key=config.get("secretKey"),
            endpoint_url=endpoints.get("route53"),
            config=Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3}),
        )

    @property
    def client(self) -> "Route53Client":
        if self._client is None:
            raise PluginError("the AWS plugin is not configured yet")
        return self._client

    def change(self, action: "ChangeActionType", inputs: Props) -> None:
        """Change a record set, and wait until every name server has the change."""
        record_set: ResourceRecordSetTypeDef = {"Name": inputs["name"], "Type": inputs["type"]}
        if inputs.get("aliases"):
            (alias,) = inputs["aliases"]
            record_set["AliasTarget"] = {
                "DNSName": alias["name"],
                "HostedZoneId": alias["zoneId"],
                "EvaluateTargetHealth": alias["evaluateTargetHealth"],
            }
        else:
            record_set["TTL"] = inputs["ttl"]
            record_set["ResourceRecords"] = [{"Value": value} for value in inputs["records"]]
        try:
            answer = self.client.change_resource_record_sets(
                HostedZoneId=inputs["zoneId"],
                ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record_set}]},
            )
            deadline = time.monotonic() + INSYNC_SECONDS
            while self.client.get_change(Id=answer["ChangeInfo"]["Id"])["ChangeInfo"]["Status"] != "INSYNC":
                if time.monotonic() > deadline:
                    raise PluginError(
                        f"{inputs['name']}: the change is still pending after {INSYNC_SECONDS:.0f} s"
                    )
                time.sleep(INSYNC_POLL_SECONDS)
        except (BotoCoreError, ClientError) as error:
            raise PluginError(f"{action} {inputs['type']} record {inputs['name']}: {error}") from error


class Record(Resource):
    """`aws.route53.Record`, with ids of the form ZONE_NAME_TYPE, as the plugin has them."""

    inputs = frozenset({"aliases", "allowOverwrite", "name", "records", "ttl", "type", "zoneId"})
    replace_on_changes = frozenset({"name", "type", "zoneId"})

    def __init__(self, route53: Route53) -> None:
        self._route53 = route53

    def create(self, _urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        if not preview:
            self._route53.change("UPSERT" if inputs.get("allowOverwrite") else "CREATE", inputs)
        if UNKNOWN in (inputs["zoneId"], inputs["name"]):
            return "", inputs | {"fqdn": UNKNOWN}
        return f"{inputs['zoneId']}_{inputs['name']}_{inputs['type']}", inputs | {"fqdn": inputs["name"]}

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        zone, name, kind = object_id.split("_", 2)[0], *object_id.split("_", 1)[1].rsplit("_", 1)
        try:
            found = self._route53.client.list_resource_record_sets(
                HostedZoneId=zone, StartRecordName=name, MaxItems="10"
            )["ResourceRecordSets"]
        except self._route53.client.exceptions.NoSuchHostedZone:
            return None
        except (BotoCoreError, ClientError) as error:
            raise PluginError(f"read record {name}: {error}") from error
        for record_set in found:
            if record_set["Name"].rstrip(".") == name and record_set["Type"] == kind:
                inputs = {"name": name, "type": kind, "zoneId": zone} | _read_target(record_set, state)
                inputs |= {key: state[key] for key in ("allowOverwrite",) if key in state}
                return object_id, inputs | {"fqdn": name}, inputs
        return None

    def update(self, _object_id: str, _state: Props, inputs: Props, *, preview: bool) -> Props:
        if not preview:
            self._route53.change("UPSERT", inputs)
        return inputs | {"fqdn": inputs["name"]}

    def delete(self, object_id: str, state: Props) -> None:
        live = self.read(object_id, state)
        if live is not None:  # Route 53 deletes a record only by its exact values
            self._route53.change("DELETE", live[2])


def _read_target(record_set: "ResourceRecordSetOutputTypeDef", state: Props) -> Props:
    if alias := record_set.get("AliasTarget"):
        target = {
            "evaluateTargetHealth": alias["EvaluateTargetHealth"],
            "name": alias["DNSName"].rstrip("."),
            "zoneId": alias["HostedZoneId"],
        }
        return {"aliases": [target]}
    values = [record["Value"] for record in record_set.get("ResourceRecords", [])]
    if sorted(values) == sorted(state.get("records") or []):
        values = state["records"]  # their order does not matter
    return {"records": values, "ttl": record_set["TTL"]}


def get_zone(route53: Route53, arguments: Props) -> Props:
    """Serve `aws.route53.get_zone`, by id."""
    zone_id = arguments["zoneId"]
    try:
        answer = route53.client.get_hosted_zone(Id=zone_id)
    except (BotoCoreError, ClientError) as error:
        raise PluginError(f"reading Route 53 Hosted Zone ({zone_id}): {error}") from error
    zone, servers = answer["HostedZone"], answer.get("DelegationSet", {}).get("NameServers", [])
    return {
        "arn": f"arn:aws:route53:::hostedzone/{zone_id}",
        "callerReference": zone["CallerReference"],
        "comment": zone.get("Config", {}).get("Comment", ""),
        "id": zone_id,
        "name": zone["Name"].removesuffix("."),
        "nameServers": servers,
        "primaryNameServer": servers[0] if servers else "",
        "privateZone": zone.get("Config", {}).get("PrivateZone", False),
        "resourceRecordSetCount": zone.get("ResourceRecordSetCount", 0),
        "zoneId": zone_id,
    }


def get_records(route53: Route53, arguments: Props) -> Props:
    """Serve `aws.route53.get_records`: records whose name matches; without any, the list is missing."""
    zone_id, wanted = arguments["zoneId"], re.compile(arguments.get("nameRegex") or "")
    try:
        pages = route53.client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
        records = [record for page in pages for record in page["ResourceRecordSets"]]
    except (BotoCoreError, ClientError) as error:
        raise PluginError(f"listing Route 53 Records ({zone_id}): {error}") from error
    found = [
        {
            "aliasTarget": (alias := record.get("AliasTarget"))
            and {
                "dnsName": alias["DNSName"],
                "evaluateTargetHealth": alias["EvaluateTargetHealth"],
                "hostedZoneId": alias["HostedZoneId"],
            },
            "name": record["Name"],
            "resourceRecords": [{"value": value["Value"]} for value in record.get("ResourceRecords", [])],
            "setIdentifier": record.get("SetIdentifier"),
            "ttl": record.get("TTL"),
            "type": record["Type"],
        }
        for record in records
        if wanted.search(record["Name"])
    ]
    answer = {"nameRegex": arguments.get("nameRegex"), "resourceRecordSets": found or None, "zoneId": zone_id}
    return {name: value for name, value in answer.items() if value is not None}
