"""A Kong on this machine with its PostgreSQL, as the official images run them."""

import time

from docker.models.containers import Container

from local import docker_engine
from local.console import say, step
from local.platform import Platform, image_name, on_loopback, published_ports
from local.workspace import LocalError

KONG_IMAGE = "kong:3.9"
POSTGRES_IMAGE = "postgres:16-alpine"
VERBS = ("bootstrap", "up", "finish", "list")
MIGRATE = f"kong migrations list || {{ {' '.join(f'kong migrations {verb};' for verb in VERBS)} }}"
"""`list` alone says by its exit code whether all is done: what a lock stops exits with 0, too."""

MIGRATE_SECONDS = 180
"""The lock of a run that was cut off lives 60 s, for which one round waits."""


def is_kong(container: Container) -> bool:
    """Whether a gateway is a Kong, and no stand-in."""
    return image_name(container) == KONG_IMAGE


def is_as_wanted(platform: Platform, container: Container, ports: dict[str, int]) -> bool:
    """Whether a running Kong has these ports and today's settings."""
    wanted = {f"{name}={value}" for name, value in _settings(platform).items()}
    return (
        platform.is_in_use(container)
        and published_ports(container) == ports
        and wanted <= set(container.attrs["Config"]["Env"])
    )


def start(platform: Platform, ports: dict[str, int]) -> None:
    """Start Kong on a database that runs and is migrated, whatever is left of either."""
    _start_database(platform)
    _migrate(platform)
    # One that runs is replaced, too: for ten minutes it would look for the database at the address it knew.
    with step("Starting Kong"):
        platform.replace(
            platform.gateway, KONG_IMAGE, data="", ports=on_loopback(ports), environment=_settings(platform)
        )


def _start_database(platform: Platform) -> None:
    database = platform.container(platform.database)
    if database is None or not platform.is_in_use(database):
        with step("Starting Kong's PostgreSQL"):
            platform.replace(
                platform.database,
                POSTGRES_IMAGE,
                data="/var/lib/postgresql/data",
                # Nothing but this network reaches it, and it publishes no port.
                environment={"POSTGRES_USER": "kong", "POSTGRES_DB": "kong", "POSTGRES_HOST_AUTH_METHOD": "trust"},
                healthcheck={
                    "test": ["CMD", "pg_isready", "-U", "kong", "-h", "127.0.0.1"],
                    "interval": 1_000_000_000,
                },
            )
    docker_engine.wait_healthy(
        lambda: platform.client.containers.get(platform.database), "Waiting for Kong's PostgreSQL"
    )


def _settings(platform: Platform) -> dict[str, str]:
    return {
        "KONG_DATABASE": "postgres",
        "KONG_PG_HOST": platform.database,
        "KONG_PG_USER": "kong",
        "KONG_PROXY_LISTEN": "0.0.0.0:8000",
        "KONG_ADMIN_LISTEN": "0.0.0.0:8001",
        "KONG_NGINX_WORKER_PROCESSES": "2",  # a laptop has many cores, and each worker takes 80 MB
        "KONG_ANONYMOUS_REPORTS": "off",
    }


def _migrate(platform: Platform) -> None:
    """Bring the database up to date. Raises `LocalError` when it does not get there."""
    deadline = time.monotonic() + MIGRATE_SECONDS
    with step("Preparing Kong's database"):
        while True:
            container = platform.client.containers.run(
                KONG_IMAGE,
                ["sh", "-c", MIGRATE],
                detach=True,
                network=platform.network,
                environment=_settings(platform),
                labels=platform.labels,
            )
            try:
                code = container.wait()["StatusCode"]
                said = container.logs().decode(errors="replace").strip()
            finally:
                container.remove(force=True)
            if code == 0:
                return
            if time.monotonic() > deadline:
                raise LocalError(
                    f"Kong's database can't be prepared. `kong migrations` last said:\n{said[-2000:]}"
                )
            waiting = "a run that was cut off has left its lock, which ends within a minute"
            say(f"  … not yet: {waiting if 'another node' in said else said.rpartition(chr(10))[2]}")
            time.sleep(1)
