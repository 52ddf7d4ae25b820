"""The docs page: Swagger UI, served from this host alone, under a policy that lets nothing else in."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_STATIC = files("fastapi_offline") / "static"
_PAGE = """<!doctype html>
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
# The page's policy lets it call its own origin alone, so that comes first; the document names the public servers.
_START = """\
const answer = await fetch("/openapi.json");
const spec = await answer.json();
spec.servers.unshift({url: location.origin, description: "This server"});
SwaggerUIBundle({
  spec,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  persistAuthorization: false,
});
"""
# Swagger UI sets styles of single elements, and draws its icons from data: URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def _page(_: Request) -> Response:
    return Response(_PAGE, media_type="text/html", headers={"Content-Security-Policy": _POLICY})


async def _start(_: Request) -> Response:
    return Response(_START, media_type="text/javascript")


async def _script(_: Request) -> Response:
    return Response((_STATIC / "swagger-ui-bundle.js").read_bytes(), media_type="text/javascript")


async def _style(_: Request) -> Response:
    return Response((_STATIC / "swagger-ui.css").read_bytes(), media_type="text/css")


routes = [
    Route("/docs", _page, include_in_schema=False),
    Route("/docs/start.js", _start, include_in_schema=False),
    Route("/docs/swagger-ui-bundle.js", _script, include_in_schema=False),
    Route("/docs/swagger-ui.css", _style, include_in_schema=False),
]
