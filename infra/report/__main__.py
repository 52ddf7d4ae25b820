"""`pulumi preview --json | python -m infra.report` prints the report in Markdown."""

import sys

from infra.report.markdown import render, render_failure
from infra.report.preview import NoPreviewError, parse


def main() -> int:
    """Print the report. If the input is not a preview, report that and return 1."""
    try:
        sys.stdout.write(render(parse(sys.stdin.read())))
    except NoPreviewError as error:
        sys.stdout.write(render_failure(str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
