"""The base image of the dev stack, adapted to this machine's network: its CA certificates and its proxies."""

import hashlib
import io
import os
import re
import ssl
import tarfile
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import docker
from docker.errors import DockerException
from docker.utils.config import load_general_config

from local import images
from local.console import run, say, step
from local.debian import can_install, find_program
from local.images import build_failure, has_image, pull_image
from local.lock import hold_lock
from local.workspace import LOOPBACK, STATE, LocalError

OFFICIAL_IMAGE = "python:3.11-slim-bookworm"
DEBIAN_IMAGE = "session-context-debian:bookworm"
DEBIAN_PACKAGES = "python3,python3-venv,ca-certificates"
STAND_IN_LABEL = "session-context.stand-in"
DIGEST_LABEL = "session-context.made-of"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian's images have it, and where the Dockerfiles here point pip."""
CA_BUNDLES = (CA_BUNDLE, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def prepare(client: docker.DockerClient, *, prefer_official: bool) -> None:
    """Build the base image on the official Python image, or on Debian's packages where that can't be pulled.

    With `prefer_official`, the official image replaces the other once it can be pulled.
    """
    if has_image(client, images.BASE_IMAGE) and not prefer_official:
        return
    with hold_lock("build of the base image"):
        source = OFFICIAL_IMAGE if pull_image(client, OFFICIAL_IMAGE) else _build_debian_image(client)
        _build(client, source)


def is_stand_in(client: docker.DockerClient) -> bool:
    """Return whether the base image is built of Debian's packages instead of the official image."""
    return has_image(client, images.BASE_IMAGE) and STAND_IN_LABEL in client.images.get(images.BASE_IMAGE).labels


def _build_debian_image(client: docker.DockerClient) -> str:
    """Build a stand-in for the official image from Debian's packages; return its name."""
    if has_image(client, DEBIAN_IMAGE):
        return DEBIAN_IMAGE
    if not can_install():
        raise LocalError(
            f"{OFFICIAL_IMAGE} can't be pulled, and a stand-in can be built only on Debian, as root. Pull or load "
            "that image, then try again."
        )
    with step("Building a stand-in for the base image from Debian's packages"):
        archive = STATE / "base.tar"
        excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
        command = [find_program("mmdebstrap"), "--variant=minbase", f"--include={DEBIAN_PACKAGES}", *excluded]
        run([*command, "bookworm", str(archive)], log="base-image")
        repository, tag = DEBIAN_IMAGE.split(":")
        client.api.import_image_from_file(
            str(archive), repository=repository, tag=tag, changes=[f'LABEL {STAND_IN_LABEL}="true"']
        )
        archive.unlink()
    return DEBIAN_IMAGE


def _build(client: docker.DockerClient, source: str) -> None:
    """Build the base image, unless it is up to date.

    A company's proxy may inspect TLS, so its CA is added to those of the source. And builds may need a proxy: with
    ONBUILD they get it as build arguments, which are not in the environment of the resulting image.
    """
    files = {
        "authorities.pem": _find_own_cas(),
        "Dockerfile": "\n".join([
            f"FROM {source}",
            "COPY authorities.pem /tmp/",
            f"RUN cat /tmp/authorities.pem >> {CA_BUNDLE} && rm /tmp/authorities.pem",
            *(f"ONBUILD ARG {name}={value}" for name, value in sorted(_find_build_proxies().items())),
        ]),
    }  # fmt: skip
    digest = hashlib.sha256(f"{client.images.get(source).id}{files}".encode()).hexdigest()
    if (
        has_image(client, images.BASE_IMAGE)
        and client.images.get(images.BASE_IMAGE).labels.get(DIGEST_LABEL) == digest
    ):
        return
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            tar.addfile(entry, io.BytesIO(content.encode()))
    context.seek(0)
    with step(f"Building {images.BASE_IMAGE} from {source}") as progress:
        try:
            images.build(
                client,
                progress,
                fileobj=context,
                custom_context=True,
                tag=images.BASE_IMAGE,
                labels={DIGEST_LABEL: digest},
            )
        except DockerException as error:
            raise build_failure(images.BASE_IMAGE, error) from error


def _find_own_cas() -> str:
    """Return the CA certificates, in PEM, that this machine trusts and Mozilla does not."""
    named = (os.environ.get(name) for name in CA_VARIABLES)
    bundles = {Path(name).resolve() for name in (*named, *CA_BUNDLES) if name and Path(name).is_file()}
    own = set[bytes]().union(*(_read_bundle(bundle) for bundle in bundles)) - _read_bundle(Path(certifi.where()))
    return "".join(f"\n{ssl.DER_cert_to_PEM_cert(certificate)}" for certificate in sorted(own))


def _read_bundle(bundle: Path) -> set[bytes]:
    found = PEM.findall(bundle.read_text(encoding="utf-8", errors="replace"))
    return {ssl.PEM_cert_to_DER_cert(certificate) for certificate in found}


def _find_build_proxies() -> dict[str, str]:
    """Return proxy variables for builds, from Docker's config or else from this machine's environment."""
    docker_config = (load_general_config().get("proxies") or {}).get("default") or {}
    found = {kind: docker_config.get(f"{kind}Proxy") for kind in ("http", "https", "no")}
    if not docker_config:
        found |= urllib.request.getproxies()
    usable = {}
    for kind in ("http", "https"):
        proxy = found.get(kind) or ""
        parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
        if parts.password:
            say(f"Builds will not use the {kind} proxy: its password would show in the image's history")
        elif parts.hostname in LOOPBACK:
            say(f"Builds will not use the {kind} proxy: it is on this machine's loopback, which they can't reach")
        elif proxy:
            usable[f"{kind}_proxy"] = proxy
    if usable and (direct := found.get("no")):
        usable["no_proxy"] = direct.replace(" ", "")
    return usable | {name.upper(): value for name, value in usable.items()}
