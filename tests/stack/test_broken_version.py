"""A version that never becomes healthy: the previous one keeps serving, however often it is tried."""

from tests.stack.clone import Clone

UP = "up --yes --skip-preview"


def test_a_version_that_never_becomes_healthy_gets_no_request_until_it_is_fixed(clone: Clone) -> None:
    program, stack = clone.folder / "service" / "__main__.py", clone.folder / "infra" / "host" / "docker.py"
    original, before = {file: file.read_text() for file in (program, stack)}, clone.containers()
    program.write_text("import time\nprint('waits for ever', flush=True)\ntime.sleep(1000)\n")
    stack.write_text(original[stack].replace("HEALTHY_SECONDS = 60", "HEALTHY_SECONDS = 9"))
    try:
        for with_make in (True, False, True, True):
            printed = clone.make("up", fails=True) if with_make else clone.pulumi(UP, fails=True)
            if with_make:
                assert "Output of the last health check: [Errno 111] Connection refused" in printed
                assert "Last log lines:\n    waits for ever\n" in printed
            assert set(before) < set(clone.containers())
            assert clone.targets() == [f"{name}:8080" for name in before]
            assert clone.request("GET", "/sessions").status_code == 200
    finally:
        for file, text in original.items():
            file.write_text(text)
    clone.make("up")
    clone.pulumi("preview --refresh --expect-no-changes")
    assert clone.targets() == [f"{name}:8080" for name in clone.containers()]
    assert clone.request("GET", "/sessions").status_code == 200
