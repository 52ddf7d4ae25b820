"""The service's image, tagged with a hash of its content, so that a preview knows its name."""

import hashlib
import tempfile
from pathlib import Path

import pulumi
import pulumi_docker as docker

from infra.config.groups import ImageConfig
from infra.paths import REPOSITORY, ROOT
from infra.registry import find_digest

CONTEXT = ".local/build"
TAG_DIGITS = 16


def content_hash(root: Path, base_image: str, platform: str | None = None) -> str:
    """Return a hash of the build's inputs below `root`. Dates, owners and the path of the folder don't count."""
    digest = hashlib.sha256(f"{base_image} {platform or ''}".rstrip().encode())
    for file in build_files(root):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"\n{file.relative_to(root).as_posix()} {_is_executable(file)} {content}".encode())
    return digest.hexdigest()


def build_files(root: Path) -> list[Path]:
    """Return the Dockerfile and the service's files without caches, sorted."""
    files = [file for file in (root / "service").rglob("*") if file.is_file()]
    return sorted({root / "Dockerfile", *(file for file in files if not _is_cache(file.relative_to(root)))})


def _is_cache(path: Path) -> bool:
    return path.suffix == ".pyc" or any(
        part == "__pycache__" or (part.startswith(".") and part.endswith("_cache")) for part in path.parts
    )


def _is_executable(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o100)


def stage(root: Path) -> Path:
    """Copy the build's inputs to a folder of their own, with the modes that git stores; return that folder.

    Docker's plugin compares all bits of each mode, and some depend on the umask: built from the clone itself, the
    image would change with each engineer. Other runs may read the folder at the same time, so a file that has
    changed is replaced atomically, and no other is touched.
    """
    context = root / CONTEXT
    context.mkdir(parents=True, exist_ok=True)
    copies = {context / file.relative_to(root): file for file in build_files(root)}
    folders = {folder for copy in copies for folder in copy.parents}
    for found in sorted(context.rglob("*"), reverse=True):  # files before their folder
        if not found.is_dir() and found not in copies:
            found.unlink(missing_ok=True)
        elif found.is_dir() and found not in folders:
            found.rmdir()
    for copy, file in copies.items():
        mode = 0o755 if _is_executable(file) else 0o644
        if copy.is_file() and copy.stat().st_mode & 0o777 == mode and copy.read_bytes() == file.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=context.parent, delete=False) as temporary:
            temporary.write(file.read_bytes())
        Path(temporary.name).chmod(mode)
        Path(temporary.name).replace(copy)
    for folder in (context, *context.rglob("*/")):
        if folder.is_dir():  # before Python 3.13 it matches files too
            folder.chmod(0o755)
    return context


def _build_args(config: ImageConfig) -> dict[str, pulumi.Input[str]]:
    """Return the build arguments. The tag depends on the base image only, since a mirror has the same packages.

    No argument ends up in the image's history: Docker excludes proxies, and the index is for the build stage only.
    """
    args: dict[str, pulumi.Input[str]] = {"BASE_IMAGE": config.base_image}
    if config.proxy:
        args |= {"HTTP_PROXY": config.proxy, "HTTPS_PROXY": config.proxy}
    if config.package_index:
        args["PIP_INDEX_URL"] = config.package_index
    return args


class Image(pulumi.ComponentResource):
    """The image: built on the containers' engine, or deployed from a registry. A preview never builds."""

    reference: pulumi.Input[str]
    """`repository:tag`, known before the image is built, or `repository@sha256:…` in a registry."""

    version: str
    """What identifies the content, known in each preview: a digest, or a tag that is a hash of it."""

    built: list[pulumi.Resource]
    """The resources that containers depend on, besides the reference."""

    def __init__(
        self,
        name: str,
        *,
        config: ImageConfig,
        after: list[pulumi.Resource],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("session-context:index:Image", name, None, opts)
        self._name, self._config, self._after, self.built = name, config, after, []
        tag = content_hash(ROOT, config.base_image, config.platform)[:TAG_DIGITS]
        self.version = config.deployed or f"{config.repository or REPOSITORY}:{tag}"
        if config.deployed:
            self.reference = config.deployed
        elif config.repository:
            self.reference = self._push(self.version)
        else:
            self.reference = self.version
            self.built = [self._build(self.reference, skip_push=True)]
        self.register_outputs({"reference": self.reference})

    def _push(self, tagged: str) -> pulumi.Output[str]:
        """Build and push the image, unless the registry had its tag when this stack first deployed it.

        The stash stores that decision, with the digest, as long as the tag stays the same. Otherwise the second
        `up` would find the tag in the registry, and delete the resource that the first one declared.
        """
        repository, _, tag = tagged.rpartition(":")
        found = pulumi.Stash(
            f"{self._name}-{tag}",
            input=find_digest(tagged, parent=self) or "",
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["input"]),
        )

        def reference(digest: str) -> pulumi.Input[str]:
            return f"{repository}@{digest}" if digest else self._build(tagged, skip_push=False).repo_digest

        return found.output.apply(reference)

    def _build(self, tagged: str, *, skip_push: bool) -> docker.Image:
        config = self._config
        stage(ROOT)
        return docker.Image(
            self._name,
            image_name=tagged,
            build=docker.DockerBuildArgs(
                context=CONTEXT,
                dockerfile=f"{CONTEXT}/Dockerfile",
                args=_build_args(config),
                platform=config.platform,  # by default the plugin builds for its own machine
            ),
            registry=None  # then the plugin takes the credentials of `docker login`
            if config.registry_password is None
            else docker.RegistryArgs(
                server=config.registry, username=config.registry_username, password=config.registry_password
            ),
            build_on_preview=False,
            skip_push=skip_push,
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._after),
        )
