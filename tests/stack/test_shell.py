"""The environment of `make up`, and the shell with ./activate."""

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
    """Yield the clone, in a shell with variables for other work."""
    clone.variables = FOR_OTHER_WORK
    yield clone
    clone.variables = {}


def test_variables_for_other_work_have_no_effect(in_use: Clone) -> None:
    assert "Nothing changes" in in_use.make("preview")


def test_another_stack_is_kept_out_of_the_clones_backend(clone: Clone) -> None:
    printed = clone.pulumi("stack init mine", fails=True)
    assert "stack mine was not created by `make up`" in printed
    assert not (clone.folder / "Pulumi.mine.yaml").exists()
    assert "mine" not in clone.pulumi("stack ls --json")
