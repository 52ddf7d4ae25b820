"""Why Kong's migrations failed is found in what Kong prints."""

from local.kong import find_reason

CAUSE = "Error: [PostgreSQL error] failed to retrieve PostgreSQL server_version_num: connection refused"
UNREACHABLE = f"{CAUSE}\n\n  Run with --v (verbose) or --vv (debug) for more details\n"
EMPTY = """Database needs bootstrapping or is older than Kong 1.0.

To start a new installation from scratch, run 'kong migrations bootstrap'.

To migrate from a version older than 1.0, migrated to Kong 1.5.0 first.
If you still have 'apis' entities, you can convert them to Routes and Services
using the 'kong migrations migrate-apis' command in Kong 1.5.0.

"""


def test_the_reason_is_the_first_error_and_not_the_advice_at_the_end() -> None:
    assert find_reason(UNREACHABLE * 4) == CAUSE
    assert find_reason(EMPTY + UNREACHABLE + EMPTY) == CAUSE
    assert find_reason(EMPTY) == "Database needs bootstrapping or is older than Kong 1.0."
    assert find_reason("") == "it printed nothing"


def test_a_lock_of_an_interrupted_run_is_explained() -> None:
    assert "its lock, which expires" in find_reason("aborted: another node is performing database changes")
