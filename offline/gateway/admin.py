"""The Admin API over HTTP: what a path names, each verb once for all entities, bodies in and out."""

import base64
import json
import logging
import os
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote, urlencode

from aiohttp import web

from . import errors
from .balancer import Balancer
from .configs import CONFIGS
from .fields import Field, Json, Row, convert
from .rules import is_uuid
from .schemas import ENTITIES, Entity, fields_of
from .store import Store

VERSION = "3.9.3"
TAGLINE = "stand-in for Kong, for machines that cannot fetch the real one"
LARGEST_BODY = 10 * 1024 * 1024  # nginx_admin_client_max_body_size

Answer = tuple[int, Json]
Verb = Callable[[Row, Mapping[str, str]], Answer]
FieldsFor = Callable[[Row], Mapping[str, Field]]  # what a body may hold, for converting a form
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

    def __init__(self, store: Store, balancer: Balancer) -> None:
        self._store, self._balancer = store, balancer
        self._node_id = str(uuid.uuid4())
        self._requests = 0

    async def handle(self, request: web.Request) -> web.Response:
        started = time.monotonic()
        self._requests += 1
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
        body = await _read(request, fields) if method in ("POST", "PUT", "PATCH") else {}
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
                return _no_fields, {"GET": self._node}
            case ["status"]:
                return _no_fields, {"GET": self._status}
            case ["config"]:
                return _no_fields, {"GET": _no_config, "POST": _no_config}
            case ["plugins", "enabled"]:
                return _no_fields, {"GET": lambda _body, _query: (200, {"enabled_plugins": sorted(CONFIGS)})}
            case ["tags"]:
                return _no_fields, {"GET": partial(self._tags, None)}
            case ["tags", tag]:
                return _no_fields, {"GET": partial(self._tags, tag)}
            case ["schemas", name, "validate"] if name in ENTITIES:
                return partial(fields_of, ENTITIES[name]), {"POST": partial(self._validate, ENTITIES[name])}
            case ["upstreams", key, "health"]:
                return _no_fields, {"GET": partial(self._health, self._existing("upstreams", key))}
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
        fields = partial(fields_of, place.entity)
        return fields, {"GET": partial(self._list, place), "POST": partial(self._create, place)}

    def _row_of(self, place: Place) -> Endpoint:
        verbs = {"GET": self._show, "PUT": self._replace, "PATCH": self._patch, "DELETE": self._delete}

        def fields(body: Row) -> Mapping[str, Field]:
            return fields_of(place.entity, (self._at(place) or {}) | body)

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
        size, after = _page(query)
        wanted = _tags_filter(query)
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
        # kong/api/routes/upstreams.lua: a target's address is looked for in its upstream alone.
        return self._store.find(place.entity, place.key, place.of if place.entity.name == "targets" else None)

    def _at(self, place: Place) -> Row | None:
        """The row at a place; one that belongs to another parent is not there."""
        row = self._found(place)
        if row and all((row[field] or {}).get("id") == parent for field, parent in (place.of or {}).items()):
            return row
        return None

    # the node

    def _node(self, _body: Row, _query: Mapping[str, str]) -> Answer:
        return 200, {
            "version": VERSION,
            "tagline": TAGLINE,
            "hostname": socket.gethostname(),
            "node_id": self._node_id,
            "edition": "community",
            "lua_version": "none",
            "plugins": {
                "available_on_server": dict.fromkeys(CONFIGS, True),
                "enabled_in_cluster": sorted(CONFIGS),
            },
            "pids": {"master": os.getpid(), "workers": []},
            "timers": {"running": 0, "pending": 0},
            "configuration": {"database": "postgres", "router_flavor": "traditional_compatible"},
        }

    def _status(self, _body: Row, _query: Mapping[str, str]) -> Answer:
        server = dict.fromkeys(("active", "accepted", "handled", "reading", "writing", "waiting"), 0)
        return 200, {
            "database": {"reachable": True},
            "memory": {"workers_lua_vms": [], "lua_shared_dicts": {}},
            "server": {f"connections_{name}": count for name, count in server.items()}
            | {"total_requests": self._requests},
        }

    def _tags(self, wanted: str | None, _body: Row, _query: Mapping[str, str]) -> Answer:
        data = [
            {"tag": tag, "entity_name": name, "entity_id": row["id"]}
            for name in ENTITIES
            for row in self._store.rows(name)
            for tag in row.get("tags") or ()
            if wanted in (None, tag)
        ]
        return 200, {"data": data, "next": None}

    def _validate(self, entity: Entity, body: Row, _query: Mapping[str, str]) -> Answer:
        self._store.checked(entity, body)
        return 200, {"message": "schema validation successful"}

    def _health(self, upstream: Row, _body: Row, _query: Mapping[str, str]) -> Answer:
        data = [
            target | {"health": self._balancer.health(upstream, target)}
            for target in self._store.rows("targets", upstream=upstream["id"])
        ]
        return 200, {"data": data, "next": None, "node_id": self._node_id}


