"""`python -m local.sbom IMAGE`: write the SBOM of an image as CycloneDX, and check the licenses in it.

The image itself is asked, in a container without a network: for Python's packages with their licenses, and for
Debian's, whose licenses are in the image as /usr/share/doc/*/copyright.
"""

import json
import re
import sys
from collections import defaultdict
from typing import Any

import docker
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from docker.errors import ContainerError, DockerException
from packageurl import PackageURL

from local.workspace import STATE, LocalError

ALLOWED = {
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "LGPL-3.0-only",  # psycopg, which is used as it is
    "MIT",
    "MPL-2.0",
    "PSF-2.0",
}
WRITTEN_OTHERWISE = {"Apache 2.0": "Apache-2.0", "MIT License": "MIT"}

# Runs in the container, on its Python.
_COLLECT = """
import json, platform, re
from importlib.metadata import distributions
packages = [
    [one.metadata["Name"], one.version, one.metadata["License-Expression"] or one.metadata["License"] or ""]
    for one in distributions()
]
fields = [dict(re.findall(r"^(Package|Version|Architecture): (.+)$", part, re.M))
          for part in open("/var/lib/dpkg/status", encoding="utf-8").read().split("\\n\\n")
          if "Status: install ok installed" in part]
system = platform.freedesktop_os_release()
print(json.dumps({"python": packages, "debian": fields, "system": [system["ID"], system["VERSION_ID"]],
                  "version": platform.python_version()}))
"""


def collect(client: docker.DockerClient, image: str) -> dict[str, Any]:
    """Ask the image what is installed in it."""
    try:
        printed = client.containers.run(
            image, ["python3", "-c", _COLLECT], remove=True, network_mode="none", read_only=True
        )
    except (ContainerError, DockerException) as error:
        raise LocalError(f"{image} could not be read: {error}") from error
    found: dict[str, Any] = json.loads(printed)
    return found


def to_bom(image: str, image_id: str, found: dict[str, Any]) -> Bom:
    """Describe the image and its components."""
    digest = HashType(alg=HashAlgorithm.SHA_256, content=image_id.removeprefix("sha256:"))
    root = Component(type=ComponentType.CONTAINER, name=image, hashes=[digest], bom_ref=image_id)
    bom = Bom()
    bom.metadata.component = root
    components = [_component(PackageURL("generic", name="python", version=found["version"]))]
    for name, version, license_ in found["python"]:
        purl = PackageURL("pypi", name=name.lower(), version=version)
        components.append(_component(purl, WRITTEN_OTHERWISE.get(license_, license_)))
    distribution, release = found["system"]
    for package in found["debian"]:
        qualifiers = {"arch": package["Architecture"], "distro": f"{distribution}-{release}"}
        components.append(
            _component(PackageURL("deb", distribution, package["Package"], package["Version"], qualifiers))
        )
    bom.components = components
    bom.register_dependency(root, components)
    return bom


def _component(purl: PackageURL, license_: str = "") -> Component:
    return Component(
        name=purl.name,
        version=purl.version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[LicenseFactory().make_from_string(license_)] if license_ else [],
    )


def licenses_of(found: dict[str, Any]) -> dict[str, list[str]]:
    """List the Python packages under each license, as SPDX writes it."""
    listed = defaultdict(list)
    for name, _, license_ in sorted(found["python"], key=lambda one: str(one[0]).lower()):
        listed[WRITTEN_OTHERWISE.get(license_, license_)].append(name)
    return dict(sorted(listed.items()))


def refused(licenses: dict[str, list[str]]) -> list[str]:
    """Name the packages whose license is missing or not allowed."""
    return [
        f"{name}: {license_ or 'no license'}"
        for license_, names in licenses.items()
        for name in names
        if not license_ or not _keys(license_) <= ALLOWED
    ]


def _keys(expression: str) -> set[str]:
    return set(re.findall(r"[\w.+-]+", expression)) - {"AND", "OR", "WITH"}


def main(image: str) -> None:
    """Write the bill of materials, print the licenses, and fail for one that is not allowed."""
    client = docker.from_env()
    found = collect(client, image)
    file = STATE / "sbom.cdx.json"
    bom = to_bom(image, str(client.images.get(image).id), found)
    file.write_text(JsonV1Dot6(bom).output_as_string(indent=2))
    licenses = licenses_of(found)
    for license_, names in licenses.items():
        print(f"{license_ or 'none'}: {', '.join(names)}")
    print(f"{len(bom.components)} components: {file.name} in {file.parent.name}/")
    if wrong := refused(licenses):
        raise LocalError(f"local/sbom.py does not allow the license of {'; '.join(wrong)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except LocalError as error:
        sys.exit(f"\nStopped: {error}")
