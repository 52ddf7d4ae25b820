"""`docker.Container`."""

import io
import tarfile
from contextlib import suppress
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container as LiveContainer
from docker.types import LogConfig, Ulimit

from infra.plugin import PluginError
from infra.props import Failure, Props
from offline.docker_plugin.engine_client import DockerResource, InitFailedError, attempts, convert_labels

UPDATED = frozenset({
    "destroyGraceSeconds", "healthcheck", "init", "memory", "memorySwap", "mustRun", "restart", "start", "tmpfs",
    "wait", "waitTimeout",
})  # fmt: skip
REPLACED = frozenset({
    "capabilities", "cpus", "envs", "image", "labels", "logDriver", "logOpts", "name", "networkMode",
    "networksAdvanced", "ports", "readOnly", "securityOpts", "stopSignal", "stopTimeout", "ulimits", "uploads",
    "user", "volumes",
})  # fmt: skip
COMPUTED = frozenset({
    "envs", "healthcheck", "init", "labels", "logDriver", "securityOpts", "stopSignal", "stopTimeout", "user",
})  # fmt: skip
"""What keeps the value of the image or the engine if it is not given."""

DEFAULTS: Props = {"networkMode": "bridge", "restart": "no", "start": True, "waitTimeout": 60}
"""What the plugin records of an input that is not given."""

EMPTY: tuple[object, ...] = (None, "", "0s", False, 0, [], {})
"""What it records of a nested one."""

MB = 1024 * 1024
SECOND = 1_000_000_000  # the engine's API counts nanoseconds


