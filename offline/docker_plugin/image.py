"""`docker.Image`: built on the engine, and pushed to a registry."""

import hashlib
import platform
import stat
from pathlib import Path

from docker.errors import APIError, BuildError

from infra.plugin import PluginError, log
from infra.props import UNKNOWN, Failure, Props
from offline.docker_plugin.engine_client import DockerResource

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
BUILT_FROM = "__inputs"
"""Where the plugin keeps the inputs of the last build, as a secret. They alone decide whether it builds again."""


class Image(DockerResource):
    """`docker.Image`: built and pushed on create and when an input changes, kept on delete."""

    inputs = frozenset({"build", "buildOnPreview", "imageName", "registry", "skipPush"})
    secrets = frozenset({BUILT_FROM})

    def check(self, urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        if not inputs.get("skipPush") and not _has_host(inputs["imageName"]):
            raise PluginError(
                f"{inputs['imageName']!r}: repository name must be canonical.\nThis resource requires all image "
                "names to be fully qualified."
            )
        build = inputs["build"]
        build |= {"contextDigest": hash_context(Path(build["context"]), Path(build["dockerfile"]))}
        if not build.get("platform"):
            build["platform"] = f"linux/{ARCHITECTURES.get(platform.machine(), platform.machine())}"
            log(
                "INFO",
                f"Building your image for {build['platform']} architecture.\nTo ensure you are building for the "
                "correct platform, consider explicitly setting the `platform` field on ImageBuildOptions.",
                urn,
            )
        return inputs, []

    def recorded(self, state: Props) -> Props:
        built_from: Props = state.get(BUILT_FROM) or {}
        return built_from

    def diff(self, state: Props, inputs: Props) -> set[str]:
        return super().diff(_remove_credentials(state), _remove_credentials(inputs))

    def create(self, _urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        return str(inputs["imageName"]), self._build_outputs(inputs, preview=preview)

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        return object_id, state, {name: state[name] for name in self.inputs & state.keys()}

    def update(self, _object_id: str, _state: Props, inputs: Props, *, preview: bool) -> Props:
        return self._build_outputs(inputs, preview=preview)

    def delete(self, object_id: str, state: Props) -> None:
        pass

    def _build_outputs(self, inputs: Props, *, preview: bool) -> Props:
        if preview:
            return inputs | {"repoDigest": UNKNOWN}
        image_id = self._build(inputs)
        return inputs | {
            "baseImageName": inputs["imageName"],
            "registryServer": inputs.get("registry", {}).get("server", ""),
            "repoDigest": image_id if inputs.get("skipPush") else self._push(inputs),
            BUILT_FROM: inputs,
        }

    def _build(self, inputs: Props) -> str:
        """Build the image and return its id."""
        build = inputs["build"]
        try:
            image, _ = self.engine.client.images.build(
                path=str(Path(build["context"]).resolve()),
                dockerfile=str(Path(build["dockerfile"]).resolve()),
                buildargs=build.get("args"),
                target=build.get("target"),
                platform=build["platform"],
                tag=inputs["imageName"],
                rm=True,
                forcerm=True,
            )
        except BuildError as error:
            lines = [entry["stream"] for entry in error.build_log if "stream" in entry]
            raise PluginError(f"the image build failed: {error.msg}\n{''.join(lines[-20:])}") from error
        except (APIError, TypeError, OSError) as error:
            raise PluginError(f"the image build failed: {error}") from error
        return str(image.id)

    def _push(self, inputs: Props) -> str:
        """Push with the resource's credentials, or else those of `docker login`; return `repository@digest`."""
        name, registry = str(inputs["imageName"]), inputs.get("registry", {})
        credentials = {key: registry.get(key) for key in ("username", "password")}
        digest = ""
        try:
            for line in self.engine.client.api.push(
                name, auth_config=credentials if all(credentials.values()) else None, stream=True, decode=True
            ):
                if "error" in line:
                    raise PluginError(f"error reading push output: {line['error']}")
                digest = line.get("aux", {}).get("Digest", digest)
        except APIError as error:
            raise PluginError(f"the image could not be pushed: {error}") from error
        return f"{name.rpartition(':')[0]}@{digest}"


def _has_host(name: str) -> bool:
    """Return whether an image's name starts with a registry's host."""
    host, slash, _ = name.partition("/")
    return bool(slash) and (host == "localhost" or not {".", ":"}.isdisjoint(host))


def _remove_credentials(inputs: Props) -> Props:
    """Return the inputs without the registry's credentials, whose change needs no new build."""
    if not inputs.get("registry"):
        return inputs
    return inputs | {"registry": {"server": inputs["registry"].get("server")}}


def hash_context(context: Path, dockerfile: Path) -> str:
    """Return the plugin's hash of a build context: names, all bits of the modes, and content.

    It equals `hashContext` of the plugin's provider/provider.go for plain files without a .dockerignore.
    """
    digest = hashlib.sha256(_hash_file("Dockerfile", "-" * 10, dockerfile))
    for file in sorted(context.rglob("*"), key=lambda file: file.relative_to(context).parts):
        if file.is_file():
            mode = stat.filemode(file.stat().st_mode)
            digest.update(_hash_file(file.relative_to(context).as_posix(), mode, file))
    return digest.hexdigest()


def _hash_file(name: str, mode: str, file: Path) -> bytes:
    return f"{name}{mode}".encode() + hashlib.sha256(file.read_bytes()).digest() + b"\0"
