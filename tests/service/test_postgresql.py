"""PostgreSQL: it may stop and come back, and no service has to be restarted."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import requests

from tests.service.postgresql import Postgresql
from tests.service.processes import Service, replicas, running


def test_a_stopped_database_is_a_503_until_it_is_back(tmp_path: Path, own_server: Postgresql) -> None:
    with running(Service(tmp_path, database_url=own_server.new_database())) as service:
        session_id = service.create_session(context="kept")
        own_server.stop()
        for answer in (*service.call_all(session_id), service.request("GET", "/readyz")):
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert service.request("GET", "/livez").status_code == 200
        own_server.start()
        assert service.context(session_id).json()["context"] == "kept"
        assert service.create().status_code == 201
        assert service.update(session_id, context="new").status_code == 200
        assert service.is_ready()
        # A restart between two requests goes unnoticed.
        own_server.stop()
        own_server.start()
        assert service.create().status_code == 201
        assert service.context(session_id).json()["context"] == "new"


def test_a_slow_database_does_not_delay_other_requests(tmp_path: Path, postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    with running(Service(tmp_path, database_url=url)) as service:
        session_id = service.create_session()
        with psycopg.connect(url) as other, ThreadPoolExecutor(2) as clients:
            other.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            waiting = [clients.submit(service.context, session_id), clients.submit(service.create)]
            time.sleep(0.3)
            start = time.monotonic()
            assert requests.get(f"{service.url}/livez", timeout=5).status_code == 200
            assert time.monotonic() - start < 0.2
            assert not any(one.done() for one in waiting)
            other.rollback()
            assert [one.result().status_code for one in waiting] == [200, 201]


def test_a_lock_that_is_never_released_is_a_503(tmp_path: Path, postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    with running(Service(tmp_path, database_url=f"{url}?options=-c%20lock_timeout%3D300ms")) as service:
        session_id = service.create_session(context="kept")
        with psycopg.connect(url) as other:
            other.execute("SELECT pg_advisory_xact_lock(7391046205183847265)")
            assert service.create().status_code == 503
            assert service.context(session_id).json()["context"] == "kept"
        assert service.create().status_code == 201


def test_services_that_start_together_create_one_schema(tmp_path: Path, postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    with replicas(3, tmp_path, database_url=url) as services:
        assert sorted(service.create_session() for service in services) == [1, 2, 3]
        assert all(len(service.list()) == 3 for service in services)


def test_a_database_in_another_encoding_is_refused(tmp_path: Path, postgresql: Postgresql) -> None:
    postgresql.execute("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(AssertionError, match="LATIN1"):
        Service(tmp_path, database_url=postgresql.url("latin"))


def test_an_unreachable_server_is_reported_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="can't use postgresql") as refused:
        Service(tmp_path, database_url="postgresql://user:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(refused.value)
    assert "Traceback" not in str(refused.value)


@pytest.mark.parametrize(
    "state",
    ["08006", "25006", "25P02", "25P03", "40001", "40P01", "0A000", "53300", "55P03", "57014", "57P01", "57P03"],
)
def test_an_error_of_the_server_is_a_503(tmp_path: Path, postgresql: Postgresql, state: str) -> None:
    url = postgresql.new_database()
    name = url.rpartition("/")[2]
    with running(Service(tmp_path, database_url=url)) as service:
        session_id = service.create_session(context="kept")
        fail = f"BEGIN RAISE EXCEPTION 'failed' USING ERRCODE = '{state}'; END"
        postgresql.execute(name, f"CREATE FUNCTION fail() RETURNS boolean LANGUAGE plpgsql AS $${fail}$$")
        postgresql.execute(name, "ALTER TABLE sessions RENAME TO kept")
        failing = "CREATE VIEW sessions AS SELECT * FROM kept WHERE fail() WITH CHECK OPTION"
        postgresql.execute(name, failing)
        assert {answer.status_code for answer in service.call_all(session_id)} == {503}
        postgresql.execute(name, "DROP VIEW sessions; ALTER TABLE kept RENAME TO sessions")
        assert service.context(session_id).json()["context"] == "kept"
        assert service.create().status_code == 201
