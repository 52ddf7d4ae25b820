"""Whose an entity of Kong is: each one of ours says so by its tags."""

import uuid
from datetime import UTC, datetime
from typing import NamedTuple

from infra.kong.provider.errors import Json

NAMESPACE = uuid.UUID("5b1c6a0e-2f43-5c1d-9d0a-5a6f2b8e7c11")
"""Ids are made from names below this one; to change it would replace every entity there is."""

_PROJECT, _STACK, _MARK = "project:", "stack:", "mark:"


class Owner(NamedTuple):
    """A stack of a project."""

    project: str
    stack: str

    @property
    def tags(self) -> list[str]:
        """What entities of this owner carry."""
        return [_PROJECT + self.project, _STACK + self.stack]


def entity_id(urn: str, *more: str) -> str:
    """The id of the entity that a URN stands for: the same for each run, so that a repeated create is the same.

    It is made of stack, project, type and logical name, and not of Kong's name for it: a rename is an update.
    """
    stack, project, qualified_type, name = urn.removeprefix("urn:pulumi:").split("::", 3)
    return str(uuid.uuid5(NAMESPACE, "::".join((stack, project, qualified_type.rpartition("$")[2], name, *more))))


def owner_of_urn(urn: str) -> Owner:
    """The stack that a URN is in."""
    stack, project, *_ = urn.removeprefix("urn:pulumi:").split("::")
    return Owner(project, stack)


def owner_of(entity: Json) -> Owner | None:
    """The stack that an entity's tags name; None for what no stack made."""
    tags = entity.get("tags") or []
    project = next((tag.removeprefix(_PROJECT) for tag in tags if tag.startswith(_PROJECT)), None)
    stack = next((tag.removeprefix(_STACK) for tag in tags if tag.startswith(_STACK)), None)
    return Owner(project, stack) if project and stack else None


def mark_tag(mark: str) -> str:
    """The tag of what the state with this mark made. Two backends may each have a stack of the same name."""
    return _MARK + mark


def mark_of(entity: Json) -> str | None:
    """The mark of the state that made an entity; None for what was made by hand, or before there were marks."""
    tags = entity.get("tags") or []
    return next((tag.removeprefix(_MARK) for tag in tags if tag.startswith(_MARK)), None)


def conflict_message(what: str, found: Json, me: Owner | None, mark: str | None) -> str:
    """What to say of an entity that has the place of one of ours, and what to do about it."""
    made = datetime.fromtimestamp(found["created_at"], UTC) if found.get("created_at") else None
    about = f"id {found.get('id')}, tags {found.get('tags') or 'none'}"
    about += f", made {made:%Y-%m-%d %H:%M} UTC" if made else ""
    owner = owner_of(found)
    if owner is None:
        says = "which this stack did not make. To take it over: pulumi config set kong:adopt true"
    elif owner == me and mark_of(found) != mark:
        says = (
            f"which another state of stack {owner.stack} made. If another backend has that state, work with it "
            "there (pulumi login), or use another Kong for this one. If it is lost, take over what it made: "
            "pulumi config set kong:adopt true"
        )
    elif owner == me:
        says = (
            "which this stack made under another logical name. Give the resource an alias of that name; "
            "or, if that one gets another name in Kong, run once for that and once more for this; "
            "or, if no resource stands for it any more, take it over: pulumi config set kong:adopt true"
        )
    else:
        says = (
            f"which stack {owner.stack} of project {owner.project} owns. Name yours differently, or remove it "
            "there first; it is never taken over from another stack"
        )
    return f"Kong already has {what} ({about}), {says}"
