"""Stand-in for Pulumi's Docker plugin, for machines where the official one can't be downloaded.

It answers `docker.Image`, `docker.Volume` and `docker.Container` the way plugin 5.2 does, for the inputs this
project uses, over the Docker engine's own API. It can't push to a registry, build with BuildKit, or see drift
other than a container that is gone or stopped.
"""

import os
import secrets
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, BuildError, DockerException, NotFound
from docker.models.containers import Container as LiveContainer
from docker.types import LogConfig, Ulimit

from infra.plugin import UNKNOWN, Failure, InitFailedError, PluginError, Props, Provider, Resource, serve

CONTAINER_IN_PLACE = frozenset({
    "destroyGraceSeconds", "healthcheck", "init", "memory", "memorySwap", "mustRun", "restart", "tmpfs", "wait",
    "waitTimeout",
})  # fmt: skip
CONTAINER_REPLACED = frozenset({
    "capabilities", "command", "envs", "image", "labels", "logDriver", "logOpts", "name", "networksAdvanced",
    "readOnly", "securityOpts", "stopSignal", "stopTimeout", "ulimits", "user", "volumes",
})  # fmt: skip
VOLUME_IN_USE_SECONDS = 30.0
POLL_SECONDS = 0.1
SECOND = 1_000_000_000  # the engine's API counts nanoseconds


class Engine:
    """The Docker engine that the provider is configured for, connected to when first used."""

    def __init__(self) -> None:
        self._host: str | None = None
        self._client: docker.DockerClient | None = None

    def configure(self, config: Props) -> None:
        self._host = config.get("host") or os.environ.get("DOCKER_HOST")

    @property
    def client(self) -> docker.DockerClient:
        if self._client is None:
            where = self._host or "the default socket"
            try:
                client = docker.DockerClient(
                    base_url=self._host, use_ssh_client=(self._host or "").startswith("ssh://"), timeout=600
                )
                client.ping()
            except DockerException as error:
                raise PluginError(f"no Docker engine answers at {where}: {error}") from error
            self._client = client
        return self._client


