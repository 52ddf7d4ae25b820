"""Migrations: they create the declared tables, and keep what earlier releases wrote."""

import sqlite3
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, insert, inspect, select, update

from service import database
from service.database import open_database
from service.schema import COMPATIBLE, migrate
from service.settings import Settings
from service.tables import SCHEMA_VERSION, counters, metadata, sessions
from tests.service.conftest import NewDatabase
from tests.service.postgresql import Postgresql
from tests.service.processes import Service, running

FIRST_SCHEMAS = {"0001", "0002"}
"""Made before a schema said what it is compatible with."""

KEPT = [
    {"sessionId": 1, "userId": 40, "context": "context 0 é\n'quoted'"},
    {"sessionId": 2, "userId": 41, "context": ""},
    {"sessionId": 3, "userId": 42, "context": "context 2 é\n'quoted'"},
]


def test_a_new_database_equals_a_migrated_one(tmp_path: Path, new_database: NewDatabase) -> None:
    created = _open(new_database(tmp_path / "created"))
    migrated = _create_engine(new_database(tmp_path / "migrated"))
    with migrated.begin() as db:
        migrate(db)
    with created.connect() as here, migrated.connect() as there:
        for table in metadata.sorted_tables:
            assert _describe(here, table.name) == _describe(there, table.name)
            assert here.execute(select(table)).all() == there.execute(select(table)).all()
        for db in (here, there):
            context = MigrationContext.configure(db, opts={"compare_server_default": True})
            assert compare_metadata(context, metadata) == []
    created.dispose()
    migrated.dispose()


def _describe(db: Connection, table: str) -> list[Any]:
    about = inspect(db)
    columns = {column["name"]: {**column, "type": repr(column["type"])} for column in about.get_columns(table)}
    constraints = [about.get_unique_constraints(table), about.get_check_constraints(table)]
    return [columns, about.get_pk_constraint(table), about.get_indexes(table), *constraints]


def _create_engine(url: str) -> Engine:
    """Return an engine on a database without tables."""
    parsed = Settings.model_validate({"database_url": url}).database_url
    if parsed.drivername == "sqlite":
        Path(parsed.database or "").parent.mkdir(parents=True, exist_ok=True)
    return create_engine(parsed)


def _open(url: str) -> Engine:
    return open_database(Settings.model_validate({"database_url": url}).database_url)


def test_the_newest_migration_is_the_schema_of_this_release() -> None:
    script = ScriptDirectory(str(Path(database.__file__).with_name("migrations")))
    assert script.get_heads() == [SCHEMA_VERSION]


def test_each_migration_only_adds_to_the_previous_schema(tmp_path: Path) -> None:
    """The previous release keeps running: its columns must stay, and inserts without new ones must work."""
    script = ScriptDirectory(str(Path(database.__file__).with_name("migrations")))
    engine = _create_engine(f"sqlite:///{tmp_path}/sessions.db")
    before: dict[str, dict[str, str]] = {}
    for revision in reversed(list(script.walk_revisions())):
        named = COMPATIBLE.fullmatch(revision.revision)
        assert (named and named["oldest"]) == (
            None if revision.revision in FIRST_SCHEMAS else str(revision.down_revision)[:4]
        )
        with engine.begin() as db:
            migrate(db, revision.revision)
            about = inspect(db)
            after = {table: _columns(about.get_columns(table)) for table in about.get_table_names()}
        for table, columns in before.items():
            assert columns.items() <= after[table].items(), revision.revision
            added = [name for name in after[table].keys() - columns.keys() if "required" in after[table][name]]
            assert added == [], f"{revision.revision}: the previous release does not set {added}"
        before = after
    engine.dispose()


def _columns(columns: list[Any]) -> dict[str, str]:
    """Return the type of each, and whether an insert needs a value."""
    return {
        column["name"]: f"{column['type']!r} "
        + ("optional" if column["nullable"] or column["default"] is not None else "required")
        for column in columns
    }


def test_a_database_of_the_first_release_keeps_its_sessions(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "sessions.db") as old:
        old.executescript((Path(__file__).parent / "releases" / "0001.sql").read_text(encoding="utf-8"))
    old.close()
    _assert_kept(tmp_path, f"sqlite:///{tmp_path}/sessions.db")


def test_a_schema_of_the_first_release_is_migrated_on_postgresql(tmp_path: Path, postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    engine = _create_engine(url)
    with engine.begin() as db:
        migrate(db, "0001")
        for number, one in enumerate(KEPT, 1):
            row = {"id": number, "user_id": one["userId"], "context": one["context"], "sequence_number": number}
            db.execute(insert(sessions), row)
        db.execute(update(counters).values(last_session_id=4, last_sequence_number=3))
    engine.dispose()
    _assert_kept(tmp_path, url)


def _assert_kept(folder: Path, url: str) -> None:
    with running(Service(folder, database_url=url)) as service:
        assert service.list() == KEPT
        old = service.context(2)
        assert (old.headers["ETag"], old.headers.get("Last-Modified")) == ('"1"', None)
        assert service.update(2, context="new").headers["ETag"] == '"2"'
        assert "Last-Modified" in service.context(2).headers
        assert service.create_session() == 5  # 4 was allocated to a session that was not created
    with running(Service(folder, database_url=url)) as service:
        assert len(service.list()) == 4
