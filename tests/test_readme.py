"""The README's commands, keys and links are of this project as it stands."""

import re
import subprocess

import yaml

from local.workspace import ROOT

README = (ROOT / "README.md").read_text()


def test_every_make_target_is_in_its_help() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    offered = set(re.findall(r"^make (\w+)", told, re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)(?=[ `]|$)", README, re.MULTILINE))
    assert {"up", "test", "down", "help"} <= named <= offered


def test_every_config_key_is_described() -> None:
    described = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    named = set(
        re.findall(r"^\$ pulumi config set (?:--secret |--path ')?([A-Za-z]+)(?=[ \[])", README, re.MULTILINE)
    )
    assert {"hostedZoneId", "gatewayAddresses", "kongAdminUrl", "kongAdminToken", "network"} <= named
    assert named <= set(described)


def test_every_link_and_folder_is_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"^\| `([a-z]+/)` \|", README, re.MULTILINE)
    assert len(targets) > 6
    assert [target for target in targets if not (ROOT / target).exists()] == []
