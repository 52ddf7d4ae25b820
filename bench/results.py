"""The cases of the benchmark and their results."""

import json
from dataclasses import asdict, dataclass

LOAD = 32
"""Connections, in cases that do not vary their number."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A load that each subject gets in turn."""

    workload: str
    connections: int = LOAD
    database: str = "sqlite"
    replicas: int = 1
    workers: int = 1
    """Processes of each replica, behind its one port."""
    with_peer: bool = False

    @property
    def title(self) -> str:
        peer = " with peer" if self.with_peer else ""
        processes = f"{self.replicas} × {self.workers} process"
        return f"{self.workload}{peer}, {self.connections} connections, {self.database}, {processes}"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The result of one run: requests, or sessions of a list, per second."""

    rate: float
    median_ms: float
    p99_ms: float
    cpu_us: float
    """The subject's CPU time for each."""
    client_cpu_us: float = 0
    peak_bytes: int = 0
    """The subject's additional memory."""


Results = dict[tuple[Case, str], list[Sample | str]]
"""For a case and a subject, a sample of each round or the reason for its lack."""


def format_results(results: Results) -> str:
    kept = [
        {
            "row": asdict(case),
            "subject": subject,
            "samples": [sample if isinstance(sample, str) else asdict(sample) for sample in samples],
        }
        for (case, subject), samples in results.items()
    ]
    return json.dumps(kept, indent=1)