def _no_fields(_body: Row) -> Mapping[str, Field]:
    return {}


def _no_config(_body: Row, _query: Mapping[str, str]) -> Answer:
    raise errors.plain(400, "this endpoint is only available when Kong is configured to not use a database")


def _json(status: int, body: Json) -> web.Response:
    if body is None:
        return web.Response(status=status)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return web.Response(status=status, text=text, content_type="application/json")


def _page(query: Mapping[str, str]) -> tuple[int, str]:
    """The page size and the id after which the page begins."""
    try:
        size = float(query.get("size", "100"))
    except ValueError:
        raise errors.coded(9, "invalid size", "size must be a number") from None
    if not size.is_integer() or not 1 <= size <= 1000:
        raise errors.coded(9, "invalid size", "size must be an integer between 1 and 1000")
    if (cursor := query.get("offset")) is None:
        return int(size), ""
    fault = "bad base64 encoding"
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        fault = "bad json encoding"
        return int(size), str(json.loads(text)[0])
    except (ValueError, LookupError, TypeError):
        raise errors.coded(7, "invalid offset", f"'{cursor}' is not a valid offset: {fault}") from None


def _tags_filter(query: Mapping[str, str]) -> Callable[[list[str] | None], bool]:
    """`a,b` asks for both tags, `a/b` for either (kong/db/dao/init.lua)."""
    if (text := query.get("tags")) is None:
        return lambda _tags: True
    if not text or ("," in text and "/" in text):
        fault = "invalid filter syntax" if text else "cannot be null"
        raise errors.coded(11, "invalid options", f"invalid option (tags: {fault})", options={"tags": fault})
    wanted, matches = set(re.split("[,/]", text)), all if "," in text else any
    return lambda tags: matches(tag in (tags or ()) for tag in wanted)


async def _read(request: web.Request, fields: FieldsFor) -> Row | None:
    """The body as a row, with a form's texts converted; None if it is of a type Kong does not take."""
    kind = request.headers.get("Content-Type", "").lower()
    if not kind:
        return {} if not await request.read() else None
    if kind.startswith("application/json"):
        try:
            body = json.loads(await request.read())
        except ValueError:
            raise errors.plain(400, "Cannot parse JSON body") from None
        if isinstance(body, list) and not body:
            return {}
        if not isinstance(body, dict):
            raise errors.plain(500, "An unexpected error occurred")
        return body
    if kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        form = _nest((key, str(value)) for key, value in (await request.post()).items())
        return convert(fields(form), form)
    return None


def _nest(pairs: Iterable[tuple[str, str]]) -> Row:
    """Form keys unfolded: `a.b` nests; `a[]`, `a[1]`, a repeated `a` make lists (kong/api/arguments.lua)."""
    body: Row = {}
    for key, value in pairs:
        *way, last = key.split(".")
        inside = body
        for step in way:
            inside = inside.setdefault(step, {})
        name, listed, _ = last.partition("[")
        if name in inside:
            before = inside[name]
            inside[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            inside[name] = [value] if listed else value
    return body
