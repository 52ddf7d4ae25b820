"""The plot is SVG, and a bar's length shows its rate."""

from xml.etree import ElementTree

from bench.plot import plot
from bench.report import Figures
from bench.results import Case, Sample
from bench.subjects import PLAIN, SERVICE

SVG = "{http://www.w3.org/2000/svg}"


def test_ten_times_the_rate_is_one_decade_more() -> None:
    case = Case(workload="read & write")
    rates = {SERVICE: 10_000.0, PLAIN: 1_000.0}
    figures = Figures(
        {(case, name): [Sample(rate=rate, median_ms=1, p99_ms=1, cpu_us=1)] for name, rate in rates.items()}
    )
    drawn = ElementTree.fromstring(plot(figures, [case]))  # noqa: S314 - our own
    service, plain = [float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect")][-2:]
    assert service / plain == 4 / 3
    assert "read & write" in [text.text for text in drawn.iter(f"{SVG}text")]
