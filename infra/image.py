"""The service's image: named by a hash of all that goes into it, so that a preview knows its name."""

import hashlib
from pathlib import Path

import pulumi
import pulumi_docker as docker
from docker.utils import exclude_paths

ROOT = Path(__file__).parent.parent
REPOSITORY = "session-context-api"
TAG_DIGITS = 16


def content_hash(root: Path, base_image: str) -> str:
    """A hash of what a build from `root` takes in; dates, owners and where the folder lies don't count."""
    ignored = (root / ".dockerignore").read_text().splitlines()
    patterns = [line.strip() for line in ignored if line.strip() and not line.startswith("#")]
    digest = hashlib.sha256(base_image.encode())
    for name in sorted({"Dockerfile", *exclude_paths(str(root), patterns)}):
        file = root / name
        if file.is_file():
            executable = bool(file.stat().st_mode & 0o100)
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"\n{Path(name).as_posix()} {executable} {content}".encode())
    return digest.hexdigest()


class Image(pulumi.ComponentResource):
    """The image, built where the containers will run; a preview never builds."""

    reference: str
    """`repository:tag`, known before anything is built."""

    built: pulumi.Resource
    """What a container must wait for."""

    def __init__(self, name: str, *, base_image: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("session-context:index:Image", name, None, opts)
        self.reference = f"{REPOSITORY}:{content_hash(ROOT, base_image)[:TAG_DIGITS]}"
        self.built = docker.Image(
            name,
            image_name=self.reference,
            build=docker.DockerBuildArgs(
                context=".",
                dockerfile="Dockerfile",
                args={"BASE_IMAGE": base_image},
            ),
            build_on_preview=False,
            skip_push=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"reference": self.reference})
