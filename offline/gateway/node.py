"""What a Kong tells of itself: the node, its status, the tags in use, and the health of targets."""

import os
import socket
import uuid
from collections.abc import Mapping

from .balancer import Balancer
from .configs import PLUGINS
from .fields import Json, Row
from .schemas import ENTITIES
from .store import Store

VERSION = "3.9.3"
TAGLINE = "stand-in for Kong, for machines that cannot fetch the real one"
Answer = tuple[int, Json]


class Node:
    """One node of a Kong; `requests` is how many its Admin API was asked."""

    def __init__(self, store: Store, balancer: Balancer, refresh: float) -> None:
        self._store, self._balancer, self._refresh = store, balancer, refresh
        self._node_id = str(uuid.uuid4())
        self.requests = 0

    def about(self, _body: Row, _query: Mapping[str, str]) -> Answer:
        return 200, {
            "version": VERSION,
            "tagline": TAGLINE,
            "hostname": socket.gethostname(),
            "node_id": self._node_id,
            "edition": "community",
            "lua_version": "none",
            "plugins": {
                "available_on_server": dict.fromkeys(PLUGINS, True),
                "enabled_in_cluster": sorted(PLUGINS),
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

    def status(self, _body: Row, _query: Mapping[str, str]) -> Answer:
        server = dict.fromkeys(("active", "accepted", "handled", "reading", "writing", "waiting"), 0)
        return 200, {
            "database": {"reachable": True},
            "memory": {"workers_lua_vms": [], "lua_shared_dicts": {}},
            "server": {f"connections_{name}": count for name, count in server.items()}
            | {"total_requests": self.requests},
        }

    def tags(self, wanted: str | None, _body: Row, _query: Mapping[str, str]) -> Answer:
        data = [
            {"tag": tag, "entity_name": name, "entity_id": row["id"]}
            for name in ENTITIES
            for row in self._store.rows(name)
            for tag in row.get("tags") or ()
            if wanted in (None, tag)
        ]
        return 200, {"data": data, "next": None}

    def health(self, upstream: Row, _body: Row, _query: Mapping[str, str]) -> Answer:
        data = [
            target | {"health": self._balancer.health(upstream, target)}
            for target in self._store.rows("targets", upstream=upstream["id"])
        ]
        return 200, {"data": data, "next": None, "node_id": self._node_id}
