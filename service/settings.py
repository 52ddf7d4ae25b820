"""The only reader of the environment. Reports all invalid variables at once."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError


class SettingsError(Exception):
    """The message names each invalid variable, and says what to do."""


_DATABASE_URLS = "use sqlite:///./data/sessions.db or postgresql://user:password@host/database"


def parse_database_url(value: object) -> URL:
    # No message repeats the value, which may hold a password.
    try:
        url = make_url(str(value)) if not isinstance(value, URL) else value
    except ArgumentError:
        raise ValueError(f"is not a database URL; {_DATABASE_URLS}") from None
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise ValueError(f"names a database that is not supported; {_DATABASE_URLS}")
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("must name a file that all connections share; use sqlite:///./data/sessions.db")
    return url


def _require_base_url(url: HttpUrl) -> HttpUrl:
    if url.query is not None or url.fragment is not None:
        raise ValueError("must be a base URL without query or fragment, such as http://host:8080")
    return url


def _to_upper_case(value: object) -> str:
    return str(value).upper()


_SECRETS = Path("/run/secrets")


class Settings(BaseSettings):
    """The service's settings. Each is an environment variable with the name of the field in upper case.

    It may also be a file with the name of the field in a folder of secrets, which `docker inspect` does not show.
    The environment takes precedence over files.
    """

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    database_url: Annotated[URL, NoDecode, BeforeValidator(parse_database_url)] = Field(
        default=make_url("sqlite:///./data/sessions.db"),
        description="Database of the sessions: SQLite, whose folder is created, or PostgreSQL.",
    )
    sequence_service_url: Annotated[HttpUrl, AfterValidator(_require_base_url)] | None = Field(
        default=None,
        description="Base URL of the Central Sequence Service. Without it the service allocates numbers itself.",
    )
    sequence_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="Timeout of a call to the Central Sequence Service, retries included.",
    )
    max_context_bytes: int = Field(
        default=1024 * 1024,
        ge=1,
        le=64 * 1024 * 1024,
        description="Maximum size of a context, in bytes of UTF-8.",
    )
    web_concurrency: int = Field(
        default=1, ge=1, le=64, description="Number of processes that serve; as many as there are cores is best."
    )
    max_requests: int = Field(
        default=512,
        ge=1,
        le=100_000,
        description="Maximum number of concurrent requests of a process; more are refused.",
    )
    body_timeout_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="Timeout for receiving the whole body of a request."
    )
    idempotency_key_days: float = Field(
        default=30.0, ge=0, le=36_500, description="Days after which an Idempotency-Key expires; 0 for never."
    )
    stop_delay_seconds: float = Field(
        default=0.0, ge=0, le=60, description="Seconds to keep serving after SIGTERM, as if it had not come yet."
    )
    api_key_header: str | None = Field(
        default=None,
        description="Header in which the gateway expects an API key, for the docs page to ask for one.",
    )
    otel_exporter_otlp_endpoint: Annotated[HttpUrl, AfterValidator(_require_base_url)] | None = Field(
        default=None, description="Endpoint for traces (OTLP over HTTP). Without it there are none."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=1, le=65535, description="Port to listen on.")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_to_upper_case)] = Field(
        default="INFO", description="Minimum level of log lines."
    )


def load_settings(secrets: Path = _SECRETS) -> Settings:
    """Read the settings from the environment and the secrets. Raises SettingsError, which lists all errors."""
    # BaseSettings accepts this argument, but type checkers see only the fields.
    where: dict[str, Any] = {"_secrets_dir": secrets} if secrets.is_dir() else {}
    try:
        return Settings(**where)
    except ValidationError as error:
        invalid = (
            f"  {_variable(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise SettingsError("\n".join(["Invalid environment variables:", *invalid])) from None


def _variable(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper()
