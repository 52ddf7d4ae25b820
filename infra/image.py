"""The service's image: named by a hash of all that goes into it, so that a preview knows its name."""

import hashlib
from pathlib import Path

import pulumi
import pulumi_docker as docker

ROOT = Path(__file__).parent.parent
REPOSITORY = "session-context-api"
TAG_DIGITS = 16


def content_hash(root: Path, base_image: str, platform: str | None = None) -> str:
    """A hash of what a build from `root` takes in; dates, owners and where the folder lies don't count."""
    digest = hashlib.sha256(f"{base_image} {platform or ''}".rstrip().encode())
    for file in build_files(root):
        executable = bool(file.stat().st_mode & 0o100)
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"\n{file.relative_to(root).as_posix()} {executable} {content}".encode())
    return digest.hexdigest()


def build_files(root: Path) -> list[Path]:
    """The Dockerfile and what .dockerignore leaves to it, in order.

    Docker's own reading of .dockerignore would be a fifth of a preview, to import; a test compares the two.
    """
    files = [file for file in (root / "service").rglob("*") if file.is_file()]
    return sorted({root / "Dockerfile", *(file for file in files if not _is_cache(file.relative_to(root)))})


def _is_cache(path: Path) -> bool:
    return path.suffix == ".pyc" or any(
        part == "__pycache__" or (part.startswith(".") and part.endswith("_cache")) for part in path.parts
    )


class Image(pulumi.ComponentResource):
    """The image, built where the containers will run; a preview never builds."""

    reference: str
    """`repository:tag`, known before anything is built."""

    built: pulumi.Resource
    """What a container must wait for."""

    def __init__(
        self,
        name: str,
        *,
        base_image: str,
        platform: str | None,
        after: pulumi.Resource,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:Image", name, None, opts)
        self.reference = f"{REPOSITORY}:{content_hash(ROOT, base_image, platform)[:TAG_DIGITS]}"
        self.built = docker.Image(
            name,
            image_name=self.reference,
            build=docker.DockerBuildArgs(
                context=".",
                dockerfile="Dockerfile",
                args={"BASE_IMAGE": base_image},
                platform=platform,  # else the plugin builds for the machine that it runs on itself
            ),
            build_on_preview=False,
            skip_push=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after]),
        )
        self.register_outputs({"reference": self.reference})
