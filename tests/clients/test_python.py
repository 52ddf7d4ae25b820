"""Python clients generated from today's document, and from that of the first 2.0.0."""

import re
import sys
from pathlib import Path

from local.workspace import ROOT
from tests.clients.generated import command, program, run
from tests.service.processes import Service, running

ORIGINAL = Path(__file__).with_name("openapi-2.0.0.json")
FROM_ORIGINAL = """\
from session_client import Client
from session_client.api.default import create_session, get_session_context, list_sessions, update_session
from session_client.models import SessionRequest, SessionResponse, SessionUpdateRequest

with Client(base_url="URL", raise_on_unexpected_status=True) as client:
    created = create_session.sync(client=client, body=SessionRequest(user_id=7, context="first"))
    assert created == SessionResponse(session_id=1, user_id=7, context="first")
    changed = update_session.sync(1, client=client, body=SessionUpdateRequest(context="second"))
    assert changed == SessionResponse(session_id=1, user_id=7, context="second")
    print(list_sessions.sync(client=client), get_session_context.sync(1, client=client))
"""
SETTINGS = "[mypy]\nstrict = true\n[mypy-session_client.client]\ndisable_error_code = arg-type\n"


def generate_and_run(folder: Path, document: str, written: str, **variables: str) -> str:
    """Generate the client, check it and a program with it strictly, and run that."""
    generate = command("openapi-python-client", document)
    generate[generate.index("--url")] = "--path"
    run(generate, folder)
    (folder / "program.py").write_text(written)
    (folder / "mypy.ini").write_text(SETTINGS)
    run([sys.executable, "-m", "mypy", "program.py", "session_client"], folder)
    return run([sys.executable, "program.py"], folder, **variables)


def test_the_program_of_the_documentation_uses_every_operation(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        printed = generate_and_run(tmp_path, str(ROOT / "openapi.json"), program("python"), API=service.url)
    assert printed.startswith("changed SessionContextResponse(session_id=1, context='changed'")
    assert "[Session(session_id=1, user_id=7, context='changed'" in printed
    assert printed.endswith(" 204\n")
    used = set(re.findall(r"(\w+)\.sync", program("python")))
    assert used == {path.stem for path in (tmp_path / "session_client/api/sessions").glob("[a-z]*.py")}


def test_a_client_of_the_first_2_0_0_still_works(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        printed = generate_and_run(tmp_path, str(ORIGINAL), FROM_ORIGINAL.replace("URL", service.url))
    assert "context='second'" in printed
