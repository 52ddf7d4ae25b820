"""The SVG of a stack: valid XML, each resource in its component's column, and arrows from left to right."""

import re
from xml.etree import ElementTree

from infra.report.svg import Node, render_svg

STACK = {
    "image": Node("Image", "api:1", "Image"),
    "container": Node("Container", "api-1", "DockerHost", ["image", "a provider that is not shown"]),
    "target": Node("KongTarget", "api-1:8080", "Gateway", ["container", "upstream"]),
    "upstream": Node("KongUpstream", "api", "Gateway"),
    "record": Node("Record", "api.example", "DnsRecord", ["target", "upstream", "image"]),
}


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own
    return [str(each.text) for each in root.iter("{http://www.w3.org/2000/svg}text")]


def arrows(svg: str) -> list[list[float]]:
    return [
        [float(number) for number in re.findall(r"-?\d+", path)]
        for path in re.findall('class="arrow" d="(.*?)"', svg)
    ]


def test_the_columns_are_the_components_in_the_order_of_their_dependencies() -> None:
    shown = texts(render_svg("Stack dev", STACK))
    assert shown[:4] == ["Image", "DockerHost", "Gateway", "DnsRecord"]
    assert shown[4:] == [
        "Image", "api:1", "Container", "api-1", "KongUpstream", "api", "KongTarget", "api-1:8080",
        "Record", "api.example",
    ]  # fmt: skip


def test_an_arrow_that_a_longer_way_implies_is_left_out() -> None:
    drawn = arrows(render_svg("Stack dev", STACK))
    assert len(drawn) == 4
    assert all(arrow[0] <= arrow[-2] for arrow in drawn)


def test_resources_that_depend_on_each_other_are_shown_once() -> None:
    assert texts(render_svg("", {"a": Node("A", "a", "One", ["b"]), "b": Node("B", "b", "Two", ["a"])})) == [
        "One", "Two", "A", "a", "B", "b",
    ]  # fmt: skip


def test_names_are_text_and_nothing_else() -> None:
    svg = render_svg("<&>", {"a": Node("<script>", "\u202e" + "x" * 50, "&amp;")})
    assert texts(svg) == ["&amp;", "<script>", f"\\u202e{'x' * 29}…"]
    assert "<script>" not in svg
