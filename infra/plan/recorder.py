"""Runs the program as in a preview, against a monitor that only records the declared resources."""

import asyncio
import contextvars
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import empty_pb2, json_format
from pulumi.runtime import config as runtime
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import provider_pb2, resource_pb2
from pulumi.runtime.stack import run_in_stack

from infra import stack as program
from infra.host.publishing import READ_OUTPUTS
from infra.kong.provider.ownership import entity_id
from infra.plan import stack_file
from infra.props import Props
from infra.registry import TAG_NOT_FOUND

SECRET = "[secret]"  # noqa: S105 - what is shown in its place
NAMED_BY_ENGINE = "[name of "
STACK_TYPE = "pulumi:pulumi:Stack"
STASH_TYPE = "pulumi:index:Stash"
SIGNATURE = rpc._special_sig_key


@dataclass(frozen=True, kw_only=True)
class PlannedResource:
    """One declared resource, its secrets masked."""

    urn: str
    type: str
    name: str
    id: str
    inputs: Props
    parent: str
    depends_on: list[str]
    dependencies: dict[str, list[str]]
    """By input: the URNs of the resources that its value comes from."""
    provider: str
    protect: bool
    options: Props


class _Recorder(mocks.MockMonitor):
    """Stands in for the engine: records each registration, and answers as the provider would in a preview."""

    def __init__(self, stack: str, hostname: str) -> None:
        self._stack = stack
        self._hostname = hostname
        self.recorded: list[PlannedResource] = []
        self.outputs: Props = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN that the engine would assign: with the types of all parents but the stack."""
        above = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if above == STACK_TYPE else f"{above}${type_}"
        return f"urn:pulumi:{self._stack}::{stack_file.project_name()}::{qualified}::{name}"

    def Invoke(  # noqa: N802 - gRPC's name
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Answer the lookups, as if the zone and the registry were empty and the stack never deployed."""
        found: dict[str, Props] = {
            READ_OUTPUTS: {},
            "aws:route53/getZone:getZone": {"name": self._hostname},
            "aws:route53/getRecords:getRecords": {},
        }
        if request.tok == "docker:index/getRegistryImage:getRegistryImage":
            absent = provider_pb2.CheckFailure(property="name", reason=TAG_NOT_FOUND)
            return resource_pb2.ResourceInvokeResponse(failures=[absent])
        if request.tok not in found:
            raise pulumi.RunError(f"a plan is recorded without a cloud, so it can't invoke {request.tok}")
        answer = resource_pb2.ResourceInvokeResponse()
        json_format.ParseDict(found[request.tok], getattr(answer, "return"))
        return answer

    def RegisterResource(  # noqa: N802 - gRPC's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        resource = PlannedResource(
            urn=urn,
            type=request.type,
            name=request.name,
            id=_id(urn, request),
            inputs=_to_json(json_format.MessageToDict(request.object)),
            parent=_shorten(request.parent),
            depends_on=sorted({_shorten(dependency) for dependency in request.dependencies}),
            dependencies={name: list(on.urns) for name, on in request.propertyDependencies.items()},
            provider=_shorten(request.provider.rpartition("::")[0]),
            protect=request.protect,
            options=_resource_options(request),
        )
        self.recorded.append(resource)
        answer = resource_pb2.RegisterResourceResponse(urn=urn, id=resource.id)
        answer.object.CopyFrom(request.object)
        if request.type == STASH_TYPE:
            answer.object["output"] = request.object["input"]
        if request.type.startswith("kubernetes:"):
            metadata = answer.object.fields["metadata"].struct_value
            if "name" not in metadata:
                metadata["name"] = f"{NAMED_BY_ENGINE}{request.name}]"
        elif request.custom and "name" not in answer.object:
            answer.object["name"] = f"{NAMED_BY_ENGINE}{request.name}]"  # which the engine generates at `up`
        return answer

    def RegisterResourceOutputs(  # noqa: N802 - gRPC's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        if request.urn.split("::")[2] == STACK_TYPE:
            self.outputs = _to_json(json_format.MessageToDict(request.outputs))
        return empty_pb2.Empty()


class _Callbacks:
    """Stands in for the server on which the engine calls hooks: a plan creates nothing, so it calls none."""

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        pass


def _id(urn: str, request: resource_pb2.RegisterResourceRequest) -> str:
    if not request.custom:
        return ""
    if request.type.startswith("kong:index:") and NAMED_BY_ENGINE not in str(request.object):
        return entity_id(urn)
    return f"[id of {request.name}]"


def _to_json(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Convert a value of the engine to JSON, with secrets masked."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == rpc._special_secret_sig:
            return SECRET
        return {name: _to_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _resource_options(request: resource_pb2.RegisterResourceRequest) -> Props:
    """Return the resource options that change what an `up` does."""
    options: Props = {}
    if request.deleteBeforeReplaceDefined:
        options["deleteBeforeReplace"] = request.deleteBeforeReplace
    if request.retainOnDelete:
        options["retainOnDelete"] = True
    for name in ("ignoreChanges", "replaceOnChanges", "additionalSecretOutputs"):
        if listed := list(getattr(request, name)):
            options[name] = listed
    if limits := json_format.MessageToDict(request.customTimeouts):
        options["customTimeouts"] = limits
    return options


def _shorten(urn: str) -> str:
    """Shorten a URN to `type::name`, and that of the stack to nothing."""
    qualified_type, _, name = urn.partition("::")[2].partition("::")[2].rpartition("::")
    resource_type = qualified_type.rpartition("$")[2]
    return "" if resource_type in ("", STACK_TYPE) else f"{resource_type}::{name}"


def record_plan(file: Path) -> tuple[list[PlannedResource], Props]:
    """Return the resources that a stack declares, sorted by type and name, and its outputs.

    An invalid config raises `pulumi.RunError`, as in a preview.
    """
    return contextvars.copy_context().run(asyncio.run, _record(file))


async def _record(file: Path) -> tuple[list[PlannedResource], Props]:
    config, secrets = stack_file.read_config(file)
    recorder = _Recorder(stack_file.stack_name(file), config.get(f"{stack_file.project_name()}:hostname", ""))
    runtime.set_all_config(config, secrets)
    settings.configure(
        mocks.MockSettings(  # type: ignore[no-untyped-call] # the SDK's own has no types
            monitor=recorder,
            callbacks=_Callbacks(),
            engine=mocks.MockEngine(None),
            project=stack_file.project_name(),
            stack=stack_file.stack_name(file),
            dry_run=True,
            organization="organization",  # as in a backend without organizations
        )
    )

    async def declare() -> None:
        program.deploy()

    await run_in_stack(declare)
    return sorted(recorder.recorded, key=lambda resource: (resource.type, resource.name)), recorder.outputs
