"""A route for requests that another route of the Kong matches, too."""

import json
from uuid import uuid4

import pytest

from infra.kong.provider.connection import Kong
from infra.kong.provider.errors import Json
from infra.kong.provider.overlap import Overlap, find_overlap
from infra.kong.provider.resource_types import RouteResource
from infra.kong.schema.routing import ROUTE
from infra.plugin import PluginError
from infra.props import UNKNOWN, Props
from tests.infra.kong.admin_servers import AdminServer, Answer, serving
from tests.infra.kong.entities import checked, urn
from tests.offline.peers import Gateway
from tests.ports import free_port

THEIRS = ["project:shop", "stack:prod"]
NOT_FOUND: Answer = (404, b'{"message": "Not found"}')


class Run:
    """A run of the provider with its warnings, and the inputs of a route for a host of its own."""

    def __init__(self, admin: str, mark: str | None = None) -> None:
        self.warnings: list[str] = []
        kong = Kong(warn=self.warnings.append, wait=lambda _: None)
        kong.configure({"adminUrl": admin, "mark": mark})
        self.urn = urn("KongRoute", uuid4().hex)
        self.route = RouteResource(kong, ROUTE)
        self.host = f"{uuid4().hex}.example"
        self.inputs = self.with_(hosts=[self.host])

    def with_(self, **given: object) -> Props:
        return checked(self.route, {"name": uuid4().hex, "paths": ["/a", "/b"], **given})

    def create(self) -> None:
        """Preview the create of the route, then create it."""
        for preview in (True, False):
            self.route.create(self.urn, self.inputs, preview=preview)


@pytest.fixture
def run(gateway: Gateway) -> Run:
    return Run(gateway.admin)


def add(gateway: Gateway, **fields: object) -> Json:
    return gateway.made("POST", "/routes", {"name": uuid4().hex, **fields})


@pytest.mark.parametrize("preview", [True, False])
def test_a_route_of_another_stack_stops_a_create_and_names_the_key(
    gateway: Gateway, run: Run, preview: bool
) -> None:
    theirs = add(gateway, hosts=[run.host], paths=["/b", "/c"], tags=THEIRS)
    with pytest.raises(PluginError) as error:
        run.route.create(run.urn, run.inputs, preview=preview)
    message = str(error.value)
    assert message.startswith(f"Kong already has a route '{theirs['name']}' (id {theirs['id']}, tags {THEIRS}, ")
    assert message.endswith(
        f" UTC) for host {run.host} and path /b, which stack prod of project shop owns. Each such request would "
        "reach only one of the two: run `pulumi config set hostname NAME` (each stack on one Kong needs its own "
        "hostname, serviceName, routeName and upstreamName), or delete the other route there first"
    )
    assert gateway.call("GET", f"/routes/{run.inputs['name']}").status_code == 404


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize("changed", ["hosts", "paths"])
def test_a_route_of_another_stack_stops_an_update_that_leads_to_its_requests(
    gateway: Gateway, run: Run, changed: str, preview: bool
) -> None:
    add(gateway, hosts=[run.host], paths=["/a"], tags=THEIRS)
    before = run.with_(
        **{"hosts": [run.host], changed: [{"hosts": "before.example", "paths": "/before"}[changed]]}
    )
    object_id, state = run.route.create(run.urn, before, preview=False)
    with pytest.raises(PluginError, match=r"stack prod of project shop owns.*config set hostname"):
        run.route.update(object_id, state, run.inputs | {"name": before["name"]}, preview=preview)
    assert gateway.call("GET", f"/routes/{object_id}").json()[changed] == before[changed]


def test_an_update_without_another_host_or_path_is_not_checked(gateway: Gateway, run: Run) -> None:
    object_id, state = run.route.create(run.urn, run.inputs, preview=False)
    add(gateway, hosts=[run.host], paths=["/a"], tags=THEIRS)
    for preview in (True, False):
        run.route.update(object_id, state, run.inputs | {"preserve_host": True}, preview=preview)
    run.route.read(object_id, state)
    run.route.delete(object_id, state)


def test_a_route_that_no_stack_owns_is_warned_of_once(gateway: Gateway, run: Run) -> None:
    theirs = add(gateway, hosts=["other.example", run.host.upper()], tags=["project:shop"])
    run.create()
    [warning] = run.warnings
    assert warning == (
        f"Kong's route {theirs['name']} ({theirs['id']}), which no stack owns, matches the same requests: "
        f"host {run.host} and path /a, /b. Each reaches only one of the two. "
        "Choose another hostname, or remove that route."
    )


def test_a_route_without_a_name_is_warned_of_by_its_id(gateway: Gateway, run: Run) -> None:
    theirs = gateway.made("POST", "/routes", {"hosts": [run.host]})
    run.create()
    assert run.warnings[0].startswith(f"Kong's route without a name ({theirs['id']}), ")