class Container(DockerResource):
    """`docker.Container`; with `wait`, a create succeeds once its health check does."""

    inputs = UPDATED | REPLACED
    replace_on_changes = REPLACED

    def check(self, urn: str, inputs: Props, old: Props) -> tuple[Props, list[Failure]]:
        unknown = sorted(inputs.keys() - self.inputs)
        failures = [Failure(name, "the stand-in for Docker's plugin does not support it") for name in unknown]
        return self.add_name(urn, {"mustRun": True} | inputs, old), failures

    def diff(self, state: Props, inputs: Props) -> set[str]:
        """Return the names of changed inputs, also of a container that the plugin has created."""
        recorded, given = DEFAULTS | state, DEFAULTS | inputs
        compared = self.inputs - (COMPUTED - inputs.keys())
        return {name for name in compared if not _is_same(recorded.get(name), given.get(name))}

    def create(self, _urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        if preview:
            return "", inputs
        api = self.engine.client.api
        self._pull_image(inputs["image"])
        try:
            created = api.create_container(**_build_arguments(api, inputs))
            container = self.engine.client.containers.get(created["Id"])
            for upload in inputs.get("uploads", []):
                # To the root, as the plugin does; Docker refuses that if the root is read-only.
                container.put_archive("/", _pack(upload["file"], upload["content"]))
            if inputs.get("start", True):
                self._start(container, inputs)
            if inputs.get("wait"):
                self._wait_until_healthy(container, inputs)
        except APIError as error:
            raise PluginError(f"container {inputs['name']}: {error.explanation}") from error
        return str(container.id), inputs

    def _pull_image(self, name: str) -> None:
        """Pull an image that the engine lacks, with the provider's credentials alone, as the plugin does."""
        images = self.engine.client.images
        try:
            images.get(name)
        except ImageNotFound:
            try:
                images.pull(name, auth_config=self.engine.registries.get_credentials(name))
            except APIError as error:
                raise PluginError(f"unable to pull image {name}: {error.explanation}") from error

    def _start(self, container: LiveContainer, inputs: Props) -> None:
        try:
            container.start()
        except APIError as error:  # such as for a port that is taken
            reason = f"Unable to start container: {error.explanation}"
            raise InitFailedError(reason, str(container.id), inputs) from error

    def _wait_until_healthy(self, container: LiveContainer, inputs: Props) -> None:
        for _ in attempts(float(inputs.get("waitTimeout", 60))):
            container.reload()
            if container.attrs["State"].get("Health", {}).get("Status") == "healthy":
                return
        raise InitFailedError("container failed to be in healthy state", str(container.id), inputs)

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        try:
            live = self.engine.client.containers.get(object_id)
        except NotFound:
            return None
        host = live.attrs["HostConfig"]
        managed = {name: state[name] for name in self.inputs & state.keys()}
        managed |= {"name": live.name, "mustRun": live.attrs["State"]["Running"]}
        managed |= {"restart": host["RestartPolicy"]["Name"]} if "restart" in state else {}
        managed |= {
            name: host[key] // MB if host[key] > 0 else host[key]
            for name, key in (("memory", "Memory"), ("memorySwap", "MemorySwap"))
            if name in state
        }
        return object_id, managed, managed

    def update(self, object_id: str, _state: Props, inputs: Props, *, preview: bool) -> Props:
        if not preview:
            container = self.engine.client.containers.get(object_id)
            swap = inputs.get("memorySwap", -1)
            container.update(
                mem_limit=f"{inputs['memory']}m" if inputs.get("memory") else None,
                memswap_limit=f"{swap}m" if swap > 0 else swap,
                restart_policy={"Name": inputs.get("restart", "no")},
            )
            if inputs["mustRun"]:
                container.start()  # unlike a create, without waiting
        return inputs

    def delete(self, object_id: str, state: Props) -> None:
        api = self.engine.client.api
        try:
            with suppress(NotFound):
                api.stop(object_id, timeout=state.get("destroyGraceSeconds", 0))
                api.remove_container(object_id, force=True, v=True)
        except APIError as error:
            raise PluginError(f"container {state.get('name', object_id)}: {error.explanation}") from error


def _is_same(recorded: object, given: object) -> bool:
    """Return whether a value is the recorded one, in which the plugin fills in the rest and sorts lists."""
    if isinstance(recorded, dict) and isinstance(given, dict):
        return all(_is_same(recorded.get(key), given.get(key)) for key in recorded.keys() | given.keys())
    if isinstance(recorded, list) and isinstance(given, list):
        found = [next((one for one in recorded if _is_same(one, item)), None) for item in given]
        return len(recorded) == len(given) and None not in found
    return recorded == given or (recorded in EMPTY and given in EMPTY)


def _pack(path: str, content: str) -> bytes:
    archive, data = io.BytesIO(), content.encode()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(path)
        entry.size = len(data)
        entry.mode = 0o644
        tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def _build_arguments(api: docker.APIClient, inputs: Props) -> dict[str, Any]:
    """Return the arguments of the SDK's `create_container`."""
    capabilities, volumes = inputs.get("capabilities", {}), inputs.get("volumes", [])
    networks = inputs.get("networksAdvanced", [])
    host = api.create_host_config(
        binds=[
            f"{volume['volumeName']}:{volume['containerPath']}:{'ro' if volume.get('readOnly') else 'rw'}"
            for volume in volumes
            if "volumeName" in volume
        ],
        volumes_from=[volume["fromContainer"] for volume in volumes if "fromContainer" in volume],
        cap_add=capabilities.get("adds"),
        cap_drop=capabilities.get("drops"),
        init=inputs.get("init"),
        log_config=LogConfig(type=inputs.get("logDriver", "json-file"), config=inputs.get("logOpts", {})),
        mem_limit=f"{inputs['memory']}m" if inputs.get("memory") else None,
        memswap_limit=f"{inputs['memorySwap']}m" if inputs.get("memorySwap") else None,
        nano_cpus=int(float(inputs["cpus"]) * SECOND) if inputs.get("cpus") else None,
        network_mode=networks[0]["name"] if networks else inputs.get("networkMode"),
        port_bindings={
            f"{port['internal']}/tcp": (port.get("ip", "0.0.0.0"), port.get("external"))  # noqa: S104 - the default
            for port in inputs.get("ports", [])
        },
        read_only=inputs.get("readOnly"),
        restart_policy={"Name": inputs.get("restart", "no")},
        security_opt=inputs.get("securityOpts"),
        tmpfs=inputs.get("tmpfs"),
        ulimits=[
            Ulimit(name=limit["name"], soft=limit["soft"], hard=limit["hard"])
            for limit in inputs.get("ulimits", [])
        ],
    )
    return {
        "image": inputs["image"],
        "name": inputs["name"],
        "environment": inputs.get("envs", []),
        "healthcheck": _build_healthcheck(inputs["healthcheck"]) if "healthcheck" in inputs else None,
        "host_config": host,
        "labels": convert_labels(inputs),
        "ports": [port["internal"] for port in inputs.get("ports", [])],
        "volumes": [
            volume["containerPath"] for volume in volumes if not volume.keys() & {"fromContainer", "volumeName"}
        ],
        "stop_signal": inputs.get("stopSignal"),
        "stop_timeout": inputs.get("stopTimeout"),
        "user": inputs.get("user"),
    }


def _build_healthcheck(health: Props) -> dict[str, Any]:
    def nanoseconds(name: str) -> int:
        duration = health.get(name, "0s")
        try:
            return int(float(duration.removesuffix("s")) * SECOND)
        except ValueError:
            raise PluginError(f"{name} must be in seconds, such as 5s, not {duration!r}") from None

    return {
        "test": health["tests"],
        "interval": nanoseconds("interval"),
        "timeout": nanoseconds("timeout"),
        "start_period": nanoseconds("startPeriod"),
        "retries": health.get("retries", 0),
    }
