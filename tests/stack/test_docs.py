"""The commands of the documentation, typed in a deployed clone; those that need or take more are not run."""

from collections.abc import Iterator

import pytest

from local.workspace import ROOT
from tests.docs.blocks import blocks
from tests.stack.clone import Clone

PAGES = ("operations.md", "reviewing.md", "kong-provider.md")
RUN_ELSEWHERE = ("make up", "make down", "cat ", "createdb", "pg_", "psql", "touch")
"""By the fixture of the clone, and by the test of PostgreSQL's backups, which finds them here."""

BLOCKS = {
    block.where: [command for command, _ in block.steps() if not command.startswith(RUN_ELSEWHERE)]
    for page in PAGES
    for block in blocks(ROOT / "docs" / page)
    if block.language == "console" and block.is_run
}
"""The commands of each block, in their order: one may need what another has left."""


@pytest.fixture(scope="module")
def typist(clone: Clone) -> Iterator[Clone]:
    """Yield the clone, where Pulumi asks nothing; restore the stack's file afterwards."""
    before = clone.file.read_text()
    clone.variables["PULUMI_SKIP_CONFIRMATIONS"] = "true"
    yield clone
    del clone.variables["PULUMI_SKIP_CONFIRMATIONS"]
    clone.file.write_text(before)


@pytest.mark.parametrize("where", [where for where, commands in BLOCKS.items() if commands])
def test_the_commands_of_a_block_work_as_they_are_typed(typist: Clone, where: str) -> None:
    for command in BLOCKS[where]:
        assert "Traceback" not in typist.shell(command)
