"""`python -m infra.plan` generates the golden plans, for `make plans`."""

from infra.plan.golden import main

main()
