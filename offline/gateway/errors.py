"""What the Admin API answers when it refuses: Kong's codes, names and wording (kong/db/errors.lua)."""

from .fields import Json, Row

_STATUS = {5: 409, 6: 404, 8: 500}  # the other codes are 400 (kong/api/endpoints.lua)


class RefusedError(Exception):
    """An answer that is not the one asked for, with its status and JSON body."""

    def __init__(self, status: int, body: Row) -> None:
        super().__init__(body["message"])
        self.status, self.body = status, body


def plain(status: int, message: str) -> RefusedError:
    return RefusedError(status, {"message": message})


def not_found() -> RefusedError:
    return plain(404, "Not found")


def coded(code: int, name: str, message: str, **more: Json) -> RefusedError:
    return RefusedError(_STATUS.get(code, 400), {"code": code, "name": name, "message": message, **more})


def schema_violation(fields: Row) -> RefusedError:
    """Says all faults in one line: of the whole entity first, then by field, list items counted from 1."""
    said = list(fields.get("@entity", ()))
    for name, fault in sorted(fields.items()):
        if name == "@entity":
            continue
        if isinstance(fault, list):
            said += [f"{name}.{place}: {_lua(text)}" for place, text in enumerate(fault, 1) if text]
        elif isinstance(fault, dict):
            said += [f"{name}.{inner}: {_lua(text)}" for inner, text in sorted(fault.items())]
        else:
            said.append(f"{name}: {fault}")
    count = "schema violation" if len(said) == 1 else f"{len(said)} schema violations"
    return coded(2, "schema violation", f"{count} ({'; '.join(said)})", fields=fields)


def primary_key_violation(row_id: str) -> RefusedError:
    return coded(
        3,
        "primary key violation",
        f"primary key violation on key '{_keys(id=row_id)}'",
        fields={"id": row_id},
    )


def unknown_reference(field: str, row_id: str, entity: str) -> RefusedError:
    message = f"the foreign key '{_keys(id=row_id)}' does not reference an existing '{entity}' entity."
    return coded(4, "foreign key violation", message, fields={field: {"id": row_id}})


def still_referenced(entity: str, by: str) -> RefusedError:
    message = f"an existing '{by}' entity references this '{entity}' entity"
    return coded(4, "foreign key violation", message, fields={"@referenced_by": by})


def unique_violation(values: Row) -> RefusedError:
    message = f"UNIQUE violation detected on '{_keys(**values)}'"
    return coded(5, "unique constraint violation", message, fields=values)


def nothing_to_patch(field: str, value: str) -> RefusedError:
    by = "primary key " if field == "id" else ""
    message = f"could not find the entity with {by}'{_keys(**{field: value})}'"
    return coded(6, "not found", message, fields={field: value})


def unresolved_reference(field: str, key: str, value: str, entity: str) -> RefusedError:
    fault = f"the foreign key cannot be resolved with '{_keys(**{key: value})}' for an existing '{entity}' entity"
    message = f"foreign key unresolved ({field}.{key}: {fault})"
    return coded(13, "foreign keys unresolved", message, fields={field: {key: fault}})


def _keys(**values: Json) -> str:
    return _lua(values)


def _lua(value: Json) -> str:
    """A value as Lua writes it, keys sorted: `{name="a",service={id="b"}}`."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}={_lua_item(item)}" for name, item in sorted(value.items())) + "}"
    if isinstance(value, list):
        return "{" + ",".join(_lua_item(item) for item in value) + "}"
    return str(value)


def _lua_item(value: Json) -> str:
    if value is None:
        return "null"
    return _lua(value) if isinstance(value, dict | list) else f'"{value}"'
