"""Paths and names that several parts of the program rely on."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The project: the folder with Pulumi.yaml, the Dockerfile and `service/`."""

SECRETS = "/run/secrets"
"""Where the service finds its secrets as files: `docker inspect` and its like show the environment."""

DATA = "/app/data"
"""Where a container mounts the data volume: below the WORKDIR of the Dockerfile."""

REPOSITORY = "session-context-api"
"""The image's name where no registry is set."""
