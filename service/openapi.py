"""The OpenAPI document on standard output: `python -m service.openapi > openapi.json`."""

import json
import sys

from service.app import create_app
from service.settings import Settings


def document() -> str:
    """The document as it is kept in the repository; the environment has no part in it."""
    return json.dumps(create_app(Settings.model_construct()).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
