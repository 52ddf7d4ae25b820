"""`python -m service` serves until SIGTERM; with a verb it backs up, restores or copies the database."""

import argparse
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from service import logs
from service.app import create_app
from service.protocol import LimitedHttpProtocol
from service.settings import Settings, SettingsError, load_settings, parse_database_url

# A stop waits this long for current requests.
_STOP_SECONDS = 20
# The gateway closes idle connections first, after 60 s. If we did, a create could meet the closing and fail.
_IDLE_SECONDS = 75
_NOT_STARTED = 3  # uvicorn's exit status


class _Server(uvicorn.Server):
    """Keeps serving for a while after SIGTERM, since a gateway sends requests until it has noticed the stop."""

    def __init__(self, config: uvicorn.Config, stop_delay_seconds: float) -> None:
        super().__init__(config)
        self._stop_delay_seconds = stop_delay_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self._stop_delay_seconds:
            timer = threading.Timer(self._stop_delay_seconds, super().handle_exit, (sig, frame))
            timer.daemon = True
            timer.start()
        else:
            super().handle_exit(sig, frame)


def serve(app: FastAPI) -> None:
    """Serve the app until SIGTERM."""
    settings: Settings = app.state.settings
    logs.configure(settings.log_level)
    options: dict[str, Any] = {
        "host": settings.host,
        "port": settings.port,
        "http": LimitedHttpProtocol,
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "proxy_headers": False,  # nothing depends on the client's address
        "server_header": False,
        "log_config": None,
        "timeout_keep_alive": _IDLE_SECONDS,
        "timeout_graceful_shutdown": _STOP_SECONDS,
    }
    if settings.web_concurrency > 1:
        from service import workers  # one process doesn't need them

        workers.serve(settings, **options)
        return
    server = _Server(uvicorn.Config(app, workers=1, **options), settings.stop_delay_seconds)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    backup = verbs.add_parser("backup", help="copy the SQLite database to a file, even while it is served")
    backup.add_argument("file", help="the backup; - for standard output")
    restore = verbs.add_parser("restore", help="replace the SQLite database by a backup")
    restore.add_argument("file", help="the backup; - for standard input")
    copy = verbs.add_parser("copy", help="copy the database into an empty one, SQLite or PostgreSQL")
    copy.add_argument("--to", required=True, metavar="DATABASE_URL", help="URL of the empty database")
    return parser.parse_args()


def _maintain(arguments: argparse.Namespace) -> str:
    """Run a verb on the database of the settings; return what was done."""
    from service import backup, copying  # the service itself doesn't need them
    from service.database import DatabaseNotOpenedError

    try:
        url = load_settings().database_url
        if arguments.verb == "backup":
            return f"sessions in the backup: {backup.back_up(url, arguments.file)}"
        if arguments.verb == "restore":
            return f"sessions restored: {backup.restore(url, arguments.file)}"
        counts = copying.copy(url, parse_database_url(arguments.to))
        return "copied and compared: " + ", ".join(f"{count} rows of {name}" for name, count in counts.items())
    except (SettingsError, ValueError, OSError, DatabaseNotOpenedError) as error:
        raise SystemExit(str(error)) from None
    except (backup.BackupError, copying.CopyError) as error:
        raise SystemExit(f"{arguments.verb} failed: {error}") from None


def main() -> None:
    """Serve, or run the verb of the command line."""
    arguments = _parse_arguments()
    if arguments.verb is None:
        serve(create_app())
    else:
        print(_maintain(arguments), file=sys.stderr)


if __name__ == "__main__":
    main()
