"""The Pulumi program. It stands here so that it and the tests import `infra` by one name."""

from infra.stack import deploy

deploy()
