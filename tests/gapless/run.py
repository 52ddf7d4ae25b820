"""`python -m tests.gapless.run HOST REQUESTS RATE`: change a stack under load, and print what clients noticed."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.deployment import Deployment
from tests.gapless.changes import list_cluster_losses, list_docker_losses, list_planned
from tests.gapless.trial import apply_under_load
from tests.stack.clone import Clone

QUIET_SECONDS = 10


@contextmanager
def deployed(host: str) -> Iterator[Clone]:
    """Yield a stack of one replica on Docker or on a cluster of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Deployment(Path(folder)) if host == "kubernetes" else Clone(Path(folder))
        try:
            if isinstance(stack, Deployment):
                stack.make_cluster()
            stack.set("replicas", 1)
            subprocess.run(
                ["make", "up"], cwd=stack.folder, env=stack.environment(), check=True
            )  # may build for long
            yield stack
        finally:
            stack.make("down")
            if isinstance(stack, Deployment):
                stack.make("cluster-down")


def main(host: str, requests: int, rate: int) -> int:
    """Apply all changes; return 0 if no more requests failed than may, and no write is lost."""
    if host not in ("docker", "kubernetes"):
        print(f"Error: ON must be docker or kubernetes, not {host!r}", file=sys.stderr)
        return 2
    with deployed(host) as stack:
        losses = list_cluster_losses(stack) if isinstance(stack, Deployment) else list_docker_losses(stack)
        changes = list_planned(stack) + losses
        table, faults = apply_under_load(stack, changes, rate=rate, quiet_seconds=QUIET_SECONDS, requests=requests)
        print(f"\n{table}\n", *(faults or ["No answered write is lost."]), sep="\n", flush=True)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
