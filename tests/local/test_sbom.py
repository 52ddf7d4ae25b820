"""The bill of materials of an image, from what the image says of itself."""

import json
from typing import Any

import pytest
from cyclonedx.output.json import JsonV1Dot6

from local.sbom import licenses_of, refused, to_bom

FOUND: dict[str, Any] = {
    "python": [["PyYAML", "6.0", "MIT License"], ["orjson", "3.1", "MPL-2.0 AND (Apache-2.0 OR MIT)"]],
    "debian": [{"Package": "libc6", "Version": "2.36-9", "Architecture": "amd64"}],
    "system": ["debian", "12"],
    "version": "3.11.2",
}


def test_python_and_its_packages_and_debians_are_components_of_the_image() -> None:
    bom = json.loads(JsonV1Dot6(to_bom("api:1", f"sha256:{'a' * 64}", FOUND)).output_as_string())
    assert bom["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    components = {component["purl"]: component.get("licenses") for component in bom["components"]}
    assert components == {
        "pkg:generic/python@3.11.2": None,
        "pkg:pypi/pyyaml@6.0": [{"license": {"id": "MIT"}}],
        "pkg:pypi/orjson@3.1": [{"expression": "MPL-2.0 AND (Apache-2.0 OR MIT)"}],
        "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12": None,
    }


@pytest.mark.parametrize(
    ("license_", "said"),
    [
        ("MIT", []),
        ("MIT License", []),
        ("Apache-2.0 AND (BSD-3-Clause OR MIT)", []),
        ("MIT AND AGPL-3.0-only", ["one: MIT AND AGPL-3.0-only"]),
        ("", ["one: no license"]),
    ],
)
def test_a_license_that_is_not_allowed_or_missing_is_refused(license_: str, said: list[str]) -> None:
    assert refused(licenses_of({"python": [["one", "1", license_]]})) == said
