"""Changes by hand to the stack's container and image, which the next `make up` reverts."""

from collections.abc import Callable

import pytest
from docker.models.containers import Container

from tests.stack.clone import Clone, docker_client


def change_by_hand(clone: Clone, change: Callable[[Container], object]) -> None:
    """Change the stack's container by hand."""
    with docker_client() as client:
        [name] = clone.containers()
        change(client.containers.get(name))


def disconnect(container: Container) -> None:
    assert container.client is not None
    [network] = container.attrs["NetworkSettings"]["Networks"]
    container.client.networks.get(network).disconnect(container)


def remove_with_image(container: Container) -> None:
    assert container.client is not None
    assert container.image is not None
    container.remove(force=True)
    container.client.images.remove(str(container.image.id), force=True)


@pytest.mark.parametrize(
    "change",
    [
        disconnect,
        remove_with_image,
        lambda container: container.remove(force=True),
        Container.pause,
        Container.stop,
        lambda container: container.rename(f"{container.name}-renamed"),
        lambda container: container.update(mem_limit="99m", memswap_limit="99m"),
        lambda container: container.update(restart_policy={"Name": "no"}),
    ],
    ids=[
        "disconnected",
        "removed with its image",
        "removed",
        "paused",
        "stopped",
        "renamed",
        "with less memory",
        "without restarts",
    ],
)
def test_a_change_by_hand_to_a_container_is_reverted(clone: Clone, change: Callable[[Container], object]) -> None:
    if change is remove_with_image:
        clone.change_service()  # so that no other stack uses the image
        clone.make("up")
    change_by_hand(clone, change)
    clone.make("up")  # with its request through the gateway
    clone.pulumi("preview --refresh --expect-no-changes")
    assert clone.targets() == [f"{name}:8080" for name in clone.containers()]
    change_by_hand(clone, lambda container: _assert_as_declared(container, clone))


def test_a_container_removed_by_hand_is_replaced_by_a_plain_up(clone: Clone) -> None:
    change_by_hand(clone, lambda container: container.remove(force=True))
    clone.change_service()
    clone.pulumi("up --yes --skip-preview")
    clone.pulumi("preview --refresh --expect-no-changes")
    change_by_hand(clone, lambda container: _assert_as_declared(container, clone))


def _assert_as_declared(container: Container, clone: Clone) -> None:
    assert container.status == "running"
    assert container.attrs["HostConfig"]["Memory"] == 512 * 2**20
    assert container.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert list(container.attrs["NetworkSettings"]["Networks"]) == [f"session-context-{clone.stack}"]
