"""The stack's config, read and checked before anything is declared."""

from infra.config.stack_config import StackConfig, load

__all__ = ["StackConfig", "load"]
