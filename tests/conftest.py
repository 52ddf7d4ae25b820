"""No test depends on what the shell has set for other work."""

from local.environment import remove_foreign_variables

remove_foreign_variables()
