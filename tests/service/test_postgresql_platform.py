"""PostgreSQL in production: behind a pooler, with failover, over TLS, and migrated while it is used."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests

from tests.certificates import certificate
from tests.service.pgbouncer import PgBouncer
from tests.service.postgresql import Postgresql
from tests.service.processes import Service, replicas, running
from tests.waiting import wait_for


@contextmanager
def pooler(server: Postgresql, mode: str) -> Iterator[PgBouncer]:
    process = PgBouncer(server, mode)
    try:
        yield process
    finally:
        process.stop()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_no_request_fails_behind_a_pooler(tmp_path: Path, postgresql: Postgresql, mode: str) -> None:
    url = postgresql.new_database()

    def work(service: Service) -> list[int]:
        statuses = []
        with requests.Session() as http:
            for number in range(40):
                made = http.post(f"{service.url}/sessions", json={"userId": number}, timeout=20)
                path = made.headers.get("Location", "/sessions/0")
                for method in ("PUT", "GET"):
                    answer = http.request(method, service.url + path, json={"context": "x"}, timeout=20)
                    statuses.append(answer.status_code)
                statuses.append(made.status_code)
        return statuses

    with (
        pooler(postgresql, mode) as pgbouncer,
        replicas(2, tmp_path, database_url=pgbouncer.url(url)) as services,
        ThreadPoolExecutor(8) as clients,
    ):
        statuses = [one for each in clients.map(lambda n: work(services[n % 2]), range(8)) for one in each]
        assert set(statuses) == {200, 201}
        assert len(services[0].list()) == 320


def synchronous_commits(server: Postgresql, name: str) -> list[str]:
    with psycopg.connect(server.url(name), autocommit=True) as db:
        return [row[0] for row in db.execute("SELECT setting FROM noted").fetchall()]


@pytest.mark.parametrize("through_pooler", [False, True])
def test_each_commit_is_durable_whatever_the_default_is(
    tmp_path: Path, postgresql: Postgresql, through_pooler: bool
) -> None:
    url = postgresql.new_database()
    name = url.rpartition("/")[2]
    postgresql.execute("postgres", f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pooler(postgresql, "transaction") as pgbouncer:
        service = Service(tmp_path, database_url=pgbouncer.url(url) if through_pooler else url)
        with running(service):
            postgresql.execute(
                name,
                "CREATE TABLE noted (setting text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;"
                "CREATE TRIGGER note BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION note()",
            )
            assert service.create().status_code == 201
    assert synchronous_commits(postgresql, name) == ["on"]


def test_the_lock_timeout_applies_behind_a_pooler(tmp_path: Path, postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    with (
        pooler(postgresql, "transaction") as pgbouncer,
        running(Service(tmp_path, database_url=pgbouncer.url(url))) as service,
        psycopg.connect(url) as other,
    ):
        session_id = service.create_session()
        other.execute("SELECT FROM sessions FOR UPDATE")
        assert service.update(session_id, context="waits").status_code == 503
        other.rollback()
        assert service.update(session_id, context="done").status_code == 200


def test_no_request_fails_when_the_type_of_a_column_changes(tmp_path: Path, postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    with running(Service(tmp_path, database_url=url)) as service:
        session_id = service.create_session(context="kept")
        for _ in range(10):  # after which the driver has prepared its statements
            assert service.context(session_id).status_code == 200
            assert service.update(session_id, context="kept").status_code == 200
        postgresql.execute(url.rpartition("/")[2], "ALTER TABLE sessions ALTER COLUMN context TYPE varchar")
        for _ in range(10):
            assert service.context(session_id).json()["context"] == "kept"
            assert service.update(session_id, context="kept").status_code == 200
            assert service.list()


def set_read_only(server: Postgresql, value: str) -> None:
    server.execute("postgres", f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    server.execute("postgres", "SELECT pg_reload_conf()")


def test_a_server_that_becomes_read_only_is_replaced_by_the_other(
    tmp_path: Path, own_server: Postgresql, postgresql: Postgresql
) -> None:
    servers = [own_server, postgresql]
    for server in servers:
        server.execute("postgres", "CREATE DATABASE failover")
        with running(Service(tmp_path, database_url=server.url("failover"))):
            pass  # creates the schema, as replication would have
    hosts = "&".join(f"host=127.0.0.1:{server.port}" for server in servers)
    both = f"postgresql://test@/failover?{hosts}&target_session_attrs=read-write"
    with running(Service(tmp_path, database_url=both)) as service:
        assert service.create().status_code == 201
        set_read_only(own_server, "on")
        statuses = []

        def is_created_on_the_other() -> bool:
            statuses.append(service.create().status_code)
            return db.execute("SELECT count(*) > 0 FROM sessions").fetchone() == (True,)

        with psycopg.connect(postgresql.url("failover"), autocommit=True) as db:
            wait_for(is_created_on_the_other)
        assert set(statuses) <= {201, 503}
        assert service.is_ready()


def test_a_server_that_is_read_only_is_reported(tmp_path: Path, own_server: Postgresql) -> None:
    with running(Service(tmp_path, database_url=own_server.new_database())) as service:
        session_id = service.create_session(context="kept")
        set_read_only(own_server, "on")
        wait_for(lambda: service.create().status_code == 503)
        assert not service.is_ready()
        assert "read-only" in service.output()
        assert service.context(session_id).json()["context"] == "kept"
        set_read_only(own_server, "off")
        wait_for(lambda: service.create().status_code == 201)
        assert service.is_ready()


def test_the_servers_certificate_is_verified_if_the_url_requires_it(
    tmp_path: Path, own_server: Postgresql
) -> None:
    authority = own_server.enable_tls("localhost")
    url = own_server.url("postgres", host="localhost")
    verified = f"{url}?sslmode=verify-full&sslrootcert={authority}"
    with running(Service(tmp_path, database_url=verified)) as service:
        assert service.create().status_code == 201
    with pytest.raises(AssertionError, match="certificate verify failed"):
        Service(tmp_path, database_url=f"{url}?sslmode=verify-full&sslrootcert={_create_authority(tmp_path)}")
    with pytest.raises(AssertionError, match="does not match host name"):
        Service(tmp_path, database_url=verified.replace("localhost", "127.0.0.1", 1))
    with pytest.raises(AssertionError, match=r"root certificate file .* does not exist"):
        Service(tmp_path, database_url=f"{url}?sslmode=verify-full&sslrootcert=/nowhere.pem")


def _create_authority(folder: Path) -> Path:
    text, _ = certificate("localhost")
    file = folder / "other.pem"
    file.write_text(text)
    return file
