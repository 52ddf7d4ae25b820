"""What the platform's containers are known by."""

import pytest
from docker.models.containers import Container

from local.kong import KONG_IMAGE, is_kong


@pytest.mark.parametrize("prefix", ["", "docker.io/library/", "docker.io/", "localhost/"])
def test_a_kong_is_known_by_its_image_as_docker_and_as_podman_name_it(prefix: str) -> None:
    assert is_kong(Container({"Config": {"Image": prefix + KONG_IMAGE}}))


def test_a_stand_in_is_no_kong() -> None:
    assert not is_kong(Container({"Config": {"Image": "localhost/session-context-gateway:0123456789abcdef"}}))
