"""Registries, with the plugin's `registryAuth` and `getRegistryImage`."""

import json
import os
from pathlib import Path
from typing import Any

import requests
from docker import auth
from docker.errors import DockerException

from infra.plugin import PluginError
from infra.props import Props

SECONDS = 30
MANIFESTS = ", ".join((
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
))  # fmt: skip


class Registries:
    """The registries that the provider is configured for, which are all that it has credentials for."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Any]] = {}

    def configure(self, config: Props) -> None:
        """Read `registryAuth`. Raises `PluginError` if the file of credentials is missing, as the plugin does."""
        for entry in json.loads(config.get("registryAuth") or "[]"):
            address = entry["address"] if "://" in entry["address"] else f"https://{entry['address']}"
            host = address.partition("://")[2].partition("/")[0]
            if entry.get("authDisabled"):
                entry |= {"username": "username", "password": "password"}  # the plugin sends just these
            if not entry.get("username"):
                entry |= _read_login(host)
            self._entries[host] = entry | {"address": address}

    def get_credentials(self, image: str) -> dict[str, str]:
        """Return the credentials for the registry of an image; empty if there are none."""
        entry = self._entries.get(image.partition("/")[0], {})
        return {name: entry[name] for name in ("username", "password") if entry.get(name)}

    def get_image(self, inputs: Props) -> Props:
        """Serve `getRegistryImage`: the digest of a tag. Raises `PluginError` with the registry's status."""
        host, _, path = inputs["name"].partition("/")
        repository, _, tag = path.rpartition(":")
        entry = self._entries.get(host, {"address": f"https://{host}"})
        failed = f"Got error when attempting to fetch image version {repository}:{tag} from registry"
        credentials = self.get_credentials(inputs["name"])
        try:
            answer = requests.head(
                f"{entry['address']}/v2/{repository}/manifests/{tag}",
                auth=(credentials["username"], credentials["password"]) if credentials else None,
                headers={"Accept": MANIFESTS},
                timeout=SECONDS,
            )
        except requests.RequestException as error:
            raise PluginError(f"{failed}: Error during registry request: {error}") from error
        status = f"{answer.status_code} {answer.reason}"
        if answer.status_code == requests.codes.unauthorized:
            if answer.headers.get("WWW-Authenticate", "").startswith("Bearer"):
                raise PluginError(f"{failed}: the stand-in for Docker's plugin does not support token services")
            raise PluginError(f"{failed}: bad credentials: {status}")
        if not answer.ok:
            raise PluginError(f"{failed}: got bad response from registry: {status}")
        return inputs | dict.fromkeys(("id", "sha256Digest"), answer.headers["Docker-Content-Digest"])


def _read_login(host: str) -> dict[str, str]:
    """Return the credentials that `docker login` has stored for a registry."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    file = folder / "config.json" if folder.is_dir() else folder
    if not file.is_file():
        raise PluginError(f"could not open config file from filePath: {file}")
    try:
        found = auth.load_config(str(file)).resolve_authconfig(host) or {}
    except DockerException as error:
        raise PluginError(f"could not get auth config for {host}: {error}") from error
    return {"username": found.get("username", ""), "password": found.get("password", "")}
