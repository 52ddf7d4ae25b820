"""The provider's process: what the engine gets from it, and when it ends."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2, provider_pb2

from infra.paths import ROOT
from infra.plugin import values
from infra.props import UNKNOWN, Props
from tests.infra.kong.admin_servers import says
from tests.infra.plugin.engine import PLUGIN, Engine, of, secret, to_props, to_struct
from tests.offline.peers import Gateway

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Yield an engine with a provider, which each test configures."""
    engine = Engine()
    yield engine
    assert engine.stop() == -signal.SIGTERM


@pytest.fixture
def own_engine() -> Iterator[Engine]:
    """Yield an engine whose provider has not been called yet."""
    engine = Engine()
    yield engine
    engine.stop()


def checked(engine: Engine, kind: str, inputs: Props) -> Props:
    answer = engine.check(kind, inputs)
    assert list(answer.failures) == []
    return to_props(answer.inputs)


def test_an_entity_lives_as_the_engine_has_it(engine: Engine, gateway: Gateway) -> None:
    engine.configure(adminUrl=gateway.admin, mark="m")
    inputs = checked(engine, "KongUpstream", {"name": uuid4().hex, "tags": ["a"]})
    planned = engine.create("KongUpstream", inputs, preview=True)
    created = engine.create("KongUpstream", inputs)
    assert created.id == planned.id
    state = to_props(created.properties)
    assert gateway.call("GET", f"/upstreams/{created.id}").json()["name"] == inputs["name"]

    news = checked(engine, "KongUpstream", {"name": inputs["name"], "slots": 100})
    engine.update("KongUpstream", created.id, state, news, preview=True)
    assert gateway.call("GET", f"/upstreams/{created.id}").json()["slots"] == 10_000
    updated = engine.update("KongUpstream", created.id, state, news)
    assert to_props(updated.properties)["slots"] == 100
    found = engine.read("KongUpstream", created.id, to_props(updated.properties))
    assert (found.id, found.inputs["slots"]) == (created.id, 100)

    engine.delete("KongUpstream", created.id, to_props(found.inputs))
    # It keeps what this run has created at the same id: that is the replacement.
    assert gateway.call("GET", f"/upstreams/{created.id}").ok
    gateway.call("DELETE", f"/upstreams/{created.id}")
    assert engine.read("KongUpstream", created.id, state) == provider_pb2.ReadResponse()


def test_a_secret_is_marked_as_one(engine: Engine, gateway: Gateway) -> None:
    engine.configure(adminUrl=gateway.admin)
    consumer = gateway.made("POST", "/consumers", {"username": uuid4().hex})["id"]
    key = uuid4().hex
    inputs = engine.check("KongKey", {"consumer": consumer, "key": key}).inputs
    assert to_props(inputs)["key"] == secret(key)
    created = engine.create("KongKey", {**to_props(inputs), "key": key})
    assert to_props(created.properties)["key"] == secret(key)
    found = engine.read("KongKey", created.id, {**to_props(created.properties), "key": key})
    assert to_props(found.inputs)["key"] == to_props(found.properties)["key"] == secret(key)


def test_an_invalid_input_is_a_failure_of_its_property(engine: Engine) -> None:
    engine.configure(adminUrl=NOBODY)
    [failure] = engine.check("KongService", {"host": "a.example", "port": 70_000}).failures
    assert failure.property == "port"
    assert "65535" in failure.reason


