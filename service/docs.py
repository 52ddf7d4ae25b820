"""The docs page: Swagger UI, served from this host alone, with a policy that allows nothing else."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>FountainAI Session and Context Management API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="data:,">
<main id="swagger-ui"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script type="module" src="/docs/start.js"></script>
</html>
"""
# The page can call its own origin only, so it offers none of the servers of the document.
_START = b"""\
const response = await fetch("/openapi.json");
const spec = await response.json();
spec.servers = [{url: location.origin, description: "This server"}];
SwaggerUIBundle({
  spec,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  persistAuthorization: false,
});
"""
# Swagger UI sets styles of elements, and takes its icons from data: URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _route(path: str, media_type: str, content: bytes | None = None, **headers: str) -> Route:
    """Serve the content, or the file of Swagger UI that has this name."""

    async def serve(_: Request) -> Response:
        static = files("fastapi_offline") / "static"
        body = (static / path.removeprefix("/docs/")).read_bytes() if content is None else content
        return Response(body, media_type=media_type, headers=headers)

    return Route(path, serve, include_in_schema=False)


routes = [
    _route("/docs", "text/html", _PAGE, **{"Content-Security-Policy": _POLICY}),
    _route("/docs/start.js", "text/javascript", _START),
    _route("/docs/swagger-ui-bundle.js", "text/javascript"),
    _route("/docs/swagger-ui.css", "text/css"),
]
