"""The policy pack, run by the engine."""

from tests.stack.clone import Clone

PREVIEW = "preview --policy-pack infra/policy"


def test_the_pack_accepts_the_stack_and_stops_what_breaks_a_rule(edited: Clone) -> None:
    clone = edited
    assert "mandatory" not in clone.pulumi(PREVIEW)
    program = clone.folder / "infra" / "host" / "docker.py"
    original = program.read_text()
    assert '"read_only": True' in original
    program.write_text(original.replace('"read_only": True', '"read_only": False'))
    clone.set("ttl", 5)
    try:
        printed = clone.pulumi(PREVIEW, fails=True)
    finally:
        program.write_text(original)
    assert "set `readOnly`" in printed
    assert "set `ttl` from 30 to 3600" in printed
