"""The policy pack, run by the engine."""

from tests.stack.clone import Clone

PREVIEW = "preview --policy-pack infra/policy"


def test_the_pack_lets_the_stack_through_and_stops_what_breaks_a_rule(clone: Clone) -> None:
    assert "mandatory" not in clone.pulumi(PREVIEW)
    program = clone.folder / "infra" / "host" / "docker.py"
    good = program.read_text()
    program.write_text(good.replace("read_only=True", "read_only=False"))
    clone.set("ttl", 5)
    try:
        told = clone.pulumi(PREVIEW, fails=True)
    finally:
        program.write_text(good)
        clone.set("ttl", 300)
    assert "set `readOnly`" in told
    assert "set `ttl` from 30 to 3600" in told
