"""Settings: all errors are reported at once, and no password is."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.app import create_app
from service.settings import Settings, SettingsError, load_settings
from tests.service import sqlite
from tests.service.processes import Service, run_service, running


def test_all_invalid_settings_are_reported_without_secrets(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "database_url": "mysql://user:hunter2@host/db",
        "sequence_service_url": "ftp://peer",
        "sequence_timeout_seconds": "soon",
        "max_context_bytes": "-1",
        "log_level": "loud",
    }
    done = run_service(tmp_path, **settings)
    assert done.returncode != 0
    for name in settings:
        assert name.upper() in done.stderr.decode()
    assert b"hunter2" not in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u:hunter2@h/d", "://u:hunter2@h"]
)
def test_an_invalid_database_url_is_not_repeated(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_is_accepted(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@h/d")
    assert load_settings().database_url.drivername == "postgresql+psycopg"


def test_empty_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SEQUENCE_SERVICE_URL", "MAX_CONTEXT_BYTES"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert settings.sequence_service_url is None
    assert settings.max_context_bytes == 1024 * 1024
    assert str(settings.database_url) == "sqlite:///./data/sessions.db"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().max_context_bytes = 1


def test_creating_an_app_opens_nothing(tmp_path: Path) -> None:
    create_app(Settings.model_validate({"database_url": f"sqlite:///{tmp_path}/deep/sessions.db"}))
    assert list(tmp_path.iterdir()) == []


def test_importing_the_service_reads_no_environment() -> None:
    code = "import service.app"
    environment = {"DATABASE_URL": "nonsense"}
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=20, check=True)


def test_the_folder_of_the_database_is_created(tmp_path: Path) -> None:
    with running(Service(tmp_path / "deep" / "er")) as service:
        assert service.create().status_code == 201


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / "sessions.db").write_text("not a database, and longer than the header of one" * 100)
    done = run_service(tmp_path)
    assert done.returncode != 0
    assert b"file is not a database" in done.stdout
    assert b"Traceback" not in done.stdout + done.stderr


def test_a_database_of_an_unknown_release_is_refused(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        service.create()
    sqlite.query(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(AssertionError, match="9999"):
        Service(tmp_path)


def test_a_database_of_another_application_is_refused(tmp_path: Path) -> None:
    sqlite.query(tmp_path, "CREATE TABLE sessions (session_id INTEGER PRIMARY KEY)")
    with pytest.raises(AssertionError, match="table sessions already exists"):
        Service(tmp_path)


def test_a_setting_may_be_a_file_which_the_environment_overrides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "database_url").write_text("postgresql://user:hunter2@host/from_file\n")
    assert load_settings(tmp_path).database_url.database == "from_file"
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/from_environment")
    assert load_settings(tmp_path).database_url.database == "from_environment"


def test_an_invalid_file_is_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "database_url").write_text("mysql://user:hunter2@host/db")
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        load_settings(tmp_path)
    assert "hunter2" not in str(refused.value)
