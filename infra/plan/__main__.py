"""`python -m infra.plan` generates the golden plans, for `make plans`; with `check` it compares them."""

import sys

from infra.plan import check, golden

if sys.argv[1:] == ["check"]:
    sys.exit(check.main())
golden.main()
