"""`python -m tests.service.impatient`: the service, which waits a moment instead of 20 s for slow clients."""

from service.__main__ import serve
from service.app import create_app
from service.protocol import LimitedHttpProtocol

if __name__ == "__main__":
    LimitedHttpProtocol.slow_seconds = 0.4
    serve(create_app())
