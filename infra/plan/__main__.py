"""`python -m infra.plan`: what `make plans` does."""

from infra.plan.golden import main

main()
