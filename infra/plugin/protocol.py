"""Pulumi's protocol: the modules that its SDK has generated, without the SDK, whose import is most of a start."""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

__all__ = ["engine_pb2", "engine_pb2_grpc", "plugin_pb2", "provider_pb2", "provider_pb2_grpc", "status_pb2"]

if TYPE_CHECKING:
    from pulumi.runtime.proto import (
        engine_pb2,
        engine_pb2_grpc,
        plugin_pb2,
        provider_pb2,
        provider_pb2_grpc,
        status_pb2,
    )
else:
    # As modules of this one, which their import sets as its attributes: that of their own package imports the SDK.
    __path__ = [f"{folder}/runtime/proto" for folder in find_spec("pulumi").submodule_search_locations]
    for name in __all__:
        import_module(f"{__name__}.{name}")
