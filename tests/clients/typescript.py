"""The TypeScript of docs/api.md: `make clients` runs this, since it fetches packages of npm."""

import shutil
from pathlib import Path

from local.workspace import ROOT
from tests.clients.generated import PAGE, command, program, run
from tests.docs.test_api import NODE
from tests.service.processes import Service, running

LOCKED = Path(__file__).with_name("typescript")
STRICT = ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noEmit"]
MODULE = ["--target", "es2024", "--module", "nodenext", "--allowImportingTsExtensions", "--types", "node"]


def test_the_program_and_the_examples_compile_and_the_program_uses_every_operation(tmp_path: Path) -> None:
    for file in LOCKED.glob("package*.json"):
        shutil.copy(file, tmp_path)
    node = [str(NODE)]
    npm = NODE.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    run([*node, str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], tmp_path)
    name, *arguments = command("openapi-typescript", str(ROOT / "openapi.json"))
    run([*node, f"node_modules/{name}/bin/cli.js", *arguments], tmp_path)
    (tmp_path / "program.mts").write_text(program("typescript"))
    examples = "".join(block.content for block in PAGE if block.language == "ts")
    (tmp_path / "examples.mts").write_text(examples)
    for module in ("program.mts", "examples.mts"):
        run([*node, "node_modules/typescript/bin/tsc", *STRICT, *MODULE, module], tmp_path)
    with running(Service(tmp_path)) as service:
        assert run([*node, "program.mts"], tmp_path, API=service.url) == "changed changed 1 204\n"
