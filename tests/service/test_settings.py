"""The environment: all that is wrong is told at once, and no password is."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from service.app import create_app
from service.settings import Settings, SettingsError, load_settings
from tests.service.processes import Service, running, service_environment


def test_wrong_settings_end_the_process_with_all_their_names_and_no_secret(tmp_path: Path) -> None:
    environment = service_environment(
        tmp_path,
        database_url="mysql://user:hunter2@host/db",
        sequence_service_url="ftp://peer",
        sequence_timeout_seconds="soon",
        max_context_bytes="-1",
        log_level="loud",
    )
    ended = subprocess.run(
        [sys.executable, "-m", "service"], env=environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode != 0
    for name in environment.keys() - {"PATH"}:
        assert name in ended.stderr
    assert "hunter2" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u:hunter2@h/d", "://u:hunter2@h"]
)
def test_a_wrong_database_url_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_is_understood(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@h/d")
    assert load_settings().database_url.drivername == "postgresql+psycopg"


def test_empty_variables_are_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SEQUENCE_SERVICE_URL", "MAX_CONTEXT_BYTES"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert settings.sequence_service_url is None
    assert settings.max_context_bytes == 1024 * 1024
    assert str(settings.database_url) == "sqlite:///./data/sessions.db"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().max_context_bytes = 1


def test_making_an_app_opens_nothing(tmp_path: Path) -> None:
    create_app(Settings.model_validate({"database_url": f"sqlite:///{tmp_path}/deep/sessions.db"}))
    assert list(tmp_path.iterdir()) == []


def test_importing_the_service_reads_no_environment() -> None:
    code = "import service.app"
    ended = subprocess.run([sys.executable, "-c", code], env={"DATABASE_URL": "nonsense"}, timeout=20, check=False)
    assert ended.returncode == 0


def test_the_folder_of_the_database_is_made(tmp_path: Path) -> None:
    with running(Service(tmp_path / "deep" / "er")) as service:
        assert service.create().status_code == 201


def test_a_database_that_cannot_be_opened_ends_the_process_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").write_text("this is no database, and longer than a header of one" * 100)
    ended = subprocess.run(
        [sys.executable, "-m", "service"],
        env=service_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode != 0
    assert "file is not a database" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_database_of_an_unknown_release_is_left_alone(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        service.create()
    with sqlite3.connect(tmp_path / "sessions.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(AssertionError, match="9999"):
        Service(tmp_path)


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "sessions.db") as database:
        database.execute("CREATE TABLE sessions (session_id INTEGER PRIMARY KEY)")
    database.close()
    with pytest.raises(AssertionError, match="table sessions already exists"):
        Service(tmp_path)


def test_a_setting_may_be_a_file_and_the_environment_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "database_url").write_text("postgresql://user:hunter2@host/from_file\n")
    assert load_settings(tmp_path).database_url.database == "from_file"
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/from_environment")
    assert load_settings(tmp_path).database_url.database == "from_environment"


def test_a_wrong_file_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "database_url").write_text("mysql://user:hunter2@host/db")
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        load_settings(tmp_path)
    assert "hunter2" not in str(refused.value)
