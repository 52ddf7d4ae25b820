"""`make open`: the docs page in a browser, through the gateway.

The gateway routes by host name, which a browser on this machine can't resolve. So a server on the loopback passes
each request on with the stack's host name.
"""

import webbrowser
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests

from local import pulumi_stack, stack_config, tls
from local.console import say
from local.workspace import Workspace

TIMEOUT_SECONDS = 60
NOT_PASSED_ON = {"connection", "content-encoding", "content-length", "host", "keep-alive", "transfer-encoding"}
"""Headers that concern one connection, or that the server here sets itself."""


def open_docs(workspace: Workspace) -> None:
    """Serve the docs page until Ctrl-C, and open it in the browser where there is one."""
    hostname = pulumi_stack.read_outputs(workspace)["record"]["name"]
    is_plain = stack_config.plain_http(workspace) == "serve"
    gateway = workspace.proxy_url if is_plain else workspace.tls_url
    session = requests.Session() if is_plain else tls.open_session(workspace, hostname)
    with session, ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, session, gateway, hostname)) as server:
        url = f"http://127.0.0.1:{server.server_port}/docs"
        opened = webbrowser.open(url)
        say(f"The docs page{'' if opened else ', to open in a browser'}: {url} (until Ctrl-C)")
        with suppress(KeyboardInterrupt):
            server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, session: requests.Session, gateway: str, hostname: str, *arguments: object) -> None:
        self._session, self._gateway, self._hostname = session, gateway, hostname
        super().__init__(*arguments)  # type: ignore[arg-type] # the server's own

    def do_GET(self) -> None:
        """Pass the request on, unless it is for another name: a page elsewhere could have that point to here."""
        host, port = self.connection.getsockname()
        if self.headers["Host"] != f"{host}:{port}":
            self.send_error(421)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            response = self._session.request(
                self.command,
                self._gateway + self.path,
                headers=headers | {"Host": self._hostname},
                data=body,
                allow_redirects=False,
                timeout=TIMEOUT_SECONDS,
            )
        except requests.RequestException as error:
            self.send_error(502, "The gateway does not answer", str(error))
            return
        self.send_response_only(response.status_code)
        for name, value in response.headers.items():
            if name.lower() not in NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    do_DELETE = do_HEAD = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815 - the server's names for them

    def log_message(self, *_: object) -> None:
        """Print no line for each request: `make logs` has them."""
