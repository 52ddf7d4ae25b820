"""Starts the Kong provider for the Pulumi engine."""

from infra.kong.provider import main

main()
