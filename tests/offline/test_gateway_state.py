"""What survives the process, and how it exits."""

import json
import signal
import time
from pathlib import Path

from tests.offline.peers import Gateway, Upstream


def test_the_first_line_of_the_log_says_that_it_is_a_stand_in() -> None:
    gateway = Gateway()
    tagline = gateway.call("GET", "/").json()
    assert tagline["tagline"].startswith("stand-in for Kong")
    assert tagline["version"] == "3.9.3"
    assert "stand-in for Kong" in gateway.stop().splitlines()[0]


def test_acknowledged_writes_survive_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    gateway = Gateway("--state", str(state))
    made = gateway.made("PUT", "/services/kept", {"url": "http://a", "tags": ["x"]})
    upstream = gateway.made("PUT", "/upstreams/u", {})
    target = gateway.made("POST", "/upstreams/u/targets", {"target": "a:1"})
    gateway.made("PUT", "/services/deleted", {"url": "http://a"})
    gateway.call("DELETE", "/services/deleted")
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.communicate()
    gateway.http.close()
    assert json.loads(state.read_text())["services"] == [made]
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]
    again = Gateway("--state", str(state))
    assert again.call("GET", "/services").json()["data"] == [made]
    assert again.call("GET", "/upstreams/u").json() == upstream
    assert again.call("GET", "/upstreams/u/targets").json()["data"] == [target]
    again.stop()


def test_a_write_that_cannot_be_saved_is_not_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    gateway = Gateway("--state", str(folder / "state.json"))
    folder.rmdir()
    assert gateway.call("PUT", "/services/lost", {"host": "a"}).status_code == 500
    gateway.stop()


def test_it_exits_promptly_even_with_a_request_in_progress() -> None:
    upstream = Upstream()
    upstream.chunks, upstream.pause = 100, 0.1
    gateway = Gateway()
    gateway.made("PUT", "/services/s", {"url": f"http://{upstream.address}"})
    gateway.made("PUT", "/services/s/routes/r", {"hosts": ["a.example"]})
    answer = gateway.get("a.example", "/stream", stream=True)
    began = time.monotonic()
    gateway.process.send_signal(signal.SIGTERM)
    gateway.process.communicate(timeout=10)
    answer.close()
    gateway.http.close()
    upstream.stop()
    assert gateway.process.returncode == 0
    assert time.monotonic() - began < 4
