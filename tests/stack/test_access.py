"""A stack that requires keys, in a Kong that has consumers of other services as well."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import requests

from tests.stack.clone import Clone
from tests.waiting import wait_for

UP = "up --yes --skip-preview"
PAGE = "https://app.example.com"
OWN, ADMITTED, OTHER = "app", "platform-reader", "some-other-teams-batch-job"


class Guarded:
    """The clone with `keyAuth`, and a key of each consumer: its own, an admitted one, and another."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        self.keys = {name: f"canary{uuid4().hex}" for name in (OWN, ADMITTED, OTHER)}
        for name in (ADMITTED, OTHER):
            for path, body in (("", {"username": name}), (f"/{name}/key-auth", {"key": self.keys[name]})):
                requests.post(f"{clone.admin}/consumers{path}", json=body, timeout=10).raise_for_status()
        clone.set("keyAuth", True)
        clone.set("platformConsumers", [ADMITTED])
        clone.pulumi(f"config set --secret --path consumers.{OWN} {self.keys[OWN]} --stack {clone.stack}")
        self.printed = clone.make("up")

    def status(self, name: str) -> int:
        return self.clone.request("GET", "/sessions?limit=1", headers={"apikey": self.keys[name]}).status_code

    def groups(self, username: str) -> list[str]:
        return [row["group"] for row in self.clone.kong(f"/consumers/{username}/acls")["data"]]

    def open(self) -> None:
        """Remove the restrictions again."""
        for key in ("keyAuth", "consumers", "platformConsumers", "plainHttp"):
            # but keep the salt, which encrypts the state's secrets from now on
            self.clone.pulumi(f"config rm {key}")
        self.clone.make("up")
        self.clone.settled(200, "/sessions")
        assert [self.clone.kong(f"/consumers/{name}")["username"] for name in (ADMITTED, OTHER)] == [
            ADMITTED,
            OTHER,
        ]
        assert self.groups(ADMITTED) == []
        for name in (ADMITTED, OTHER):
            requests.delete(f"{self.clone.admin}/consumers/{name}", timeout=10)


@pytest.fixture(scope="module")
def guarded(clone: Clone) -> Iterator[Guarded]:
    guarded = Guarded(clone)
    yield guarded
    guarded.open()


def test_make_up_tests_a_stack_that_requires_keys(guarded: Guarded) -> None:
    assert "was created, read and removed" in guarded.printed
    assert "-H 'apikey: KEY'" in guarded.printed


def test_only_consumers_of_the_stack_and_admitted_ones_have_access(guarded: Guarded) -> None:
    guarded.clone.settled(401, "/sessions")
    assert {name: guarded.status(name) for name in guarded.keys} == {OWN: 200, ADMITTED: 200, OTHER: 403}


def test_a_consumer_removed_from_the_group_by_hand_is_added_again(guarded: Guarded) -> None:
    clone = guarded.clone
    (group,) = guarded.groups(ADMITTED)
    requests.delete(f"{clone.admin}/consumers/{ADMITTED}/acls/{group}", timeout=10)
    assert guarded.status(ADMITTED) == 403
    clone.pulumi("up --yes --skip-preview --refresh --run-program")
    assert guarded.status(ADMITTED) == 200
    clone.pulumi("preview --refresh --run-program --expect-no-changes")


def test_a_platform_consumer_that_kong_does_not_have_stops_the_preview(guarded: Guarded) -> None:
    guarded.clone.set("platformConsumers", [ADMITTED, "nobody-here"])
    printed = guarded.clone.pulumi("preview", fails=True)
    assert "Kong has no consumer 'nobody-here'" in printed
    guarded.clone.set("platformConsumers", [ADMITTED])


def test_groups_limits_origins_and_addresses_work_through_the_route(guarded: Guarded) -> None:
    clone, own = guarded.clone, {"apikey": guarded.keys[OWN]}
    before = clone.file.read_text()
    group = {"group": "batch-jobs"}
    requests.post(f"{clone.admin}/consumers/{OTHER}/acls", json=group, timeout=10).raise_for_status()
    clone.set("platformGroups", ["batch-jobs"])
    clone.set("corsOrigins", [PAGE])
    clone.set("consumerRequestsPerMinute", {OWN: 3})
    clone.pulumi(UP)
    wait_for(lambda: guarded.status(OTHER) == 200)

    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "apikey,if-match"}
    preflight = clone.request("OPTIONS", "/sessions/1", headers={"Origin": PAGE, **asked})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "apikey,if-match"
    answer = clone.request("GET", "/sessions", headers={"Origin": PAGE, "apikey": guarded.keys[ADMITTED]})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert clone.request("GET", "/sessions", headers={"Origin": PAGE}).status_code == 401

    assert 429 in [guarded.status(OWN) for _ in range(8)]  # a new minute may begin on the way, but only one
    assert [guarded.status(ADMITTED) for _ in range(8)] == [200] * 8

    clone.set("allowedAddresses", ["192.0.2.0/24", "2001:db8::/32"])
    clone.pulumi(UP)
    assert "IP address not allowed" in clone.settled(403, "/sessions", headers=own).json()["message"]
    clone.file.write_text(before)
    clone.pulumi(UP)
    clone.settled(200, "/sessions", headers=own)
    wait_for(lambda: guarded.status(OTHER) == 403)
    clone.pulumi("preview --refresh --run-program --expect-no-changes")


def test_make_up_tests_a_stack_for_https_alone_and_one_without_consumers_of_its_own(guarded: Guarded) -> None:
    clone = guarded.clone
    before = clone.file.read_text()
    clone.pulumi("config rm consumers")
    printed = clone.make("smoke")
    assert "A request without a key gets 401" in printed
    clone.file.write_text(before)
    clone.set("plainHttp", "redirect")
    printed += clone.make("up")
    assert "was created, read and removed; plain HTTP gets 308" in printed
    logs = "".join(file.read_text() for file in (clone.folder / ".local" / "log").glob("*.log"))
    assert "canary" not in guarded.printed + printed + logs
    clone.file.write_text(before)
    clone.pulumi(UP)
    clone.settled(401, "/sessions")
