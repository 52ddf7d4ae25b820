"""The whole text about an existing entity, by who owns it."""

import pytest

from infra.kong.provider.errors import Json
from infra.kong.provider.ownership import Owner, conflict_message, owner_of, owner_of_urn

URN = "urn:pulumi:dev::project::a:b:Group$kong:index:KongService::one"
OWN = ["project:project", "stack:dev"]


@pytest.mark.parametrize(
    ("tags", "advice"),
    [
        (
            None,
            (
                "which this stack did not create. To leave it alone, rename it. To take it over: "
                "pulumi config set kong:adopt true"
            ),
        ),
        (
            [*OWN, "mark:other"],
            (
                "which another state of stack dev created. If another backend has that state, use it there "
                "(pulumi login). To run both, rename it. If it is lost, take over its entities: pulumi config set "
                "kong:adopt true"
            ),
        ),
        (
            [*OWN, "mark:m"],
            (
                "which this stack created under another logical name. Give the resource an alias of that name; "
                "or, if that one gets another name in Kong, run once for that and once more for this; "
                "or, if no resource declares it any more, take it over: pulumi config set kong:adopt true"
            ),
        ),
        (
            ["project:project", "stack:prod"],
            (
                "which stack prod of project project owns: rename it, or delete it there first. Entities of other "
                "stacks are never taken over"
            ),
        ),
    ],
)
def test_a_conflict(tags: list[str] | None, advice: str) -> None:
    found: Json = {"id": "i", "tags": tags, "created_at": 0}
    expected = f"Kong already has a service 'a' (id i, tags {tags or 'none'}), {advice}"
    assert conflict_message("a service 'a'", found, owner_of_urn(URN), "m", "rename it") == expected
    found["created_at"] = 1_700_000_000
    created = conflict_message("a service 'a'", found, owner_of_urn(URN), "m", "rename it")
    assert created == expected.replace("), which", ", created 2023-11-14 22:13 UTC), which", 1)


def test_an_owner_needs_both_tags() -> None:
    assert owner_of({"tags": OWN}) == owner_of_urn(URN) == Owner("project", "dev")
    assert [owner_of({"tags": tags}) for tags in ([], OWN[:1], OWN[1:])] == [None] * 3
