"""The policy pack: a violation of a rule stops a preview or an `up`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from infra.policy.declared import Declared, Rule, StackRule
from infra.policy.rules import RULES, STACK_RULES
from infra.props import UNKNOWN


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Replace the SDK's proxies, whose unknown items raise an error when they are read."""
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_item(value, index) for index in range(len(value))]
    return value


def _item(container: Any, key: object) -> Any:  # noqa: ANN401 - JSON
    try:
        return _plain(container[key])
    except UnknownValueError:
        return UNKNOWN


def _declared(
    resource: ResourceValidationArgs | PolicyResource, dependencies: Mapping[str, list[str]]
) -> Declared:
    return Declared(
        urn=resource.urn,
        type=resource.resource_type,
        inputs=_plain(resource.props),
        protect=resource.opts.protect,
        dependencies=dependencies,
    )


def resource_policy(rule: Rule) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for message in rule.find_violations(_declared(args, {})):
            report(message, None)

    return ResourceValidationPolicy(rule.name, rule.description, validate)


def stack_policy(rule: StackRule) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = [
            _declared(
                resource,
                {name: [each.urn for each in on] for name, on in resource.property_dependencies.items()},
            )
            for resource in args.resources
        ]
        for urn, message in rule.find_violations(stack):
            report(message, urn)

    return StackValidationPolicy(rule.name, rule.description, validate)


if __name__ == "__main__":
    PolicyPack(
        "session-context",
        [*map(resource_policy, RULES), *map(stack_policy, STACK_RULES)],
        enforcement_level=EnforcementLevel.MANDATORY,
    )