class DockerResource(Resource):
    """What the three types share: an engine, and names that are made up where none is given."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def named(self, urn: str, inputs: Props, old: Props) -> Props:
        """The inputs with a name: kept from the old ones, or the logical name and seven hexadecimal digits."""
        if inputs.get("name"):
            return inputs
        return inputs | {"name": old.get("name") or f"{urn.rpartition('::')[2]}-{secrets.token_hex(4)[:7]}"}


class Image(DockerResource):
    """`docker.Image` with `skipPush`: built on create and on a changed name, kept on delete."""

    inputs = frozenset({"build", "buildOnPreview", "imageName", "skipPush"})

    def check(self, _urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        if not inputs.get("skipPush"):
            return inputs, [Failure("skipPush", "this stand-in can't push: set skipPush, or install the plugin")]
        return inputs, []

    def create(self, _urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        name = inputs["imageName"]
        return str(name), inputs | {"repoDigest": UNKNOWN if preview else self._build(inputs)}

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        return object_id, state, {name: state[name] for name in self.inputs & state.keys()}

    def update(self, _object_id: str, _state: Props, inputs: Props, *, preview: bool) -> Props:
        return inputs | {"repoDigest": UNKNOWN if preview else self._build(inputs)}

    def delete(self, object_id: str, state: Props) -> None:
        pass

    def _build(self, inputs: Props) -> str:
        build = inputs["build"]
        context = Path(build["context"]).resolve()
        try:
            image, _ = self.engine.client.images.build(
                path=str(context),
                dockerfile=str(Path(build.get("dockerfile", "Dockerfile")).resolve()),
                buildargs=build.get("args"),
                target=build.get("target"),
                tag=inputs["imageName"],
                rm=True,
                forcerm=True,
            )
        except BuildError as error:
            lines = [entry["stream"] for entry in error.build_log if "stream" in entry]
            raise PluginError(f"the image does not build: {error.msg}\n{''.join(lines[-20:])}") from error
        except (APIError, TypeError, OSError) as error:
            raise PluginError(f"the image does not build: {error}") from error
        return str(image.id)


class Volume(DockerResource):
    """`docker.Volume`: one of a name that exists already is taken over silently, as the plugin does."""

    inputs = frozenset({"labels", "name"})
    replaced_on = inputs

    def check(self, urn: str, inputs: Props, old: Props) -> tuple[Props, list[Failure]]:
        return self.named(urn, inputs, old), []

    def create(self, _urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        if not preview:
            self.engine.client.volumes.create(name=inputs["name"], labels=_labels(inputs))
        return str(inputs["name"]), inputs | {"driver": "local"}

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        try:
            live = self.engine.client.volumes.get(object_id)
        except NotFound:
            return None
        labels = [{"label": key, "value": value} for key, value in sorted((live.attrs["Labels"] or {}).items())]
        if state.get("labels") and _labels(state) == _labels({"labels": labels}):
            labels = state["labels"]
        inputs = {"name": object_id} | ({"labels": labels} if labels else {})
        return object_id, inputs | {"driver": "local"}, inputs

    def update(self, _object_id: str, _state: Props, inputs: Props, *, preview: bool) -> Props:  # noqa: ARG002
        return inputs | {"driver": "local"}

    def delete(self, object_id: str, state: Props) -> None:  # noqa: ARG002
        for _ in _until(VOLUME_IN_USE_SECONDS):
            try:
                self.engine.client.volumes.get(object_id).remove()
            except NotFound:
                return
            except APIError as error:
                in_use = error
            else:
                return
        raise PluginError(f"volume {object_id} is still in use: {in_use.explanation}")


class Container(DockerResource):
    """`docker.Container`, which with `wait` is there when its health check says so."""

    inputs = CONTAINER_IN_PLACE | CONTAINER_REPLACED
    replaced_on = CONTAINER_REPLACED

    def check(self, urn: str, inputs: Props, old: Props) -> tuple[Props, list[Failure]]:
        strange = sorted(inputs.keys() - self.inputs)
        failures = [Failure(name, "this stand-in for the Docker plugin doesn't know it") for name in strange]
        return self.named(urn, {"mustRun": True} | inputs, old), failures

    def create(self, _urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        if preview:
            return "", inputs
        api = self.engine.client.api
        try:
            made = api.create_container(**_create_arguments(api, inputs))
            container = self.engine.client.containers.get(made["Id"])
            self._start(container, inputs)
        except APIError as error:
            raise PluginError(f"container {inputs['name']}: {error.explanation}") from error
        return str(container.id), inputs

    def _start(self, container: LiveContainer, inputs: Props) -> None:
        container.start()
        if not inputs.get("wait"):
            return
        limit = float(inputs.get("waitTimeout", 60))
        for _ in _until(limit):
            container.reload()
            state = container.attrs["State"]
            if state.get("Health", {}).get("Status") == "healthy":
                return
        tail = container.logs(tail=20).decode(errors="replace")
        raise InitFailedError(
            f"container {inputs['name']} is not healthy after {limit:.0f} s. It last said:\n{tail}",
            str(container.id),
            inputs,
        )

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        try:
            live = self.engine.client.containers.get(object_id)
        except NotFound:
            return None
        managed = {name: state[name] for name in self.inputs & state.keys()}
        managed["mustRun"] = live.status == "running"
        return object_id, managed, managed

    def update(self, object_id: str, _state: Props, inputs: Props, *, preview: bool) -> Props:
        if not preview:
            container = self.engine.client.containers.get(object_id)
            if inputs.get("memory"):
                swap = inputs.get("memorySwap", -1)
                container.update(mem_limit=f"{inputs['memory']}m", memswap_limit=f"{swap}m" if swap > 0 else swap)
            if inputs["mustRun"]:
                self._start(container, inputs)
        return inputs

    def delete(self, object_id: str, state: Props) -> None:
        try:
            container = self.engine.client.containers.get(object_id)
            container.stop(timeout=state.get("destroyGraceSeconds", 10))
            container.remove(force=True, v=True)
        except NotFound:
            pass
        except APIError as error:
            raise PluginError(f"container {state.get('name', object_id)}: {error.explanation}") from error


def _until(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() > deadline:
            return
        time.sleep(POLL_SECONDS)


def _labels(inputs: Props) -> dict[str, str]:
    return {item["label"]: item["value"] for item in inputs.get("labels", [])}


def _nanoseconds(duration: str) -> int:
    """`5s`, `250ms` or `1m` as the engine's API wants it."""
    for unit, size in (("ms", SECOND // 1000), ("s", SECOND), ("m", 60 * SECOND)):
        number = duration.removesuffix(unit)
        if number != duration:
            return int(float(number) * size)
    raise PluginError(f"{duration!r} is no duration such as 5s, 250ms or 1m")


def _create_arguments(api: docker.APIClient, inputs: Props) -> dict[str, Any]:
    capabilities = inputs.get("capabilities", {})
    health = inputs.get("healthcheck")
    networks = inputs.get("networksAdvanced", [])
    host = api.create_host_config(
        binds=[
            f"{volume['volumeName']}:{volume['containerPath']}:{'ro' if volume.get('readOnly') else 'rw'}"
            for volume in inputs.get("volumes", [])
        ],
        cap_add=capabilities.get("adds"),
        cap_drop=capabilities.get("drops"),
        init=inputs.get("init"),
        log_config=LogConfig(type=inputs.get("logDriver", "json-file"), config=inputs.get("logOpts", {})),
        mem_limit=f"{inputs['memory']}m" if inputs.get("memory") else None,
        memswap_limit=f"{inputs['memorySwap']}m" if inputs.get("memorySwap") else None,
        network_mode=networks[0]["name"] if networks else None,
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
        "command": inputs.get("command"),
        "environment": inputs.get("envs", []),
        "healthcheck": health
        and {
            "test": health["tests"],
            "interval": _nanoseconds(health.get("interval", "0s")),
            "timeout": _nanoseconds(health.get("timeout", "0s")),
            "start_period": _nanoseconds(health.get("startPeriod", "0s")),
            "retries": health.get("retries", 0),
        },
        "host_config": host,
        "labels": _labels(inputs),
        "networking_config": {
            "EndpointsConfig": {
                network["name"]: api.create_endpoint_config(aliases=network.get("aliases"))
                for network in networks[:1]
            }
        },
        "stop_signal": inputs.get("stopSignal"),
        "stop_timeout": inputs.get("stopTimeout"),
        "user": inputs.get("user"),
    }  # fmt: skip


if __name__ == "__main__":
    engine = Engine()
    serve(
        Provider(
            {
                "docker:index/container:Container": Container(engine),
                "docker:index/image:Image": Image(engine),
                "docker:index/volume:Volume": Volume(engine),
            },
            engine.configure,
        ),
        version("pulumi-docker"),
    )
