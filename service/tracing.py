"""OpenTelemetry traces: off unless an OTLP endpoint is set. They need the packages of the extra `otel`."""

from starlette.types import ASGIApp

_UNTRACED = "livez,readyz,metrics"


class TracingError(Exception):
    """Traces are configured, but can't be sent."""


class Tracing:
    """Sends spans of requests to an OTLP endpoint (HTTP). Raises TracingError without the packages."""

    def __init__(self, endpoint: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
            from opentelemetry.sdk.resources import SERVICE_NAME, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.util.http import parse_excluded_urls
        except ImportError as error:
            raise TracingError(
                f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but {error.name} is not installed: install the extra `otel`"
            ) from error
        self._middleware = OpenTelemetryMiddleware
        self._excluded = parse_excluded_urls(_UNTRACED)
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "session-context"}))
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the app with a span for each request."""
        return self._middleware(
            app,
            tracer_provider=self._provider,
            excluded_urls=self._excluded,
            exclude_spans=["receive", "send"],
        )

    def close(self) -> None:
        """Send the remaining spans. This blocks as long as the collector does."""
        self._provider.shutdown()
