"""The platform's ports, and platforms of other clones."""

from pathlib import Path

from tests.ports import free_port
from tests.stack.clone import HOSTNAME, NO_CHANGES, Clone


def test_the_platform_can_move_to_other_ports(clone: Clone) -> None:
    clone.ports = {name: free_port() for name in clone.ports}
    clone.make("up")
    assert clone.request("GET", "/sessions").status_code == 200
    assert clone.records()[0]["Name"] == f"{HOSTNAME}."
    clone.pulumi(NO_CHANGES)


def test_a_second_clone_leaves_the_first_alone(clone: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path)
    other.stack, other.ports = clone.stack, clone.ports
    (tmp_path / f"Pulumi.{other.stack}.yaml").write_text(clone.file.read_text())
    assert f"belongs to the clone in {clone.folder}" in other.make("up", fails=True)
    assert f"belongs to the clone in {clone.folder}" in other.make("down", fails=True)
    assert clone.request("GET", "/sessions").status_code == 200


def test_a_taken_port_is_named_with_what_to_do(clone: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path)
    other.ports = clone.ports
    printed = other.make("up", fails=True)
    assert f"port {clone.ports['PROXY_PORT']} is taken" in printed
    assert f"choose free ports, such as make up STACK={other.stack} PROXY_PORT=" in printed
    other.make("down")
    assert other.left_behind() == []
