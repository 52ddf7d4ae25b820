"""Property values on the wire, and as plain JSON."""

from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct

from infra.props import Props

_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key of an object that is more than JSON, such as a secret. Pulumi's `sdk/go/common/resource/sig`."""

_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - what marks one


def to_json(value: object) -> Any:  # noqa: ANN401 - JSON
    """Convert a value to JSON, secrets to what they protect. Integers arrive as floats, and become int again."""
    if isinstance(value, Struct):
        if _SIGNATURE in value and value[_SIGNATURE] == _SECRET:
            return to_json(value["value"])
        return to_props(value)
    if isinstance(value, ListValue):
        return [to_json(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def to_props(properties: Struct) -> Props:
    """Convert the properties of a request."""
    return {name: to_json(value) for name, value in properties.items()}


def to_struct(properties: Props, secrets: frozenset[str] = frozenset()) -> Struct:
    """Convert properties for the engine, which stores secret ones encrypted."""
    struct = Struct()
    struct.update({
        name: {_SIGNATURE: _SECRET, "value": value} if name in secrets and value is not None else value
        for name, value in properties.items()
    })  # fmt: skip
    return struct
