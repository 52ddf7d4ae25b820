"""How the platform's containers are recognized."""

import pytest
from docker.models.containers import Container

from local.kong import KONG_IMAGE, is_kong


@pytest.mark.parametrize("prefix", ["", "docker.io/library/", "docker.io/", "localhost/"])
def test_kong_is_recognized_by_its_image_as_docker_and_podman_name_it(prefix: str) -> None:
    assert is_kong(Container({"Config": {"Image": prefix + KONG_IMAGE}}))


def test_a_stand_in_is_not_recognized_as_kong() -> None:
    assert not is_kong(Container({"Config": {"Image": "localhost/session-context-gateway:0123456789abcdef"}}))
