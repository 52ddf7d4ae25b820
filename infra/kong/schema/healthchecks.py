"""Records inside Kong's entities: what their shape is, what they hold by default, and what of them is managed."""

from typing import Any

from infra.props import UNKNOWN, Props

HEALTHCHECKS: Props = {
    "active": {
        "type": "http",
        "timeout": 1,
        "concurrency": 10,
        "http_path": "/",
        "https_verify_certificate": True,
        "https_sni": None,
        "headers": None,
        "healthy": {"interval": 0, "http_statuses": [200, 302], "successes": 0},
        "unhealthy": {
            "interval": 0,
            "http_statuses": [429, 404, 500, 501, 502, 503, 504, 505],
            "tcp_failures": 0,
            "timeouts": 0,
            "http_failures": 0,
        },
    },
    "passive": {
        "type": "http",
        "healthy": {"http_statuses": [*range(200, 209), 226, *range(300, 309)], "successes": 0},
        "unhealthy": {
            "http_statuses": [429, 500, 503],
            "tcp_failures": 0,
            "timeouts": 0,
            "http_failures": 0,
        },
    },
    "threshold": 0,
}
"""Kong's defaults; a given record is laid over them."""


def is_healthchecks(value: object) -> str | None:
    """A record of the shape of `HEALTHCHECKS`."""
    return _unlike(HEALTHCHECKS, value, "")


def _unlike(shape: object, value: object, where: str) -> str | None:
    if value == UNKNOWN:
        return None
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{where.rstrip('.') or 'it'} must be an object"
        for key, item in value.items():
            if key not in shape:
                return f"{where}{key}: there is no such field; there are {', '.join(shape)}"
            if wrong := _unlike(shape[key], item, f"{where}{key}."):
                return wrong
        return None
    if shape is None or isinstance(value, type(shape)):
        return None
    if isinstance(shape, int) and isinstance(value, int | float) and not isinstance(shape, bool):
        return None
    return f"{where.rstrip('.')} must be {'a list' if isinstance(shape, list) else f'like {shape!r}'}"


def pick_known(shape: object, value: object) -> Any:  # noqa: ANN401 - JSON
    """A live record with the fields of a shape alone: other versions of Kong have more, or fewer."""
    if isinstance(shape, dict) and isinstance(value, dict):
        return {key: pick_known(default, value.get(key, default)) for key, default in shape.items()}
    return value


def merge_defaults(shape: object, value: object) -> Any:  # noqa: ANN401 - JSON
    """A record with the defaults of its shape where it says nothing."""
    if isinstance(shape, dict) and isinstance(value, dict):
        return shape | {key: merge_defaults(shape.get(key), item) for key, item in value.items()}
    return value
