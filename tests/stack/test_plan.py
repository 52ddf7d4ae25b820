"""The golden plan, compared with the deployed stack."""

from infra.plan.recorder import record_plan
from tests.stack.clone import Clone


def test_the_plan_names_what_the_gateway_has(clone: Clone) -> None:
    _, outputs = record_plan(clone.file)
    for kind in ("service", "route", "upstream"):
        assert clone.kong(f"/{kind}s/{outputs['kong'][kind]}")["id"] == clone.outputs()["kong"][kind]
