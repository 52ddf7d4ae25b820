"""What is measured, and what came of it."""

import json
from dataclasses import asdict, dataclass

LOAD = 32
"""Connections, where it is not their number that is looked at."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is done to each of several subjects in turn."""

    workload: str
    connections: int = LOAD
    database: str = "sqlite"
    replicas: int = 1
    with_peer: bool = False

    @property
    def title(self) -> str:
        peer = " with peer" if self.with_peer else ""
        return f"{self.workload}{peer}, {self.connections} connections, {self.database}, {self.replicas} process"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one run of a row measured: requests, or rows of a list, a second."""

    rate: float
    median_ms: float
    p99_ms: float
    cpu_us: float
    """CPU time of the subject for each."""
    client_cpu_us: float = 0
    peak_bytes: int = 0
    """Of memory, above what the subject had before."""


Results = dict[tuple[Row, str], list[Sample | str]]
"""For a row and a subject a sample of each round, or why there is none."""


def write_results(results: Results) -> str:
    kept = [
        {
            "row": asdict(row),
            "subject": subject,
            "samples": [sample if isinstance(sample, str) else asdict(sample) for sample in samples],
        }
        for (row, subject), samples in results.items()
    ]
    return json.dumps(kept, indent=1)
