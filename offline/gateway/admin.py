"""The Admin API over HTTP: which rows a path names, and each verb once for all entities."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote, urlencode

from aiohttp import web

from . import errors
from .balancer import Balancer
from .checks import is_uuid
from .entities import ENTITIES
from .entities.entity import Entity
from .node import VERSION, Answer, Node
from .queries import format_cursor, parse_page, parse_tags
from .request_body import FieldsFor, read_body
from .schema import Field, Json, Row
from .store import Store

LARGEST_BODY = 10 * 1024 * 1024  # nginx_admin_client_max_body_size

Verb = Callable[[Row, Mapping[str, str]], Answer]
Endpoint = tuple[FieldsFor, Mapping[str, Verb]]

_log = logging.getLogger(__name__)
_COLLECTIONS = {entity.path or entity.name: entity for entity in ENTITIES.values()}
_CHILDREN = _COLLECTIONS | {"key-auth": ENTITIES["keyauth_credentials"]}  # kong/plugins/key-auth/api.lua


@dataclass(frozen=True)
class Location:
    """What a path names: the rows of an entity, or one of them, perhaps only those of a parent."""

    entity: Entity
    path: str
    key: str = ""
    parent: Mapping[str, str] | None = None  # {foreign key: the parent's id}

    @property
    def references(self) -> Row:
        return {field: {"id": parent} for field, parent in (self.parent or {}).items()}


class Admin:
    """Handles requests of the Admin API; a write is acknowledged once it is saved."""

    def __init__(self, store: Store, balancer: Balancer, refresh: float) -> None:
        self._store = store
        self._node = Node(store, balancer, refresh)

    async def handle(self, request: web.Request) -> web.Response:
        started = time.monotonic()
        self._node.requests += 1
        try:
            response = await self._respond(request)
        except errors.AdminError as error:
            response = _json(error.status, error.body)
        except OSError:
            _log.exception("the state file cannot be written")
            response = _json(500, {"message": "An unexpected error occurred"})
        response.headers["Server"] = f"kong/{VERSION}"
        response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["X-Kong-Admin-Latency"] = str(int((time.monotonic() - started) * 1000))
        return response

    async def _respond(self, request: web.Request) -> web.Response:
        parts = [unquote(part) for part in request.raw_path.partition("?")[0].split("/") if part]
        fields_for, verbs = self._resolve(parts)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in verbs:
            raise errors.plain(405, "Method not allowed")
        body = await read_body(request, fields_for) if method in ("POST", "PUT", "PATCH") else {}
        if body is None:
            html = "<html><head><title>415 Unsupported Media Type</title></head></html>"
            return web.Response(status=415, text=html, content_type="text/html")
        status, answer = verbs[method](body, request.query)
        if method != "GET":
            await self._store.save()
        return _json(status, answer)

    def _resolve(self, parts: list[str]) -> Endpoint:
        match parts:
            case []:
                return _no_fields, {"GET": self._node.describe}
            case ["status"]:
                return _no_fields, {"GET": self._node.show_status}
            case ["tags"]:
                return _no_fields, {"GET": partial(self._node.list_tags, None)}
            case ["tags", tag]:
                return _no_fields, {"GET": partial(self._node.list_tags, tag)}
            case ["schemas", name, "validate"] if name in ENTITIES:
                return ENTITIES[name].fields_for, {"POST": partial(self._validate, ENTITIES[name])}
            case ["upstreams", key, "health"]:
                return _no_fields, {"GET": partial(self._node.show_health, self._find_existing("upstreams", key))}
            case ["upstreams", key, "targets", "all"]:
                location = self._locate_children("upstreams", key, "targets")
                return _no_fields, {"GET": partial(self._list, location)}
            case [name] if name in _COLLECTIONS and _COLLECTIONS[name].is_listed:
                return self._collection(Location(_COLLECTIONS[name], f"/{name}"))
            case [name, key] if name in _COLLECTIONS and _COLLECTIONS[name].is_listed:
                return self._member(Location(_COLLECTIONS[name], f"/{name}", key))
            case [name, key, child]:
                return self._collection(self._locate_children(name, key, child))
            case [name, key, child, child_key]:
                return self._member(self._locate_children(name, key, child, child_key))
        raise errors.not_found()

    def _find_existing(self, name: str, key: str) -> Row:
        entity = _COLLECTIONS.get(name)
        row = self._store.find(entity, key) if entity and entity.is_listed else None
        if row is None:
            raise errors.not_found()
        return row

    def _locate_children(self, name: str, key: str, child: str, child_key: str = "") -> Location:
        fields = _CHILDREN[child].fields if child in _CHILDREN else {}
        for field_name, field in fields.items():
            if name in _COLLECTIONS and field.reference == _COLLECTIONS[name].name:
                parent = self._find_existing(name, key)
                return Location(_CHILDREN[child], f"/{name}/{key}/{child}", child_key, {field_name: parent["id"]})
        raise errors.not_found()

    def _collection(self, location: Location) -> Endpoint:
        verbs = {"GET": partial(self._list, location), "POST": partial(self._create, location)}
        return location.entity.fields_for, verbs

    def _member(self, location: Location) -> Endpoint:
        verbs = {"GET": self._show, "PUT": self._replace, "PATCH": self._patch, "DELETE": self._delete}

        def fields_for(body: Row) -> Mapping[str, Field]:
            return location.entity.fields_for((self._find_in_parent(location) or {}) | body)

        return fields_for, {method: partial(verb, location) for method, verb in verbs.items()}

    def _list(self, location: Location, _body: Row, query: Mapping[str, str]) -> Answer:
        size, after = parse_page(query)
        matches = parse_tags(query)
        rows = [
            row
            for row in self._store.list_rows(location.entity.name, **location.parent or {})
            if matches(row.get("tags"))
        ]
        if "custom_id" in query and location.entity.name == "consumers":
            rows = [row for row in rows if row["custom_id"] == query["custom_id"]]
        rows = [row for row in rows if row["id"] > after]
        data = [self._store.render(location.entity, row) for row in rows[:size]]
        if len(rows) <= size:
            return 200, {"data": data, "next": None}
        cursor = format_cursor(data[-1]["id"])
        kept = {name: query[name] for name in ("size", "tags") if name in query and not location.parent}
        following = f"{location.path}?{urlencode({'offset': cursor} | kept)}"
        return 200, {"data": data, "next": following, "offset": cursor}

    def _create(self, location: Location, body: Row, _query: Mapping[str, str]) -> Answer:
        row = self._store.insert(location.entity, body | location.references)
        return 201, self._store.render(location.entity, row)

    def _show(self, location: Location, _body: Row, _query: Mapping[str, str]) -> Answer:
        if (row := self._find_in_parent(location)) is None:
            raise errors.not_found()
        return 200, self._store.render(location.entity, row)

    def _replace(self, location: Location, body: Row, _query: Mapping[str, str]) -> Answer:
        entity = location.entity
        old = self._find(location)
        # Targets are created by POST alone, and found in their upstream alone (kong/api/routes/upstreams.lua).
        if not entity.is_listed and self._find_in_parent(location) is None:
            raise errors.not_found()
        if is_uuid(location.key):
            body = body | {"id": location.key.lower()}
        else:
            body = body | {entity.key: location.key} | ({"id": old["id"]} if old else {})
        return 200, self._store.render(entity, self._store.upsert(entity, body | location.references))

    def _patch(self, location: Location, body: Row, _query: Mapping[str, str]) -> Answer:
        if (row := self._find_in_parent(location)) is not None:
            return 200, self._store.render(location.entity, self._store.update(location.entity, row, body))
        if location.parent:
            raise errors.not_found()
        raise errors.nothing_to_patch("id" if is_uuid(location.key) else location.entity.key, location.key)

    def _delete(self, location: Location, _body: Row, _query: Mapping[str, str]) -> Answer:
        row = self._find_in_parent(location)
        if row is not None:
            self._store.delete(location.entity, row)
        elif location.parent:
            raise errors.not_found()
        return 204, None

    def _validate(self, entity: Entity, body: Row, _query: Mapping[str, str]) -> Answer:
        self._store.validate(entity, body)
        return 200, {"message": "schema validation successful"}

    def _find(self, location: Location) -> Row | None:
        entity = location.entity
        field = entity.fields.get(entity.key)
        if not is_uuid(location.key) and field and (error := field.find_error(location.key)):
            raise errors.coded(10, f"invalid unique {entity.key}", error)
        # Their keys are unique in their parent alone: kong/api/routes/upstreams.lua, kong/plugins/acl/api.lua.
        return self._store.find(
            entity, location.key, location.parent if entity.name in ("targets", "acls") else None
        )

    def _find_in_parent(self, location: Location) -> Row | None:
        """Return the row at a location, unless it belongs to another parent."""
        row = self._find(location)
        if row and all(
            (row[field] or {}).get("id") == parent for field, parent in (location.parent or {}).items()
        ):
            return row
        return None


def _no_fields(_body: Row) -> Mapping[str, Field]:
    return {}


def _json(status: int, body: Json) -> web.Response:
    if body is None:
        return web.Response(status=status)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return web.Response(status=status, text=text, content_type="application/json")
