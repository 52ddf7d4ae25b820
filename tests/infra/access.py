"""A stack whose route everybody may call, for tests to change."""

from infra.config.access import AccessConfig

OPEN = AccessConfig(
    plain_http="serve",
    requests_per_minute=None,
    key_auth=False,
    consumers={},
    platform_consumers=[],
    platform_groups=[],
    consumer_limits={},
    addresses=[],
    cors_origins=[],
    certificate=None,
    certificate_key=None,
)
