"""The load on a subject: wrk for requests, curl for the list of all sessions."""

import json
import os
import resource
import subprocess
from pathlib import Path

from bench.results import Case, Sample
from bench.subjects import SESSIONS, Database, RunningSubject, WrongResponseError, probe

_SCRIPT = Path(__file__).with_name("load.lua")
_SECONDS_FOR_A_LIST = 300


def measure(
    case: Case, subject: RunningSubject, database: Database | None, seconds: int, sessions: int = SESSIONS
) -> Sample:
    """Measure one run. Raises `WrongResponseError`."""
    if case.workload == "list":
        assert database is not None  # noqa: S101 - for the type alone
        return _list(subject, database)
    probe(case.workload, subject.ports[0])
    before = database.count() if database else 0
    sample, answered = _attack(case, subject, seconds, sessions)
    if case.workload == "create" and database:
        made = database.count() - before
        if not answered <= made <= answered + case.connections:
            raise WrongResponseError(f"{answered} creates were answered, but the database has {made} sessions")
    return sample


def _attack(case: Case, subject: RunningSubject, seconds: int, sessions: int) -> tuple[Sample, int]:
    replicas = len(subject.ports)
    command = ["wrk", f"-t{replicas}", f"-c{case.connections}", f"-d{seconds}s", "--timeout", "60s"]
    environment = {
        **os.environ,
        "WORKLOAD": case.workload,
        "PORTS": " ".join(map(str, subject.ports)),
        "SESSIONS": str(sessions),
    }
    cpu, client_cpu = subject.cpu_seconds(), _children_cpu_seconds()
    ran = subprocess.run(
        [*command, "-s", str(_SCRIPT), f"http://127.0.0.1:{subject.ports[0]}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise WrongResponseError(ran.stderr.strip() or ran.stdout.strip())
    cpu, client_cpu = subject.cpu_seconds() - cpu, _children_cpu_seconds() - client_cpu
    result = json.loads(ran.stdout.splitlines()[-1])
    if result["errors"] or not result["requests"]:
        raise WrongResponseError(f"{result['errors']} of {result['requests']} requests failed")
    sample = Sample(
        rate=result["requests"] / result["seconds"],
        median_ms=result["median_ms"],
        p99_ms=result["p99_ms"],
        cpu_us=cpu / result["requests"] * 1e6,
        client_cpu_us=client_cpu / result["requests"] * 1e6,
    )
    return sample, result["requests"]


def _list(subject: RunningSubject, database: Database) -> Sample:
    url = f"http://127.0.0.1:{subject.ports[0]}/sessions"
    shown = "%{http_code} %{size_download} %{time_total}"
    before = subject.memory("VmRSS")
    subject.reset_peak()
    cpu = subject.cpu_seconds()
    ran = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-m", str(_SECONDS_FOR_A_LIST), "-w", shown, url],
        capture_output=True,
        text=True,
        check=False,
    )
    status, size, seconds = ran.stdout.split()
    cpu = subject.cpu_seconds() - cpu
    if status != "200" or int(size) != (expected := database.list_bytes()):
        raise WrongResponseError(f"status {status}, {size} bytes instead of {expected}")
    count = database.count()
    milliseconds = float(seconds) * 1000
    return Sample(
        rate=count / float(seconds),
        median_ms=milliseconds,
        p99_ms=milliseconds,
        cpu_us=cpu / count * 1e6,
        peak_bytes=subject.memory("VmHWM") - before,
    )


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
