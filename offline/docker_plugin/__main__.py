"""Stand-in for Pulumi's Docker plugin, for machines where the official one can't be downloaded.

It answers `docker.Image`, `docker.Volume`, `docker.Container` and `getRegistryImage` the way plugin 5.2 does, for
the inputs this project uses, over the Docker engine's own API. It can't build with BuildKit. Of a container's
drift it sees that it is gone, stopped, renamed, or has other limits on memory or another restart policy.
"""

import sys
from importlib.metadata import version

from infra.plugin import Provider, serve
from offline.docker_plugin.container import Container
from offline.docker_plugin.engine import Engine
from offline.docker_plugin.image import Image
from offline.docker_plugin.volume import Volume

print("a stand-in serves for Pulumi's Docker plugin (offline/docker_plugin)", file=sys.stderr)
engine = Engine()
serve(
    Provider(
        {
            "docker:index/container:Container": Container(engine),
            "docker:index/image:Image": Image(engine),
            "docker:index/volume:Volume": Volume(engine),
        },
        engine.configure,
        {"docker:index/getRegistryImage:getRegistryImage": engine.registries.get_image},
    ),
    version("pulumi-docker"),
    poll_seconds=300,  # Pulumi's own plugins ask every five minutes whether the engine is there
)
