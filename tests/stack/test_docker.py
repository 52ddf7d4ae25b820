"""What somebody does by hand to the stack's containers and image: the next `make up` mends it."""

from collections.abc import Callable

import pytest
from docker.models.containers import Container

from tests.stack.clone import Clone, docker_client


def by_hand(clone: Clone, deed: Callable[[Container], object]) -> None:
    """Do something to the stack's container."""
    with docker_client() as client:
        [name] = clone.containers()
        deed(client.containers.get(name))


def out_of_its_network(container: Container) -> None:
    assert container.client is not None
    [network] = container.attrs["NetworkSettings"]["Networks"]
    container.client.networks.get(network).disconnect(container)


def gone_with_its_image(container: Container) -> None:
    assert container.client is not None
    assert container.image is not None
    container.remove(force=True)
    container.client.images.remove(str(container.image.id), force=True)


@pytest.mark.parametrize(
    "deed",
    [
        out_of_its_network,
        gone_with_its_image,
        Container.pause,
        Container.stop,
        lambda container: container.rename(f"{container.name}-renamed"),
        lambda container: container.update(mem_limit="99m", memswap_limit="99m"),
        lambda container: container.update(restart_policy={"Name": "no"}),
    ],
    ids=[
        "out of its network",
        "gone with its image",
        "paused",
        "stopped",
        "renamed",
        "with less memory",
        "not started again",
    ],
)
def test_what_was_done_by_hand_to_a_container_is_mended(clone: Clone, deed: Callable[[Container], object]) -> None:
    if deed is gone_with_its_image:
        clone.change_service()  # so that it is no other stack's
        clone.make("up")
    by_hand(clone, deed)
    clone.make("up")  # and its request through the gateway
    clone.pulumi("preview --refresh --expect-no-changes")
    assert clone.targets() == [f"{name}:8080" for name in clone.containers()]
    by_hand(clone, lambda container: _is_as_declared(container, clone))


def test_a_container_removed_by_hand_is_replaced_by_a_plain_up(clone: Clone) -> None:
    by_hand(clone, lambda container: container.remove(force=True))
    clone.change_service()
    clone.pulumi("up --yes --skip-preview")
    clone.pulumi("preview --refresh --expect-no-changes")
    by_hand(clone, lambda container: _is_as_declared(container, clone))


def _is_as_declared(container: Container, clone: Clone) -> None:
    assert container.status == "running"
    assert container.attrs["HostConfig"]["Memory"] == 512 * 2**20
    assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert list(container.attrs["NetworkSettings"]["Networks"]) == [f"session-context-{clone.stack}"]
