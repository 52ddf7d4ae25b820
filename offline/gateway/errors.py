"""Errors of the Admin API, with Kong's codes, names and wording (kong/db/errors.lua)."""

from .schema import Json, Row

_STATUS = {5: 409, 6: 404, 8: 500}  # the other codes are 400 (kong/api/endpoints.lua)


class AdminError(Exception):
    """An error response, with its status and JSON body."""

    def __init__(self, status: int, body: Row) -> None:
        super().__init__(body["message"])
        self.status, self.body = status, body


def plain(status: int, message: str) -> AdminError:
    return AdminError(status, {"message": message})


def not_found() -> AdminError:
    return plain(404, "Not found")


def coded(code: int, name: str, message: str, **more: Json) -> AdminError:
    return AdminError(_STATUS.get(code, 400), {"code": code, "name": name, "message": message, **more})


def schema_violation(fields: Row) -> AdminError:
    """List all errors in one line: of the entity first, then by field, items of a list counted from 1."""
    errors = list(fields.get("@entity", ()))
    for name, error in sorted(fields.items()):
        if name == "@entity":
            continue
        if isinstance(error, list):
            errors += [f"{name}.{number}: {_lua(text)}" for number, text in enumerate(error, 1) if text]
        elif isinstance(error, dict):
            errors += [f"{name}.{inner}: {_lua(text)}" for inner, text in sorted(error.items())]
        else:
            errors.append(f"{name}: {error}")
    count = "schema violation" if len(errors) == 1 else f"{len(errors)} schema violations"
    return coded(2, "schema violation", f"{count} ({'; '.join(errors)})", fields=fields)


def primary_key_violation(row_id: str) -> AdminError:
    message = f"primary key violation on key '{_keys(id=row_id)}'"
    return coded(3, "primary key violation", message, fields={"id": row_id})


def unknown_reference(field: str, row_id: str, entity: str) -> AdminError:
    message = f"the foreign key '{_keys(id=row_id)}' does not reference an existing '{entity}' entity."
    return coded(4, "foreign key violation", message, fields={field: {"id": row_id}})


def still_referenced(entity: str, by: str) -> AdminError:
    message = f"an existing '{by}' entity references this '{entity}' entity"
    return coded(4, "foreign key violation", message, fields={"@referenced_by": by})


def unique_violation(values: Row) -> AdminError:
    message = f"UNIQUE violation detected on '{_keys(**values)}'"
    return coded(5, "unique constraint violation", message, fields=values)


def nothing_to_patch(field: str, value: str) -> AdminError:
    by = "primary key " if field == "id" else ""
    message = f"could not find the entity with {by}'{_keys(**{field: value})}'"
    return coded(6, "not found", message, fields={field: value})


def unresolved_reference(field: str, key: str, value: str, entity: str) -> AdminError:
    error = f"the foreign key cannot be resolved with '{_keys(**{key: value})}' for an existing '{entity}' entity"
    message = f"foreign key unresolved ({field}.{key}: {error})"
    return coded(13, "foreign keys unresolved", message, fields={field: {key: error}})


def _keys(**values: Json) -> str:
    return _lua(values)


def _lua(value: Json) -> str:
    """Format a value as Lua does, with sorted keys: `{name="a",service={id="b"}}`."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}={_lua_item(item)}" for name, item in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "{" + ",".join(_lua_item(item) for item in value) + "}"
    return str(value)


def _lua_item(value: Json) -> str:
    if value is None:
        return "null"
    return _lua(value) if isinstance(value, dict | list) else f'"{value}"'
