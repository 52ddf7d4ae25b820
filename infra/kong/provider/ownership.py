"""Who owns an entity of Kong: its tags name the stack and the state that created it."""

import uuid
from datetime import UTC, datetime
from typing import NamedTuple

from infra.kong.provider.errors import Json

NAMESPACE = uuid.UUID("5b1c6a0e-2f43-5c1d-9d0a-5a6f2b8e7c11")
"""The namespace of all ids: a change of it would replace every entity."""

_PROJECT, _STACK, _MARK = "project:", "stack:", "mark:"


class Owner(NamedTuple):
    """A stack of a project."""

    project: str
    stack: str

    @property
    def tags(self) -> list[str]:
        """The tags of this owner's entities."""
        return [_PROJECT + self.project, _STACK + self.stack]


def entity_id(urn: str, *identity: str) -> str:
    """Derive the id of an entity from its URN, so that a repeated create addresses the same entity.

    It depends on stack, project, type and logical name, and not on Kong's name for it: a rename is an update.
    """
    stack, project, qualified_type, name = urn.removeprefix("urn:pulumi:").split("::", 3)
    parts = (stack, project, qualified_type.rpartition("$")[2], name, *identity)
    return str(uuid.uuid5(NAMESPACE, "::".join(parts)))


def owner_of_urn(urn: str) -> Owner:
    """Return the stack that a URN belongs to."""
    stack, project, *_ = urn.removeprefix("urn:pulumi:").split("::")
    return Owner(project, stack)


def owner_of(entity: Json) -> Owner | None:
    """Return the stack that an entity's tags name; None if no stack created it."""
    project, stack = _tag(entity, _PROJECT), _tag(entity, _STACK)
    return Owner(project, stack) if project and stack else None


def mark_tag(mark: str) -> str:
    """Return the tag for a state's mark, which distinguishes stacks of the same name in different backends."""
    return _MARK + mark


def mark_of(entity: Json) -> str | None:
    """Return the mark of the state that created an entity; None if none did, or before marks were introduced."""
    return _tag(entity, _MARK)


def _tag(entity: Json, prefix: str) -> str | None:
    return next((tag.removeprefix(prefix) for tag in entity.get("tags") or [] if tag.startswith(prefix)), None)


def conflict_message(what: str, found: Json, own: Owner | None, mark: str | None, rename: str) -> str:
    """Explain that an existing entity prevents a create, and what to do about it."""
    owner = owner_of(found)
    if owner is None:
        advice = (
            f"which this stack did not create. To leave it alone, {rename}. "
            "To take it over: pulumi config set kong:adopt true"
        )
    elif owner == own and mark_of(found) != mark:
        advice = (
            f"which another state of stack {owner.stack} created. If another backend has that state, use it there "
            f"(pulumi login). To run both, {rename}. If it is lost, take over its entities: "
            "pulumi config set kong:adopt true"
        )
    elif owner == own:
        advice = (
            "which this stack created under another logical name. Give the resource an alias of that name; "
            "or, if that one gets another name in Kong, run once for that and once more for this; "
            "or, if no resource declares it any more, take it over: pulumi config set kong:adopt true"
        )
    else:
        advice = (
            f"which stack {owner.stack} of project {owner.project} owns: {rename}, or delete it there first. "
            "Entities of other stacks are never taken over"
        )
    return f"Kong already has {what} ({_details(found)}), {advice}"


def overlap_message(what: str, found: Json, owner: Owner, own: Owner | None, overlap: str, rename: str) -> str:
    """Explain that a route of another state matches the same requests, and what to do about it."""
    whose = (
        f"which another state of stack {owner.stack} created"
        if owner == own
        else f"which stack {owner.stack} of project {owner.project} owns"
    )
    return (
        f"Kong already has {what} ({_details(found)}) for {overlap}, {whose}. "
        f"Each such request would reach only one of the two: {rename}, or delete the other route there first"
    )


def _details(found: Json) -> str:
    created = datetime.fromtimestamp(found["created_at"], UTC) if found.get("created_at") else None
    details = f"id {found.get('id')}, tags {found.get('tags') or 'none'}"
    return details + (f", created {created:%Y-%m-%d %H:%M} UTC" if created else "")
