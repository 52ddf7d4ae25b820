"""A resource type, as a provider implements it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from infra.props import Failure, Props


class PluginError(Exception):
    """A call failed. The message says why and what to do about it, and is shown to the user unchanged."""

    metadata: Sequence[tuple[str, bytes]] = ()
    """gRPC trailing metadata with details for the engine."""


class Resource(ABC):
    """One resource type. All methods may block: each call runs in a thread of its own."""

    inputs: frozenset[str]
    """The names of all inputs."""

    replace_on_changes: frozenset[str] = frozenset()
    """The inputs whose change replaces the object instead of updating it."""

    delete_before_replace: bool = False

    secrets: frozenset[str] = frozenset()
    """The properties that are secret, whether the program marks them or not."""

    def check(self, _urn: str, inputs: Props, _old: Props) -> tuple[Props, list[Failure]]:
        """Fill in defaults and find every invalid input. `_old` is empty for a new resource."""
        return inputs, []

    def recorded(self, state: Props) -> Props:
        """Return the inputs that the object was last created or updated with, from its state."""
        return state

    def diff(self, state: Props, inputs: Props) -> set[str]:
        """Return the names of the inputs that differ from the recorded ones."""
        return {name for name in self.inputs if state.get(name) != inputs.get(name)}

    def keeps_id(self, _urn: str, _object_id: str, _inputs: Props) -> bool:
        """Return whether a replacement would have the same id: then every change is an update."""
        return False

    @abstractmethod
    def create(self, urn: str, inputs: Props, *, preview: bool) -> tuple[str, Props]:
        """Create the object, unless in a preview; return its id and outputs, as far as they are known."""

    @abstractmethod
    def read(self, object_id: str, state: Props) -> tuple[str, Props, Props] | None:
        """Return the live object's id, outputs and inputs; None if there is none. On import `state` is empty."""

    @abstractmethod
    def update(self, object_id: str, state: Props, inputs: Props, *, preview: bool) -> Props:
        """Update the object in place, unless in a preview; return its outputs."""

    @abstractmethod
    def delete(self, object_id: str, state: Props) -> None:
        """Delete the object. It is no error if it does not exist."""
