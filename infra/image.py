"""The service's image: named by a hash of all that goes into it, so that a preview knows its name."""

import hashlib
import tempfile
from pathlib import Path

import pulumi
import pulumi_docker as docker

from infra.config import ImageConfig
from infra.paths import ROOT

CONTEXT = ".local/build"
REPOSITORY = "session-context-api"
TAG_DIGITS = 16


def content_hash(root: Path, base_image: str, platform: str | None = None) -> str:
    """A hash of what a build from `root` takes in; dates, owners and where the folder lies don't count."""
    digest = hashlib.sha256(f"{base_image} {platform or ''}".rstrip().encode())
    for file in build_files(root):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"\n{file.relative_to(root).as_posix()} {_is_executable(file)} {content}".encode())
    return digest.hexdigest()


def build_files(root: Path) -> list[Path]:
    """The Dockerfile and the service without what Python and tools leave there, in order."""
    files = [file for file in (root / "service").rglob("*") if file.is_file()]
    return sorted({root / "Dockerfile", *(file for file in files if not _is_cache(file.relative_to(root)))})


def _is_cache(path: Path) -> bool:
    return path.suffix == ".pyc" or any(
        part == "__pycache__" or (part.startswith(".") and part.endswith("_cache")) for part in path.parts
    )


def _is_executable(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o100)


def stage(root: Path) -> Path:
    """Copy what a build takes in to a folder of its own, with the modes that git knows; return that folder.

    Docker's plugin compares all bits of each mode, and a clone's umask makes some of them: built from the clone
    itself, the image would be another one for each engineer. Other runs may read the folder meanwhile, so each
    file that has changed is replaced in one step, and no other is touched.
    """
    context = root / CONTEXT
    context.mkdir(parents=True, exist_ok=True)
    copies = {context / file.relative_to(root): file for file in build_files(root)}
    folders = {folder for copy in copies for folder in copy.parents}
    for found in sorted(context.rglob("*"), reverse=True):  # a folder comes after what is in it
        if not found.is_dir() and found not in copies:
            found.unlink(missing_ok=True)
        elif found.is_dir() and found not in folders:
            found.rmdir()
    for copy, file in copies.items():
        mode = 0o755 if _is_executable(file) else 0o644
        if copy.is_file() and copy.stat().st_mode & 0o777 == mode and copy.read_bytes() == file.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=context.parent, delete=False) as half:
            half.write(file.read_bytes())
        Path(half.name).chmod(mode)
        Path(half.name).replace(copy)
    for folder in (context, *context.rglob("*/")):
        if folder.is_dir():  # before Python 3.13 a file is found, too
            folder.chmod(0o755)
    return context


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
        config: ImageConfig,
        after: pulumi.Resource,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:Image", name, None, opts)
        self.reference = f"{REPOSITORY}:{content_hash(ROOT, config.base_image, config.platform)[:TAG_DIGITS]}"
        stage(ROOT)
        self.built = docker.Image(
            name,
            image_name=self.reference,
            build=docker.DockerBuildArgs(
                context=CONTEXT,
                dockerfile=f"{CONTEXT}/Dockerfile",
                args={"BASE_IMAGE": config.base_image},
                platform=config.platform,  # else the plugin builds for the machine that it runs on itself
            ),
            build_on_preview=False,
            skip_push=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after]),
        )
        self.register_outputs({"reference": self.reference})
