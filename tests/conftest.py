"""No test depends on what the shell has for other work."""

import os

from local.workspace import is_foreign

for variable in filter(is_foreign, list(os.environ)):
    del os.environ[variable]