def test_routes_of_this_state_and_of_other_requests_are_silent(gateway: Gateway, run: Run) -> None:
    add(gateway, hosts=[f"other.{run.host}"], paths=["/a"], tags=THEIRS)
    add(gateway, hosts=[run.host], paths=["/a/b", "/c"], tags=THEIRS)
    add(gateway, hosts=[run.host], paths=["/c"])
    add(gateway, paths=["/a"], tags=THEIRS)
    add(gateway, hosts=[run.host], tags=["project:session-context", "stack:test"])
    run.create()
    run.create()  # as after a lost response
    assert run.warnings == []


def test_the_mark_tells_whose_a_route_is(gateway: Gateway) -> None:
    own, other = f"mark:{uuid4().hex}", f"mark:{uuid4().hex}"
    run = Run(gateway.admin, own.removeprefix("mark:"))
    found = add(gateway, hosts=[run.host], tags=[*THEIRS, own])  # the stack had another name then
    run.route.create(run.urn, run.inputs, preview=True)
    gateway.made("PATCH", f"/routes/{found['id']}", {"tags": ["project:session-context", "stack:test", other]})
    with pytest.raises(PluginError, match=r", which another state of stack test created\. .*config set hostname"):
        run.route.create(run.urn, run.inputs, preview=True)


def page(*routes: Json, offset: str | None = None) -> Answer:
    following = f"/routes?offset={offset}&size=1000" if offset else None
    return 200, json.dumps({"data": routes, "next": following, "offset": offset}).encode()


def test_the_list_is_read_to_its_last_page() -> None:
    with serving(AdminServer()) as server:
        run = Run(server.url)
        other: Json = {"id": "i", "hosts": ["other.example"], "paths": None, "tags": None}
        theirs = other | {"id": "j", "name": "theirs", "hosts": [run.host], "tags": THEIRS}
        server.answers = [NOT_FOUND, NOT_FOUND, page(other, offset="W10="), page(theirs)]
        with pytest.raises(PluginError, match="a route 'theirs'"):
            run.route.create(run.urn, run.inputs, preview=True)
    pages = [request["path"] for request in server.requests if "?" in request["path"]]
    assert pages == ["/routes?size=1000", "/routes?size=1000&offset=W10%3D"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_role_that_may_not_list_the_routes_goes_on(status: int) -> None:
    with serving(AdminServer()) as server:
        run = Run(server.url)
        denied: Answer = (status, b'{"message": "you do not have permissions to read this resource"}')
        written: Answer = (200, json.dumps(run.inputs | {"id": "i"}).encode())
        server.answers = [NOT_FOUND, NOT_FOUND, denied, NOT_FOUND, NOT_FOUND, denied, written]
        run.create()
        assert server.answers == []
    assert run.warnings == []


def test_a_preview_without_kong_goes_on() -> None:
    run = Run(f"http://127.0.0.1:{free_port()}")
    run.route.create(run.urn, run.inputs, preview=True)
    assert ["continues without" in warning for warning in run.warnings] == [True]


@pytest.mark.parametrize("inputs", [{"hosts": UNKNOWN}, {"hosts": [UNKNOWN]}, {"paths": UNKNOWN}, {"hosts": None}])
def test_a_route_with_unknown_or_no_hosts_is_not_checked(gateway: Gateway, run: Run, inputs: Props) -> None:
    add(gateway, hosts=[run.host], tags=THEIRS)
    run.route.create(run.urn, run.inputs | inputs, preview=True)
    assert run.warnings == []


@pytest.mark.parametrize(
    ("theirs", "common"),
    [
        ({"hosts": ["*.example.com"]}, Overlap(["api.example.com"], ["/a", "/b"])),
        ({"hosts": ["API.example.*"], "paths": ["/b"]}, Overlap(["api.example.com"], ["/b"])),
        ({"hosts": ["*.b.example", "*.other"]}, Overlap(["*.b.example"], ["/a", "/b"])),
        ({"hosts": ["*.api.example.com", "example.com", "api.other.*", "www.b.example"]}, None),
        ({"hosts": ["api.example.com"], "paths": ["/", "/A", "/a/b"]}, None),
        ({"hosts": None, "paths": ["/a"]}, None),
    ],
)
def test_hosts_and_paths_in_common(theirs: Json, common: Overlap | None) -> None:
    assert find_overlap({"hosts": ["api.example.com", "*.b.example"], "paths": ["/a", "/b"]}, theirs) == common


def test_routes_without_paths_match_every_path() -> None:
    mine: Props = {"hosts": ["a.example"], "paths": None}
    assert find_overlap(mine, mine | {"paths": ["/a"]}) == Overlap(["a.example"], ["/a"])
    assert str(find_overlap(mine, mine)) == "host a.example and every path"
