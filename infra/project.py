"""Where the project is."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The folder with Pulumi.yaml, the Dockerfile and `service/`."""
