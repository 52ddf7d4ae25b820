"""Starts the Kong provider for the Pulumi engine."""

from infra.kong.provider.resource_types import main

main()