def test_a_diff_names_each_value_that_changes(engine: Engine) -> None:
    engine.configure(adminUrl=NOBODY)
    checks = {"active": {"http_path": "/a", "timeout": 2}, "passive": {"type": "http"}}
    olds = checked(engine, "KongUpstream", {"name": "n", "healthchecks": checks, "client_certificate": "c"})
    checks = {"active": {"http_path": "/b", "timeout": 2}, "passive": {"type": "http"}}
    news = checked(engine, "KongUpstream", {"name": "n", "healthchecks": checks, "host_header": "h", "slots": 20})
    kinds = provider_pb2.PropertyDiff
    answer = engine.diff("KongUpstream", olds, news, "slots")
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert {path: one.kind for path, one in answer.detailedDiff.items()} == {
        "healthchecks.active.http_path": kinds.UPDATE,
        "host_header": kinds.ADD,
        "client_certificate": kinds.DELETE,
    }
    assert sorted(answer.diffs) == ["client_certificate", "healthchecks", "host_header"]
    assert list(answer.replaces) == []
    assert engine.diff("KongUpstream", olds, olds).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_new_parent_replaces_an_entity(engine: Engine) -> None:
    engine.configure(adminUrl=NOBODY)
    olds = checked(engine, "KongTarget", {"upstream": "a", "target": "a.example:80"})
    answer = engine.diff("KongTarget", olds, olds | {"upstream": "b"})
    assert list(answer.replaces) == ["upstream"]
    assert answer.detailedDiff["upstream"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
    assert not answer.deleteBeforeReplace


def test_another_address_of_kong_replaces_nothing(engine: Engine) -> None:
    def diff(**news: str) -> provider_pb2.DiffResponse:
        olds = {"adminUrl": "http://a", "mark": "m"}
        request = provider_pb2.DiffRequest(**of("x"), olds=to_struct(olds), news=to_struct(olds | news))
        answer: provider_pb2.DiffResponse = engine.provider.DiffConfig(request)
        return answer

    assert list(diff(adminUrl="http://b").diffs) == ["adminUrl"]
    assert list(diff(adminUrl="http://b").replaces) == []
    assert diff().changes == provider_pb2.DiffResponse.DIFF_NONE


def test_the_providers_inputs_are_kept(engine: Engine) -> None:
    news = to_struct({"adminUrl": NOBODY})
    assert engine.provider.CheckConfig(provider_pb2.CheckRequest(**of("x"), news=news)).inputs == news


def test_what_is_unknown_is_an_error_with_what_is_known(engine: Engine, gateway: Gateway) -> None:
    engine.configure(adminUrl=gateway.admin)
    with pytest.raises(grpc.RpcError) as failed:
        engine.check("KongThing", {})
    known = "kong:index:KongCertificate, kong:index:KongConsumer"
    assert failed.value.details().startswith(f"unknown resource type kong:index:KongThing; known types: {known}")
    with pytest.raises(grpc.RpcError) as failed:
        engine.provider.Invoke(provider_pb2.InvokeRequest(tok="kong:index:other"))
    assert failed.value.details() == "unknown function kong:index:other; known functions: kong:index:require"
    answer = engine.provider.Invoke(provider_pb2.InvokeRequest(tok="kong:index:require"))
    assert to_props(getattr(answer, "return")) == {}


def test_a_warning_goes_to_the_engine(own_engine: Engine) -> None:
    own_engine.configure(adminUrl=NOBODY)
    checked(own_engine, "KongService", {"host": "a.example"})
    [(severity, message)] = own_engine.messages
    assert severity == engine_pb2.WARNING
    assert "continues without Kong's own validation" in message


def test_a_call_ends_after_the_timeout_of_its_resource(own_engine: Engine) -> None:
    with says(b"") as silent:
        own_engine.configure(adminUrl=f"http://{silent}")
        with pytest.raises(grpc.RpcError) as failed:
            own_engine.create("KongConsumer", {"username": "a", "custom_id": None, "tags": None}, timeout=1)
        assert failed.value.details() == "timed out after 1 s, the custom timeout of the resource"
        own_engine.provider.Cancel(empty_pb2.Empty())


def test_an_interrupted_run_waits_no_more(own_engine: Engine) -> None:
    own_engine.configure(adminUrl=NOBODY)
    own_engine.provider.Cancel(empty_pb2.Empty())
    with pytest.raises(grpc.RpcError) as failed:
        own_engine.create("KongConsumer", {"username": "a", "custom_id": None, "tags": None})
    assert failed.value.details() == "interrupted; run the same command again"


def test_the_engine_gets_the_version(engine: Engine) -> None:
    assert engine.provider.GetPluginInfo(empty_pb2.Empty()).version == "2.0.0"


def test_what_is_unknown_or_secret_is_marked_as_the_sdk_marks_it() -> None:
    assert rpc.UNKNOWN == UNKNOWN
    marked = {rpc._special_sig_key: rpc._special_secret_sig, "value": [1, {"a": None}]}
    assert to_struct({"key": marked}) == values.to_struct({"key": [1, {"a": None}]}, frozenset({"key"}))
    assert values.to_props(to_struct({"key": marked, "other": 1.5})) == {"key": [1, {"a": None}], "other": 1.5}


@pytest.mark.parametrize(
    "modules", ["infra.kong.provider.resource_types, infra.plugin", "offline.docker_plugin.image"]
)
def test_a_provider_starts_without_the_sdk(modules: str) -> None:
    program = f"import sys, {modules}; print('pulumi' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_the_process_ends_when_the_engine_asks_for_it() -> None:
    assert Engine().stop(signal.SIGINT) == 0


def test_the_process_ends_with_the_engine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as engine:  # at whose address somebody listens to the end
        address = f"127.0.0.1:{engine.getsockname()[1]}"
        shell = ["sh", "-c", '"$0" "$1" & wait', str(PLUGIN), address]
        with subprocess.Popen(shell, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline().strip().isdecimal()
            parent.kill()
            assert parent.stdout.read() == ""  # so the provider's end of the pipe is closed
