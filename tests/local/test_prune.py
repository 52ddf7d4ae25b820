"""Which images of earlier versions leave the engine."""

import io
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import docker
import pytest

from local.prune import remove_old_images
from tests.stack.clone import docker_client

KEPT = 2


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    with docker_client() as client:
        yield client


def test_the_newest_images_stay_and_those_of_any_container(
    client: docker.DockerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = f"session-context-test-{uuid4().hex[:8]}"
    names = [f"{repository}:{number}" for number in range(5)]
    container = None
    try:
        for name in names:
            recipe = io.BytesIO(f"FROM scratch\nLABEL name={name}\n".encode())
            image, _ = client.images.build(fileobj=recipe, tag=name, rm=True)
            image.tag(f"{repository}-of-others", name.rpartition(":")[2])
        container = client.containers.create(names[0], command="none")  # of another stack: it has no label of ours
        remove_old_images(client, repository, keep=KEPT)
        assert capsys.readouterr().out == ""  # all are new
        remove_old_images(client, repository, keep=KEPT, spare=timedelta())
        left = {tag for image in client.images.list(name=repository) for tag in image.tags}
        assert {tag for tag in left if "-of-others" not in tag} == {names[0], *names[-KEPT:]}
        assert len(client.images.list(name=f"{repository}-of-others")) == len(names)
        assert "Removed 2 images of earlier versions" in capsys.readouterr().out
        remove_old_images(client, repository, keep=KEPT, spare=timedelta())
        assert capsys.readouterr().out == ""
    finally:
        if container:
            container.remove()
        for image in client.images.list():
            for tag in filter(lambda tag: tag.startswith(repository), image.tags):
                client.images.remove(tag)
