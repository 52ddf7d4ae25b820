"""What a node of Kong reports: itself, its status, the tags in use, and the health of targets."""

import os
import socket
import uuid
from collections.abc import Mapping

from .balancer import Balancer
from .entities import ENTITIES
from .entities.plugin_configs import CONFIGS
from .schema import Json, Row
from .store import Store

VERSION = "3.9.3"
TAGLINE = "stand-in for Kong, for machines that cannot download it"
Answer = tuple[int, Json]


class Node:
    """One node; `requests` counts the requests to its Admin API."""

    def __init__(self, store: Store, balancer: Balancer, refresh: float) -> None:
        self._store, self._balancer, self._refresh = store, balancer, refresh
        self._node_id = str(uuid.uuid4())
        self.requests = 0

    def describe(self, _body: Row, _query: Mapping[str, str]) -> Answer:
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
            "configuration": {
                "database": "postgres",
                "router_flavor": "traditional_compatible",
                "worker_consistency": "eventual" if self._refresh else "strict",
                "worker_state_update_frequency": self._refresh,
                "db_update_frequency": self._refresh,
                "db_update_propagation": 0,
            },
        }

    def show_status(self, _body: Row, _query: Mapping[str, str]) -> Answer:
        counts = dict.fromkeys(("active", "accepted", "handled", "reading", "writing", "waiting"), 0)
        return 200, {
            "database": {"reachable": True},
            "memory": {"workers_lua_vms": [], "lua_shared_dicts": {}},
            "server": {f"connections_{name}": count for name, count in counts.items()}
            | {"total_requests": self.requests},
        }

    def list_tags(self, wanted: str | None, _body: Row, _query: Mapping[str, str]) -> Answer:
        data = [
            {"tag": tag, "entity_name": name, "entity_id": row["id"]}
            for name in ENTITIES
            for row in self._store.list_rows(name)
            for tag in row.get("tags") or ()
            if wanted in (None, tag)
        ]
        return 200, {"data": data, "next": None}

    def show_health(self, upstream: Row, _body: Row, _query: Mapping[str, str]) -> Answer:
        data = [
            target | {"health": self._balancer.get_health(upstream, target)}
            for target in self._store.list_rows("targets", upstream=upstream["id"])
        ]
        return 200, {"data": data, "next": None, "node_id": self._node_id}
