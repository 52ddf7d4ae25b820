"""No test depends on what the shell has for other work."""

import os

from local.machine import leads_elsewhere

for variable in filter(leads_elsewhere, list(os.environ)):
    del os.environ[variable]
