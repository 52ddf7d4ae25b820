"""The base image of the dev stack, with this machine's way to the outside: its authorities and its proxies."""

import hashlib
import io
import os
import re
import shutil
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
from local.debian import apt_install, is_debian_root
from local.images import build_failure, has_image, pull_image
from local.lock import hold_lock
from local.workspace import LOOPBACK, STATE, LocalError

OFFICIAL_IMAGE = "python:3.11-slim-bookworm"
DEBIAN_IMAGE = "session-context-debian:bookworm"
DEBIAN_PACKAGES = "python3,python3-venv,ca-certificates"
MADE_OF = "session-context.made-of"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian's images have them, and what the Dockerfiles here point pip to."""
BUNDLES = (AUTHORITIES, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "CURL_CA_BUNDLE")


def prepare(client: docker.DockerClient, *, prefer_official: bool) -> None:
    """Have the base image, of the official one or of one made from Debian's packages.

    `prefer_official` lets the latter give way once the official one can be pulled.
    """
    if has_image(client, images.BASE_IMAGE) and not prefer_official:
        return
    with hold_lock("base image"):
        source = OFFICIAL_IMAGE if pull_image(client, OFFICIAL_IMAGE) else _debian_image(client)
        _adapt(client, source)


def is_stand_in(client: docker.DockerClient) -> bool:
    """Whether the base image stands in for the official one."""
    return (
        has_image(client, images.BASE_IMAGE)
        and "session-context.stand-in" in client.images.get(images.BASE_IMAGE).labels
    )


def _debian_image(client: docker.DockerClient) -> str:
    """A stand-in for the official base image, made from Debian's packages; its name."""
    if has_image(client, DEBIAN_IMAGE):
        return DEBIAN_IMAGE
    if not is_debian_root():
        raise LocalError(f"{OFFICIAL_IMAGE} can't be pulled, and only on Debian, as root, can another be made")
    with step("Making a stand-in for the base image from Debian's packages"):
        if shutil.which("mmdebstrap") is None:
            apt_install("mmdebstrap")
        archive = STATE / "base.tar"
        unneeded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")]
        run(
            [
                "mmdebstrap",
                "--variant=minbase",
                f"--include={DEBIAN_PACKAGES}",
                *unneeded,
                "bookworm",
                str(archive),
            ],
            log="base-image",
        )
        repository, tag = DEBIAN_IMAGE.split(":")
        client.api.import_image_from_file(
            str(archive), repository=repository, tag=tag, changes=['LABEL session-context.stand-in="true"']
        )
        archive.unlink()
    return DEBIAN_IMAGE


def _adapt(client: docker.DockerClient, source: str) -> None:
    """Make the base image of a source, unless it is made of just this already.

    A company's proxy may inspect TLS, so its authority is added to those of the source. And a build may have to go
    through a proxy: ONBUILD leaves that to the builds, and none of it in the environment of what they make.
    """
    files = {
        "authorities.pem": _own_authorities(),
        "Dockerfile": "\n".join([
            f"FROM {source}",
            "COPY authorities.pem /tmp/",
            f"RUN cat /tmp/authorities.pem >> {AUTHORITIES} && rm /tmp/authorities.pem",
            *(f"ONBUILD ARG {name}={value}" for name, value in sorted(_build_proxies().items())),
        ]),
    }  # fmt: skip
    digest = hashlib.sha256(f"{client.images.get(source).id}{files}".encode()).hexdigest()
    if has_image(client, images.BASE_IMAGE) and client.images.get(images.BASE_IMAGE).labels.get(MADE_OF) == digest:
        return
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            tar.addfile(entry, io.BytesIO(content.encode()))
    context.seek(0)
    with step(f"Making {images.BASE_IMAGE} of {source}"):
        try:
            client.images.build(
                fileobj=context,
                custom_context=True,
                tag=images.BASE_IMAGE,
                labels={MADE_OF: digest},
                rm=True,
                forcerm=True,
            )
        except DockerException as error:
            raise build_failure(images.BASE_IMAGE, error) from error


def _own_authorities() -> str:
    """The authorities, in PEM, that this machine trusts beside Mozilla's."""
    named = (os.environ.get(name) for name in BUNDLE_VARIABLES)
    bundles = {Path(name).resolve() for name in (*named, *BUNDLES) if name and Path(name).is_file()}
    own = set[bytes]().union(*(_authorities(bundle) for bundle in bundles)) - _authorities(Path(certifi.where()))
    return "".join(f"\n{ssl.DER_cert_to_PEM_cert(authority)}" for authority in sorted(own))


def _authorities(bundle: Path) -> set[bytes]:
    found = PEM.findall(bundle.read_text(encoding="utf-8", errors="replace"))
    return {ssl.PEM_cert_to_DER_cert(certificate) for certificate in found}


def _build_proxies() -> dict[str, str]:
    """The proxies for builds, as environment variables: those of Docker's own config, or of this machine."""
    docker_config = (load_general_config().get("proxies") or {}).get("default") or {}
    found = {kind: docker_config.get(f"{kind}Proxy") for kind in ("http", "https", "no")}
    if not docker_config:
        found |= urllib.request.getproxies()
    usable = {}
    for kind in ("http", "https"):
        proxy = found.get(kind) or ""
        parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
        if parts.password:
            say(f"The {kind} proxy's password would show in an image's history, so builds go without that proxy")
        elif parts.hostname in LOOPBACK:
            say(f"No build can reach the {kind} proxy on this machine's loopback, so builds go without it")
        elif proxy:
            usable[f"{kind}_proxy"] = proxy
    if usable and (direct := found.get("no")):
        usable["no_proxy"] = direct.replace(" ", "")
    return usable | {name.upper(): value for name, value in usable.items()}
