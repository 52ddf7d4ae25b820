"""The only reader of the environment: turns it into frozen Settings, or reports all that is wrong at once."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError


class SettingsError(Exception):
    """The environment can't be used; the message names each variable and what to do about it."""


_DATABASE_URLS = "write sqlite:///./data/sessions.db or postgresql://user:password@host/database"


def parse_database_url(value: object) -> URL:
    # No message here repeats the value: it may hold a password.
    try:
        url = make_url(str(value)) if not isinstance(value, URL) else value
    except ArgumentError:
        raise ValueError(f"is not a database URL; {_DATABASE_URLS}") from None
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise ValueError(f"names a database that is not supported; {_DATABASE_URLS}")
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ValueError("must name a file, which all connections share; write sqlite:///./data/sessions.db")
    return url


def _plain_base(url: HttpUrl) -> HttpUrl:
    if url.query is not None or url.fragment is not None:
        raise ValueError("must be a base URL without query or fragment; write http://host:8080")
    return url


def _in_capitals(value: object) -> str:
    return str(value).upper()


_SECRETS = Path("/run/secrets")


class Settings(BaseSettings):
    """What the service can be told; each field is the environment variable of its name in capitals.

    A field may also be a file of its name in a folder of secrets, which no listing of containers shows. The
    environment goes before the files.
    """

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    database_url: Annotated[URL, NoDecode, BeforeValidator(parse_database_url)] = Field(
        default=make_url("sqlite:///./data/sessions.db"),
        description="Where the sessions are: SQLite, whose folder is made, or PostgreSQL.",
    )
    sequence_service_url: Annotated[HttpUrl, AfterValidator(_plain_base)] | None = Field(
        default=None,
        description="Base URL of the Central Sequence Service; without it the service numbers its sessions.",
    )
    sequence_timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="The whole time one call of the Central Sequence Service may take.",
    )
    max_context_bytes: int = Field(
        default=1024 * 1024,
        ge=1,
        le=64 * 1024 * 1024,
        description="The largest context that is kept, in bytes of UTF-8.",
    )
    max_requests: int = Field(
        default=512, ge=1, le=100_000, description="Requests answered at once; one more is refused."
    )
    body_timeout_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="The whole time the body of a request may take to come."
    )
    idempotency_key_days: float = Field(
        default=30.0, ge=0, le=36_500, description="Days for which an Idempotency-Key is kept; 0 keeps it forever."
    )
    api_key_header: str | None = Field(
        default=None,
        description="The header in which the gateway wants a key: the docs page then asks for one.",
    )
    otel_exporter_otlp_endpoint: Annotated[HttpUrl, AfterValidator(_plain_base)] | None = Field(
        default=None, description="Where traces go (OTLP over HTTP); without it there are none."
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8080, ge=1, le=65535, description="The port to listen on.")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_in_capitals)] = Field(
        default="INFO", description="The least severe log line that is written."
    )


def load_settings(secrets: Path = _SECRETS) -> Settings:
    """Settings from the environment and the files; SettingsError tells every wrong one in one message."""
    # BaseSettings takes this word; type checkers see the fields alone.
    where: dict[str, Any] = {"_secrets_dir": secrets} if secrets.is_dir() else {}
    try:
        return Settings(**where)
    except ValidationError as error:
        wrong = (
            f"  {_variable(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise SettingsError("\n".join(["The environment can't be used:", *wrong])) from None


def _variable(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper()
