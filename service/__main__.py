"""`python -m service`: the service on its port, until SIGTERM."""

import uvicorn
from fastapi import FastAPI

from service import logs
from service.app import create_app
from service.connection import Connection
from service.settings import Settings

# Stopping waits for the requests that are under way, but not for ever.
_STOP_SECONDS = 25
# The gateway closes idle connections first, after 60 s: a create that met our closing would fail.
_IDLE_SECONDS = 75


def serve(app: FastAPI) -> None:
    """Serve the app as its settings say."""
    settings: Settings = app.state.settings
    logs.configure(settings.log_level)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http=Connection,
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,  # nothing here depends on a client's address
        server_header=False,
        log_config=None,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


if __name__ == "__main__":
    serve(create_app())
