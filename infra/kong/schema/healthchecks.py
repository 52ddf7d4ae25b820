"""The health checks of an upstream: Kong's defaults, and how a given record is merged with them."""

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
"""Kong's defaults: `kong/db/schema/entities/upstreams.lua`."""


def check_healthchecks(value: object) -> str | None:
    """Return where a record differs in shape from `HEALTHCHECKS`."""
    return _find_mismatch(HEALTHCHECKS, value, "")


def _find_mismatch(shape: object, value: object, path: str) -> str | None:
    if value == UNKNOWN:
        return None
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{path.rstrip('.') or 'it'} must be an object"
        for key, item in value.items():
            if key not in shape:
                return f"{path}{key}: unknown field; known fields: {', '.join(shape)}"
            if wrong := _find_mismatch(shape[key], item, f"{path}{key}."):
                return wrong
        return None
    if shape is None or isinstance(value, type(shape)):
        return None
    if isinstance(shape, int) and isinstance(value, int | float) and not isinstance(shape, bool):
        return None
    return f"{path.rstrip('.')} must be {'a list' if isinstance(shape, list) else f'like {shape!r}'}"


def pick_known(shape: object, value: object) -> object:
    """Return a live record with exactly the fields of `shape`: other versions of Kong have more, or fewer."""
    if isinstance(shape, dict) and isinstance(value, dict):
        return {key: pick_known(default, value.get(key, default)) for key, default in shape.items()}
    return value


def merge_defaults(shape: object, value: object) -> object:
    """Return a record with the defaults of `shape` for what it leaves out."""
    if isinstance(shape, dict) and isinstance(value, dict):
        return shape | {key: merge_defaults(shape.get(key), item) for key, item in value.items()}
    return value
