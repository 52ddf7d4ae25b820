"""The application: wires its parts together."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import docs
from service.admission import AdmissionMiddleware
from service.api import TAG, router
from service.expiry import remove_expired_keys
from service.exposition import WorkerMetrics, show_metrics
from service.openapi import complete_document
from service.problems import ProblemMiddleware
from service.routing import LeanRoute, LeanRouter, normalize_path
from service.sessions import Sessions
from service.settings import Settings, SettingsError, load_settings
from service.store import Store
from service.tracing import Tracing, TracingError

# Bounds the request and response bodies in memory: as many contexts of the maximum size.
_MAX_CONTEXTS_IN_MEMORY = 64


class SessionContextApi(FastAPI):
    """FastAPI with LeanRouter before its own router."""

    def __init__(self, settings: Settings, **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        super().__init__(**options)
        routes = [route for route in router.routes if isinstance(route, LeanRoute)]
        self.router.routes.extend(routes)  # include_router would add a dispatch to each
        self.add_route("/metrics", show_metrics, include_in_schema=False)
        self.router.routes.extend(docs.routes)
        self._handle: ASGIApp = AdmissionMiddleware(
            ProblemMiddleware(LeanRouter(routes, self.router), self.router.routes),
            max_requests=settings.max_requests,
            max_held_bytes=settings.max_context_bytes * _MAX_CONTEXTS_IN_MEMORY,
            body_seconds=settings.body_timeout_seconds,
        )
        self._api_key_header = settings.api_key_header
        self.state.tracing = None
        if settings.otel_exporter_otlp_endpoint is not None:
            self.state.tracing = Tracing(str(settings.otel_exporter_otlp_endpoint))
            self._handle = self.state.tracing.wrap(self._handle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        if scope["type"] == "http":
            if b"%" in scope["raw_path"]:
                scope["path"] = normalize_path(scope["raw_path"])
            await self._handle(scope, receive, send)
            return

        async def send_last_line(message: Message) -> None:
            # Starlette reports a failed start by a traceback, whose last line says what to do.
            if message["type"] == "lifespan.startup.failed":
                message["message"] = message["message"].strip().splitlines()[-1]
            await send(message)

        await self.router(scope, receive, send_last_line)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            complete_document(super().openapi(), self._api_key_header)  # which keeps it
        return super().openapi()


def create_app(settings: Settings | None = None, metrics_folder: Path | None = None) -> FastAPI:
    """Create the service. Without settings it reads the environment, and exits if that is invalid.

    Workers that serve together share a folder, through which their metrics are added up.
    """
    if settings is None:
        try:
            settings = load_settings()
        except SettingsError as error:
            raise SystemExit(str(error)) from None
    try:
        app = SessionContextApi(
            settings,
            title="FountainAI Session and Context Management API",
            version="2.0.0",
            servers=[
                {"url": "https://sessioncontext.fountain.coach", "description": "Production server"},
                {"url": "http://localhost:8080", "description": "Development server"},
            ],
            openapi_tags=[
                {"name": TAG, "description": "A session belongs to a user and holds one text, its context."}
            ],
            redirect_slashes=False,
            docs_url=None,  # in its place: docs.py
            redoc_url=None,
            lifespan=_lifespan,
        )
    except TracingError as error:
        raise SystemExit(str(error)) from None
    app.state.settings = settings
    app.state.worker_metrics = WorkerMetrics(metrics_folder) if metrics_folder is not None else None
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    store = await Store.open(settings.database_url)
    sequencer = None
    if settings.sequence_service_url is not None:
        from service.sequencer import Sequencer  # which takes time at the start, and 10 MB

        sequencer = Sequencer(str(settings.sequence_service_url), settings.sequence_timeout_seconds)
    app.state.sessions = Sessions(store, sequencer, settings.sequence_timeout_seconds)
    expiry = None
    if settings.idempotency_key_days:
        expiry = asyncio.create_task(remove_expired_keys(store, settings.idempotency_key_days))
    workers: WorkerMetrics | None = app.state.worker_metrics
    if workers is not None:
        await workers.share()
    gc.collect()
    gc.freeze()  # nothing so far becomes garbage, so collections can skip it
    try:
        yield
    finally:
        if workers is not None:
            await workers.close()
        if expiry is not None:
            expiry.cancel()
        if sequencer is not None:
            await sequencer.close()
        await store.close()
        if app.state.tracing is not None:
            await asyncio.to_thread(app.state.tracing.close)
