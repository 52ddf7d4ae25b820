"""A service that is broken on purpose: the system decides when its writes get to the disk."""

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import Pool

from service.__main__ import serve
from service.app import create_app


def do_not_sync(connection: DBAPIConnection, *_: object) -> None:
    connection.cursor().execute("PRAGMA synchronous = OFF")


if __name__ == "__main__":
    event.listen(Pool, "checkout", do_not_sync)
    serve(create_app())
