"""The Admin API over HTTP: what a path names, and each verb once for all entities."""

import base64
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
from .bodies import FieldsFor, read
from .configs import PLUGINS
from .entities.entity import Entity
from .fields import Field, Json, Row
from .node import VERSION, Answer, Node
from .queries import page, tags_filter
from .rules import is_uuid
from .schemas import ENTITIES
from .store import Store

LARGEST_BODY = 10 * 1024 * 1024  # nginx_admin_client_max_body_size

Verb = Callable[[Row, Mapping[str, str]], Answer]
Endpoint = tuple[FieldsFor, Mapping[str, Verb]]

_log = logging.getLogger(__name__)
_LISTS = {entity.path or entity.name: entity for entity in ENTITIES.values()}
_CHILDREN = _LISTS | {"key-auth": ENTITIES["keyauth_credentials"]}  # kong/plugins/key-auth/api.lua


@dataclass(frozen=True)
class Place:
    """What a path names: the rows of an entity, or one of them, perhaps only among those of a parent."""

    entity: Entity
    path: str
    key: str = ""
    of: Mapping[str, str] | None = None  # {foreign key: the parent's id}

    @property
    def belonging(self) -> Row:
        return {field: {"id": parent} for field, parent in (self.of or {}).items()}


class Admin:
    """Answers Admin API requests from the store; a write is acknowledged once the store has kept it."""

    def __init__(self, store: Store, balancer: Balancer, refresh: float) -> None:
        self._store = store
        self._node = Node(store, balancer, refresh)

    async def handle(self, request: web.Request) -> web.Response:
        started = time.monotonic()
        self._node.requests += 1
        try:
            answer = await self._answer(request)
        except errors.RefusedError as refusal:
            answer = _json(refusal.status, refusal.body)
        except OSError:
            _log.exception("the state file cannot be written")
            answer = _json(500, {"message": "An unexpected error occurred"})
        answer.headers["Server"] = f"kong/{VERSION}"
        answer.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
        answer.headers["Access-Control-Allow-Credentials"] = "true"
        answer.headers["X-Kong-Admin-Latency"] = str(int((time.monotonic() - started) * 1000))
        return answer

    async def _answer(self, request: web.Request) -> web.Response:
        parts = [unquote(part) for part in request.raw_path.partition("?")[0].split("/") if part]
        fields, verbs = self._resolve(parts)
        method = "GET" if request.method == "HEAD" else request.method
        if method == "OPTIONS":
            allowed = {*verbs, "OPTIONS"} | ({"HEAD"} if "GET" in verbs else set())
            return web.Response(status=204, headers={"Allow": ", ".join(sorted(allowed))})
        if method not in verbs:
            raise errors.plain(405, "Method not allowed")
        body = await read(request, fields) if method in ("POST", "PUT", "PATCH") else {}
        if body is None:
            html = "<html><head><title>415 Unsupported Media Type</title></head></html>"
            return web.Response(status=415, text=html, content_type="text/html")
        status, answer = verbs[method](body, request.query)
        if method != "GET":
            await self._store.keep()
        return _json(status, answer)

    # what a path names

    def _resolve(self, parts: list[str]) -> Endpoint:
        match parts:
            case []:
                return _no_fields, {"GET": self._node.about}
            case ["status"]:
                return _no_fields, {"GET": self._node.status}
            case ["config"]:
                return _no_fields, {"GET": _no_config, "POST": _no_config}
            case ["plugins", "enabled"]:
                return _no_fields, {"GET": lambda _body, _query: (200, {"enabled_plugins": sorted(PLUGINS)})}
            case ["tags"]:
                return _no_fields, {"GET": partial(self._node.tags, None)}
            case ["tags", tag]:
                return _no_fields, {"GET": partial(self._node.tags, tag)}
            case ["schemas", name, "validate"] if name in ENTITIES:
                return ENTITIES[name].fields_for, {"POST": partial(self._validate, ENTITIES[name])}
            case ["upstreams", key, "health"]:
                return _no_fields, {"GET": partial(self._node.health, self._existing("upstreams", key))}
            case ["upstreams", key, "targets", "all"]:
                place = self._nested("upstreams", key, "targets")
                return _no_fields, {"GET": partial(self._list, place)}
            case [name] if name in _LISTS and _LISTS[name].listed:
                return self._rows_of(Place(_LISTS[name], f"/{name}"))
            case [name, key] if name in _LISTS and _LISTS[name].listed:
                return self._row_of(Place(_LISTS[name], f"/{name}", key))
            case [name, key, "service" | "route" | "consumer" | "certificate" | "upstream" as field] if (
                name in _LISTS
            ):
                return self._parent_of(name, key, field)
            case [name, key, child]:
                return self._rows_of(self._nested(name, key, child))
            case [name, key, child, child_key]:
                return self._row_of(self._nested(name, key, child, child_key))
        raise errors.not_found()

    def _existing(self, name: str, key: str) -> Row:
        entity = _LISTS.get(name)
        row = self._store.find(entity, key) if entity and entity.listed else None
        if row is None:
            raise errors.not_found()
        return row

    def _nested(self, name: str, key: str, child: str, child_key: str = "") -> Place:
        fields = _CHILDREN[child].fields if child in _CHILDREN else {}
        for field_name, field in fields.items():
            if name in _LISTS and field.reference == _LISTS[name].name:
                parent = self._existing(name, key)
                return Place(_CHILDREN[child], f"/{name}/{key}/{child}", child_key, {field_name: parent["id"]})
        raise errors.not_found()

    def _rows_of(self, place: Place) -> Endpoint:
        fields = place.entity.fields_for
        return fields, {"GET": partial(self._list, place), "POST": partial(self._create, place)}

    def _row_of(self, place: Place) -> Endpoint:
        verbs = {"GET": self._show, "PUT": self._replace, "PATCH": self._patch, "DELETE": self._delete}

        def fields(body: Row) -> Mapping[str, Field]:
            return place.entity.fields_for((self._at(place) or {}) | body)

        return fields, {method: partial(verb, place) for method, verb in verbs.items()}

    def _parent_of(self, name: str, key: str, field: str) -> Endpoint:
        child = _LISTS[name].fields.get(field)
        reference = self._existing(name, key).get(field)
        if child is None or reference is None:
            raise errors.not_found()
        fields, verbs = self._row_of(Place(ENTITIES[child.reference], f"/{child.reference}", reference["id"]))
        return fields, {method: verb for method, verb in verbs.items() if method != "DELETE"}

    # the verbs

    def _list(self, place: Place, _body: Row, query: Mapping[str, str]) -> Answer:
        size, after = page(query)
        wanted = tags_filter(query)
        rows = [row for row in self._store.rows(place.entity.name, **place.of or {}) if wanted(row.get("tags"))]
        if "custom_id" in query and place.entity.name == "consumers":
            rows = [row for row in rows if row["custom_id"] == query["custom_id"]]
        rows = [row for row in rows if row["id"] > after]
        data = [self._store.shown(place.entity, row) for row in rows[:size]]
        if len(rows) <= size:
            return 200, {"data": data, "next": None}
        cursor = base64.urlsafe_b64encode(json.dumps([data[-1]["id"]]).encode()).decode().rstrip("=")
        carried = {name: query[name] for name in ("size", "tags") if name in query and not place.of}
        following = f"{place.path}?{urlencode({'offset': cursor} | carried)}"
        return 200, {"data": data, "next": following, "offset": cursor}

    def _create(self, place: Place, body: Row, _query: Mapping[str, str]) -> Answer:
        row = self._store.insert(place.entity, body | place.belonging)
        return 201, self._store.shown(place.entity, row)

    def _show(self, place: Place, _body: Row, _query: Mapping[str, str]) -> Answer:
        if (row := self._at(place)) is None:
            raise errors.not_found()
        return 200, self._store.shown(place.entity, row)

    def _replace(self, place: Place, body: Row, _query: Mapping[str, str]) -> Answer:
        entity = place.entity
        old = self._found(place)
        # Targets are only ever made by POST, and found in their upstream alone (kong/api/routes/upstreams.lua).
        if not entity.listed and self._at(place) is None:
            raise errors.not_found()
        if is_uuid(place.key):
            body = body | {"id": place.key.lower()}
        else:
            body = body | {entity.key: place.key} | ({"id": old["id"]} if old else {})
        return 200, self._store.shown(entity, self._store.upsert(entity, body | place.belonging))

    def _patch(self, place: Place, body: Row, _query: Mapping[str, str]) -> Answer:
        if (row := self._at(place)) is not None:
            return 200, self._store.shown(place.entity, self._store.update(place.entity, row, body))
        if place.of:
            raise errors.not_found()
        raise errors.nothing_to_patch("id" if is_uuid(place.key) else place.entity.key, place.key)

    def _delete(self, place: Place, _body: Row, _query: Mapping[str, str]) -> Answer:
        row = self._at(place)
        if row is not None:
            self._store.delete(place.entity, row)
        elif place.of:
            raise errors.not_found()
        return 204, None

    def _found(self, place: Place) -> Row | None:
        field = place.entity.fields.get(place.entity.key)
        if not is_uuid(place.key) and field and (fault := field.fault(place.key)):
            raise errors.coded(10, f"invalid unique {place.entity.key}", fault)
        # kong/api/routes/upstreams.lua, kong/plugins/acl/api.lua: these are known by a name in their parent alone.
        return self._store.find(
            place.entity, place.key, place.of if place.entity.name in ("targets", "acls") else None
        )

    def _at(self, place: Place) -> Row | None:
        """The row at a place; one that belongs to another parent is not there."""
        row = self._found(place)
        if row and all((row[field] or {}).get("id") == parent for field, parent in (place.of or {}).items()):
            return row
        return None

    def _validate(self, entity: Entity, body: Row, _query: Mapping[str, str]) -> Answer:
        self._store.checked(entity, body)
        return 200, {"message": "schema validation successful"}


def _no_fields(_body: Row) -> Mapping[str, Field]:
    return {}


def _no_config(_body: Row, _query: Mapping[str, str]) -> Answer:
    raise errors.plain(400, "this endpoint is only available when Kong is configured to not use a database")


def _json(status: int, body: Json) -> web.Response:
    if body is None:
        return web.Response(status=status)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return web.Response(status=status, text=text, content_type="application/json")
