"""Which target of an upstream gets the next request."""

from .fields import Row
from .store import Store


class Balancer:
    def __init__(self, store: Store) -> None:
        self._store = store

    def health(self, upstream: Row, target: Row) -> str:
        return "HEALTHCHECKS_OFF"
