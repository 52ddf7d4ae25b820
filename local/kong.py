"""Kong on this machine with its PostgreSQL, both from the official images."""

import time

from docker.models.containers import Container

from local.console import say, step
from local.container_health import read_log
from local.platform import Platform, has_settings, image_name, on_loopback, published_ports
from local.waiting import attempts
from local.workspace import LocalError

KONG_IMAGE = "kong:3.9"
POSTGRES_IMAGE = "postgres:16-alpine"
VERBS = ("bootstrap", "up", "finish", "list")
MIGRATE = f"kong migrations list || {{ {' '.join(f'kong migrations {verb};' for verb in VERBS)} }}"
"""Only the exit code of `list` says whether all migrations are done: the others exit with 0 behind a lock, too."""

DNS = {"KONG_DNS_VALID_TTL": "10", "KONG_DNS_NOT_FOUND_TTL": "1", "KONG_DNS_STALE_TTL": "0"}
"""Docker's DNS says that an address is valid for ten minutes, but a container may restart at another one. While it
is stopped it has none. Kong asks again after 30 s, without the last two settings after 60. If it asked for each
address every second, it would meet that in each restart."""

IS_READY = ["pg_isready", "-U", "kong", "-h", "127.0.0.1"]
CREATE = ["createdb", "--username=kong", "kong"]
"""The image creates the database in its first start alone, which may have been cut off before that."""

DATABASE_SECONDS = 90
MIGRATE_SECONDS = 180
"""The lock of an interrupted run expires after 60 s, and one round waits for that."""


def is_kong(container: Container) -> bool:
    """Return whether a gateway is a Kong, not the stand-in."""
    return image_name(container) == KONG_IMAGE


def is_up_to_date(
    platform: Platform, container: Container, ports: dict[str, int], certificate: dict[str, str]
) -> bool:
    """Return whether Kong runs with these ports, this certificate and today's settings."""
    return (
        platform.is_usable(container)
        and published_ports(container) == ports
        and has_settings(container, _settings(platform) | certificate)
    )


def start(platform: Platform, ports: dict[str, int], certificate: dict[str, str]) -> None:
    """Start PostgreSQL, migrate its database and start Kong, whatever state they are in."""
    _start_database(platform)
    _migrate(platform)
    # A running Kong is replaced, too: for ten minutes it would look for the database at its old address.
    with step("Starting Kong"):
        platform.replace_container(
            platform.gateway,
            KONG_IMAGE,
            ports=on_loopback(ports),
            environment=_settings(platform) | certificate,
        )


def _start_database(platform: Platform) -> None:
    database = platform.find_container(platform.database)
    if database is None or not platform.is_usable(database):
        with step("Starting Kong's PostgreSQL"):
            platform.replace_container(
                platform.database,
                POSTGRES_IMAGE,
                data="/var/lib/postgresql/data",
                # It publishes no port, so only this network reaches it.
                environment={"POSTGRES_USER": "kong", "POSTGRES_DB": "kong", "POSTGRES_HOST_AUTH_METHOD": "trust"},
            )
    with step("Waiting for Kong's PostgreSQL"):
        for _ in attempts(DATABASE_SECONDS):
            # Not as a health check, which would start a process in the container for as long as it runs.
            container = platform.client.containers.get(platform.database)
            if container.status == "running" and container.exec_run(IS_READY).exit_code == 0:
                container.exec_run(CREATE)  # fails if it exists
                return
            if container.status in ("exited", "dead"):
                break
    raise LocalError(
        f"container {container.name} does not become ready. Its last log lines:\n{read_log(container)}"
    )


def _settings(platform: Platform) -> dict[str, str]:
    return {
        "KONG_DATABASE": "postgres",
        "KONG_PG_HOST": platform.database,
        "KONG_PG_USER": "kong",
        "KONG_PROXY_LISTEN": "0.0.0.0:8000, 0.0.0.0:8443 http2 ssl",
        "KONG_ADMIN_LISTEN": "0.0.0.0:8001",
        "KONG_NGINX_WORKER_PROCESSES": "2",  # by default one for each core, of 80 MB each
        "KONG_ANONYMOUS_REPORTS": "off",
        **DNS,
    }


def _migrate(platform: Platform) -> None:
    """Migrate the database. Raises `LocalError` if the migrations are not done in time."""
    deadline = time.monotonic() + MIGRATE_SECONDS
    with step("Migrating Kong's database"):
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
                output = container.logs().decode(errors="replace").strip()
            finally:
                container.remove(force=True)
            if code == 0:
                return
            if time.monotonic() > deadline:
                raise LocalError(f"`kong migrations` failed. Its last output:\n{output[-2000:]}")
            say(f"  … retrying: {find_reason(output)}")
            time.sleep(1)


def find_reason(output: str) -> str:
    """Return why `kong migrations` failed, on one line: its output ends with advice."""
    if "another node" in output:
        return "an interrupted run left its lock, which expires within a minute"
    lines = output.strip().splitlines() or ["it printed nothing"]
    return next((line for line in lines if line.startswith("Error: ")), lines[0])
