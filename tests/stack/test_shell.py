"""The shell that `make up` is run in, and the one with ./activate."""

from collections.abc import Iterator

import pytest

from tests.stack.clone import Clone

FOR_OTHER_WORK = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_PROFILE": "no-such-profile",
    "COLUMNS": "20",
    "PULUMI_BACKEND_URL": "s3://no-such-bucket",
    "PULUMI_CONFIG_PASSPHRASE": "another",
    "PULUMI_DIY_BACKEND_GZIP": "1",
    "PULUMI_OPTION_STACK": "no-such-stack",
    "PULUMI_STACK": "no-such-stack",
}


@pytest.fixture
def in_use(clone: Clone) -> Iterator[Clone]:
    """The clone, in the shell of somebody with other work."""
    clone.variables = FOR_OTHER_WORK
    yield clone
    clone.variables = {}


def test_variables_for_other_work_change_nothing(in_use: Clone) -> None:
    assert "Nothing changes" in in_use.make("preview")


def test_a_stack_of_ones_own_is_kept_out_of_the_clones_backend(clone: Clone) -> None:
    told = clone.pulumi("stack init mine", fails=True)
    assert "stack mine is not one that `make up` made" in told
    assert not (clone.folder / "Pulumi.mine.yaml").exists()
    assert "mine" not in clone.pulumi("stack ls --json")
