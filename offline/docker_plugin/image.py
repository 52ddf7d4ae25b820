"""`docker.Image`: built on the engine, never pushed."""

from pathlib import Path

from docker.errors import APIError, BuildError

from infra.plugin import PluginError
from infra.props import UNKNOWN, Failure, Props
from offline.docker_plugin.engine import DockerResource


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
                platform=build.get("platform"),
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
