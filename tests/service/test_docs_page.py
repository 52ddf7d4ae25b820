"""The docs page in a real browser that has no network but this host."""

import subprocess
from pathlib import Path

from tests.packages import program
from tests.service.processes import Service


def test_the_docs_page_shows_the_operations_under_its_strict_policy(service: Service, tmp_path: Path) -> None:
    page, log = _open(f"{service.url}/docs", tmp_path)
    for operation in ("createSession", "listSessions", "updateSession", "getSessionContext"):
        assert operation in page
    assert "Content Security Policy" not in log
    assert "unsafe-eval" not in service.request("GET", "/docs").headers["Content-Security-Policy"]


def _open(url: str, folder: Path) -> tuple[str, str]:
    """The page as it is after its scripts ran, and what the browser logged meanwhile."""
    ended = subprocess.run(
        [
            program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={folder}", "--enable-logging=stderr", "--virtual-time-budget=5000",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--dump-dom", url,
        ],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return ended.stdout, ended.stderr
