"""`docker.Volume`."""

from docker.errors import APIError, NotFound

from infra.plugin import PluginError
from infra.props import Failure, Props
from offline.docker_plugin.engine_client import DockerResource, attempts, convert_labels

IN_USE_SECONDS = 30.0


class Volume(DockerResource):
    """`docker.Volume`; an existing volume of its name is adopted without a word, as the plugin does."""

    inputs = frozenset({"labels", "name"})
    replace_on_changes = inputs

    def check(self, urn: str, inputs: Props, old: Props) -> tuple[Props, list[Failure]]:
        return self.add_name(urn, inputs, old), []

    def create(self, _urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        if not preview:
            self.engine.client.volumes.create(name=inputs["name"], labels=convert_labels(inputs))
        return str(inputs["name"]), inputs | {"driver": "local"}

    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        try:
            live = self.engine.client.volumes.get(object_id)
        except NotFound:
            return None
        labels = [{"label": key, "value": value} for key, value in sorted((live.attrs["Labels"] or {}).items())]
        if state.get("labels") and convert_labels(state) == convert_labels({"labels": labels}):
            labels = state["labels"]
        inputs = {"name": object_id} | ({"labels": labels} if labels else {})
        return object_id, inputs | {"driver": "local"}, inputs

    def update(self, _object_id: str, _state: Props, inputs: Props, *, preview: bool) -> Props:  # noqa: ARG002
        return inputs | {"driver": "local"}

    def delete(self, object_id: str, state: Props) -> None:  # noqa: ARG002
        for _ in attempts(IN_USE_SECONDS):
            try:
                self.engine.client.volumes.get(object_id).remove()
            except NotFound:
                return
            except APIError as error:
                in_use = error
            else:
                return
        raise PluginError(f"volume {object_id} is still in use: {in_use.explanation}")
