"""`make status`: the stack on one screen, or as JSON; WATCH=1 refreshes it."""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests
from botocore.exceptions import BotoCoreError, ClientError

from local import probes
from local.console import is_terminal
from local.probes import Facts
from local.status_screen import render
from local.workspace import LocalError, Workspace

WATCH_SECONDS = 5
CLEAR = "\x1b[H\x1b[2J"
PROBES: dict[str, Callable[[Workspace, Facts], Facts]] = {
    "api": probes.probe_api,
    "replicas": probes.probe_replicas,
    "gateway": probes.probe_gateway,
    "record": probes.probe_record,
    "certificate": probes.probe_certificate,
    "sequencer": probes.probe_sequencer,
    "sessions": probes.probe_sessions,
}
FAILURES = (LocalError, BotoCoreError, ClientError, OSError)


def status(workspace: Workspace) -> None:
    """Print the status once, or every few seconds until Ctrl-C."""
    if not os.environ.get("WATCH"):
        return _print(read_status(workspace))
    try:
        while True:
            found = read_status(workspace)
            print(CLEAR if is_terminal() else "", end="")
            _print(found)
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return None


def read_status(workspace: Workspace) -> Facts:
    """Return everything as JSON has it. What can't be read has an `error` instead."""
    outputs, update = probes.read_deployed(workspace)

    def probe(name: str) -> Facts:
        try:
            return PROBES[name](workspace, outputs)
        except requests.RequestException as error:
            return {"ok": False, "error": f"no answer from {error.request.url if error.request else name}"}
        except FAILURES as error:
            return {"ok": False, "error": str(error).splitlines()[0]}

    with ThreadPoolExecutor(len(PROBES)) as pool:
        found = dict(zip(PROBES, pool.map(probe, PROBES), strict=True))
    return {
        "stack": workspace.stack,
        "ok": all(facts["ok"] for facts in found.values()),
        **found,
        "image": {"name": outputs["image"]},
        "lastUpdate": {name: update.get(name) for name in ("result", "endTime", "resourceChanges")},
    }


def _print(found: Facts) -> None:
    lines = [json.dumps(found)] if os.environ.get("JSON") else render(found)
    print("\n".join(lines), flush=True)
