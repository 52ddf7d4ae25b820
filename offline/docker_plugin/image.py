"""`docker.Image`: built on the engine, never pushed."""

import hashlib
import platform
import stat
from pathlib import Path

from docker.errors import APIError, BuildError

from infra.plugin import PluginError, inform
from infra.props import UNKNOWN, Failure, Props
from offline.docker_plugin.engine import DockerResource

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
BUILT_FROM = "__inputs"
"""Where the plugin keeps the inputs of the last build, as a secret. They alone decide whether it builds again."""


class Image(DockerResource):
    """`docker.Image` with `skipPush`: built on create and on a changed input, kept on delete."""

    inputs = frozenset({"build", "buildOnPreview", "imageName", "skipPush"})
    secrets = frozenset({BUILT_FROM})

    def check(self, urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        if not inputs.get("skipPush"):
            return inputs, [Failure("skipPush", "this stand-in can't push: set skipPush, or install the plugin")]
        build = inputs["build"]
        build |= {"contextDigest": context_digest(Path(build["context"]), Path(build["dockerfile"]))}
        if not build.get("platform"):
            build["platform"] = f"linux/{ARCHITECTURES.get(platform.machine(), platform.machine())}"
            inform(
                f"Building your image for {build['platform']} architecture.\nTo ensure you are building for the "
                "correct platform, consider explicitly setting the `platform` field on ImageBuildOptions.",
                urn,
            )
        return inputs, []

    def recorded(self, state: Props) -> Props:
        built_from: Props = state.get(BUILT_FROM) or {}
        return built_from

    def create(self, _urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        return str(inputs["imageName"]), self._outputs(inputs, preview=preview)

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        return object_id, state, {name: state[name] for name in self.inputs & state.keys()}

    def update(self, _object_id: str, _state: Props, inputs: Props, *, preview: bool) -> Props:
        return self._outputs(inputs, preview=preview)

    def delete(self, object_id: str, state: Props) -> None:
        pass

    def _outputs(self, inputs: Props, *, preview: bool) -> Props:
        if preview:
            return inputs | {"repoDigest": UNKNOWN}
        return inputs | {"repoDigest": self._build(inputs), BUILT_FROM: inputs}

    def _build(self, inputs: Props) -> str:
        build = inputs["build"]
        context = Path(build["context"]).resolve()
        try:
            image, _ = self.engine.client.images.build(
                path=str(context),
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
            raise PluginError(f"the image does not build: {error.msg}\n{''.join(lines[-20:])}") from error
        except (APIError, TypeError, OSError) as error:
            raise PluginError(f"the image does not build: {error}") from error
        return str(image.id)


def context_digest(context: Path, dockerfile: Path) -> str:
    """The plugin's hash of a build's context: names, modes with all their bits, and content.

    It is the same as that of `hashContext` in the plugin's provider/provider.go, for plain files and a folder
    without a .dockerignore.
    """
    digest = hashlib.sha256(_hashed("Dockerfile", "-" * 10, dockerfile))
    for file in sorted(context.rglob("*"), key=lambda file: file.relative_to(context).parts):
        if file.is_file():
            digest.update(_hashed(file.relative_to(context).as_posix(), stat.filemode(file.stat().st_mode), file))
    return digest.hexdigest()


def _hashed(name: str, mode: str, file: Path) -> bytes:
    return f"{name}{mode}".encode() + hashlib.sha256(file.read_bytes()).digest() + b"\0"
