"""Pulumi's CLI, language host and plugins: found, downloaded, or replaced by builds and stand-ins.

`make setup` uses it before anything is installed, so it imports the standard library alone.
"""

import os
import re
import shutil
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from local.console import run, say, step
from local.go_programs import build, find_command, link, module_folder
from local.workspace import BIN, CACHE, ROOT, STATE, VENV, LocalError

REQUIREMENTS = ROOT / "requirements.txt"
DOWNLOADS = "https://get.pulumi.com"
PLUGINS = ("docker", "aws")
KUBERNETES_PLUGIN = ROOT / "offline" / "kubernetes_plugin"
SDK_PARTS = (".", "go/kubernetes", "go/kubernetes/helm/v4", "go/kubernetes/utilities", "go/kubernetes/yaml/v2")
OLDEST_PULUMI = (3, 215)  # has the Stash resource


def install() -> None:
    """Provide the CLI, the language host and the plugins in .local/bin or on PATH."""
    before = stand_ins()
    folder = install_cli()
    install_language_host(folder)
    for name in PLUGINS:
        install_plugin(name)
    if new := [name for name in stand_ins() if name not in before]:
        say(f"Using stand-ins (offline/README.md) for {', '.join(new)}")


def pinned_version(package: str) -> str:
    """Return the version of a package in requirements.txt."""
    found = re.search(rf"^{package}==([\w.]+)", REQUIREMENTS.read_text(), re.MULTILINE)
    if found is None:
        raise LocalError(f"requirements.txt does not pin {package}. Run `make lock`.")
    return found[1]


def stand_ins() -> list[str]:
    """Return the names of Pulumi's programs that stand-ins replace on this machine."""
    return [
        path.name
        for path in sorted(BIN.glob("pulumi-*"))
        if not path.is_symlink() and "stand-in" in path.read_text()
    ]


def install_cli() -> Path:
    """Find, download or build the CLI; return its folder."""
    cli = BIN / "pulumi"
    if on_path := find_command("pulumi"):
        version = run([on_path, "version"], log="pulumi-version").strip().lstrip("v")
        if tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_PULUMI:
            cli.unlink(missing_ok=True)
            return Path(on_path).resolve().parent
        oldest = ".".join(map(str, OLDEST_PULUMI))
        say(f"The pulumi CLI on PATH has version {version}; this project needs {oldest} and uses its own")
    version = pinned_version("pulumi")
    folder = CACHE / f"pulumi-{version}" / "bin"
    if not (folder / "pulumi").is_file():
        if _is_reachable(DOWNLOADS):
            _download_cli(version, folder)
        else:
            _build_cli(version, folder)
    link(cli, folder / "pulumi")
    return folder


def install_language_host(cli: Path) -> None:
    """Use Pulumi's own language host if it is on PATH or beside the CLI, and the stand-in otherwise."""
    name = "pulumi-language-python"
    if find_command(name):
        (BIN / name).unlink(missing_ok=True)
    elif (cli / name).is_file():
        link(BIN / name, cli / name)
    else:
        _write_stand_in(BIN / name, "offline.language_host")


def install_plugin(name: str) -> None:
    """Use Pulumi's own plugin if it is installed or can be downloaded, and the stand-in otherwise."""
    stand_in = BIN / f"pulumi-resource-{name}"
    if _has_plugin(name, missing=not stand_in.exists()):
        stand_in.unlink(missing_ok=True)
    else:
        _write_stand_in(stand_in, f"offline.{name}_plugin")


def install_kubernetes_plugin() -> None:
    """Use Pulumi's own plugin: installed, downloaded, or built from its Go module. Only some stacks need it."""
    name = "kubernetes"
    ours = BIN / f"pulumi-resource-{name}"
    if _has_plugin(name, missing=not ours.exists()):
        ours.unlink(missing_ok=True)
        return
    version = pinned_version(f"pulumi-{name}")
    binary = CACHE / f"pulumi-{name}-{version}" / ours.name
    if not binary.is_file():
        source = binary.with_name("source")
        _copy_plugin_source(source)
        build(binary, source, ".", takes="about 6 minutes", flags=f"-X main.version={version}")
        shutil.rmtree(source)
    link(ours, binary)


def _copy_plugin_source(folder: Path) -> None:
    """Copy what the Kubernetes plugin is built from: our module, the plugin's schema, and a small part of its SDK.

    Go embeds only files below a module, and all of the SDK takes more time than everything else together.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(KUBERNETES_PLUGIN, folder)
    modules = "github.com/pulumi/pulumi-kubernetes"
    provider = module_folder(KUBERNETES_PLUGIN, f"{modules}/provider/v4")
    shutil.copy(provider / "cmd" / "pulumi-resource-kubernetes" / "schema.json", folder)
    sdk = module_folder(KUBERNETES_PLUGIN, f"{modules}/sdk/v4@v4.24.0")
    for name in SDK_PARTS:
        copy = folder / "sdk" / name
        copy.mkdir(parents=True)
        for file in filter(Path.is_file, (sdk / name).iterdir()):
            shutil.copyfile(file, copy / file.name)  # without its mode, which forbids to write
    (folder / "kinds.go.txt").replace(folder / "sdk" / SDK_PARTS[-1] / "kinds.go")


def _has_plugin(name: str, *, missing: bool) -> bool:
    """Return whether Pulumi's own plugin is installed; download it where that is possible and it is `missing`."""
    binary = f"pulumi-resource-{name}"
    version = pinned_version(f"pulumi-{name}")
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    if find_command(binary) or (home / "plugins" / f"resource-{name}-v{version}" / binary).is_file():
        return True
    if not missing or not _is_reachable(DOWNLOADS):
        return False
    with step(f"Downloading Pulumi's {name} plugin {version}"):
        run(["pulumi", "plugin", "install", "resource", name, version], log=f"plugin-{name}", timeout=900)
    return True


@cache
def _is_reachable(url: str) -> bool:
    """Return whether a site answers; print once why it does not."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own https URL
            return True
    except urllib.error.HTTPError:
        return True
    except OSError as error:
        say(f"Could not reach {url}: {getattr(error, 'reason', error)}")
        return False


def _download_cli(version: str, folder: Path) -> None:
    with step(f"Installing the pulumi CLI {version} with Pulumi's installer"):
        with urllib.request.urlopen(DOWNLOADS, timeout=60) as response:
            script = STATE / "install-pulumi.sh"
            script.write_bytes(response.read())
        command = ["sh", str(script), "--version", version, "--no-edit-path"]
        run([*command, "--install-root", str(folder.parent)], log="pulumi-install", timeout=900)


def _build_cli(version: str, folder: Path) -> None:
    build(
        folder / "pulumi",
        ROOT / "offline" / "cli",
        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        takes="about 4 minutes",
        flags=f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}",
    )


def _write_stand_in(path: Path, module: str) -> None:
    """Write a script that runs a stand-in, unless it is already there."""
    content = (
        "#!/bin/sh\n"
        f"# Starts a stand-in: see {module.replace('.', '/')}.\n"
        f'PYTHONPATH="{ROOT}" exec "{VENV}/bin/python" -m {module} "$@"\n'
    )
    if path.is_symlink() or not path.is_file() or path.read_text() != content:
        path.unlink(missing_ok=True)
        path.write_text(content)
        path.chmod(0o755)
