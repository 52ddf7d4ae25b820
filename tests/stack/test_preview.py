"""The first preview of an empty stack: it has all that a reviewer needs, and changes nothing."""

import json
from collections.abc import Iterator
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from tests.stack.clone import HOSTNAME, Clone, docker_client, has_traceback


def test_the_first_preview_has_the_image_ids_and_names_and_writes_nothing(empty: Clone) -> None:
    clone = empty
    clone.change_service()
    before = world(clone)
    printed = clone.pulumi("preview --json 2>/dev/null")
    steps = {
        f"{step['newState']['type']}::{name(step)}": step["newState"] for step in json.loads(printed)["steps"]
    }

    assert list(unknown({name: state.get("inputs") for name, state in steps.items()})) == []
    tag = steps["docker:index/image:Image::session-context"]["inputs"]["imageName"]
    assert steps["docker:index/container:Container::session-context-1"]["inputs"]["image"] == tag
    service = steps["kong:index:KongRoute::session-context"]["inputs"]["service"]
    assert steps["aws:route53/record:Record::session-context"]["inputs"]["name"] == HOSTNAME
    outputs = clone.pulumi("preview --diff")
    for known in (tag, service, f'"https://{HOSTNAME}"', "127.0.0.1"):
        assert known in outputs.partition("--outputs:--")[2]

    assert world(clone) == before
    with docker_client() as client:
        assert client.images.list(name=tag) == []


def test_what_looks_at_a_stack_says_that_it_is_not_deployed(empty: Clone) -> None:
    empty.make("preview")
    for verb in ("drift", "graph", "open", "smoke", "status"):
        printed = empty.make(verb, fails=True)
        assert f"stack {empty.stack} is not deployed from this clone" in printed, verb
        assert not has_traceback(printed)


def name(step: dict[str, Any]) -> str:
    return str(step["urn"]).rpartition("::")[2]


def unknown(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of unknown values."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from unknown(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from unknown(item, f"{path}[{number}]")
    elif isinstance(value, str) and UNKNOWN in value:
        yield path


def world(clone: Clone) -> list[object]:
    """Return everything that a preview could change."""
    kong = [clone.kong(f"/{kind}")["data"] for kind in ("services", "routes", "upstreams", "plugins")]
    return [kong, clone.records(), clone.left_behind(), clone.pulumi("stack export")]
