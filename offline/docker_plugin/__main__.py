"""Stand-in for Pulumi's Docker plugin, for machines that can't download it.

It serves `docker.Image`, `docker.Volume`, `docker.Container` and `getRegistryImage` as plugin 5.2 does, for the
inputs that this project uses. It can't build with BuildKit. Of a container's drift it sees removal, a stop,
another name, and other limits on memory or another restart policy.
"""

import sys
from importlib.metadata import version

from infra.plugin import Offer, serve


def load() -> Offer:
    """Return what the plugin offers."""
    from offline.docker_plugin.container import Container
    from offline.docker_plugin.engine_client import EngineClient
    from offline.docker_plugin.image import Image
    from offline.docker_plugin.volume import Volume

    engine = EngineClient()
    return Offer(
        {
            "docker:index/container:Container": Container(engine),
            "docker:index/image:Image": Image(engine),
            "docker:index/volume:Volume": Volume(engine),
        },
        {"docker:index/getRegistryImage:getRegistryImage": engine.registries.get_image},
        engine.configure,
    )


print("a stand-in serves for Pulumi's Docker plugin (offline/docker_plugin)", file=sys.stderr)
# As Pulumi's own plugins, which check every five minutes whether the engine lives.
serve(version("pulumi-docker"), load, poll_seconds=300)
