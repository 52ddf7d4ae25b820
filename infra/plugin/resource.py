"""A resource type, as a provider has to write it."""

from abc import ABC, abstractmethod

from infra.props import Failure, Props


class PluginError(Exception):
    """What went wrong and what to do about it; shown to the user as it is."""


class InitFailedError(PluginError):
    """An object was made but doesn't work: it goes into the state, so that the next run can replace it."""

    def __init__(self, reason: str, object_id: str, outputs: Props) -> None:
        super().__init__(reason)
        self.object_id = object_id
        self.outputs = outputs


class Resource(ABC):
    """One resource type. All methods may block: each call has a thread of its own."""

    inputs: frozenset[str]
    """The names of all its inputs."""

    replace_on_changes: frozenset[str] = frozenset()
    """Inputs whose change makes a new object rather than an update."""

    def check(self, _urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        """Fill in defaults and name every wrong input. `_old` is empty for a new resource."""
        return inputs, []

    def recorded(self, state: Props) -> Props:
        """The inputs that the object was made of, as its state has them."""
        return state

    def diff(self, state: Props, inputs: Props) -> set[str]:
        """The names of the inputs that differ from the recorded state."""
        return {name for name in self.inputs if state.get(name) != inputs.get(name)}

    secrets: frozenset[str] = frozenset()
    """Properties that are secret, wherever they come from."""

    takes_timeouts: bool = True
    """Whether `custom_timeouts` end its calls."""

    delete_before_replace: bool = False
    """Whether a replacement has to wait until what it replaces is gone."""

    def keeps_id(self, _urn: str, _object_id: str, _inputs: Props) -> bool:
        """Whether a new object would have the very same id: then a change is never a replacement."""
        return False

    @abstractmethod
    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        """Make the object (in a preview: only tell what is known of it); its id and outputs."""

    @abstractmethod
    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        """The live object's id, outputs and inputs; None when it is gone. `state` is empty on import."""

    @abstractmethod
    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:
        """Change the object in place; its outputs."""

    @abstractmethod
    def delete(self, object_id: str, state: Props) -> None:
        """Remove the object. One that is gone already is no error."""
