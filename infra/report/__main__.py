"""`pulumi preview --json | python -m infra.report`: the report, in Markdown, on standard output."""

import sys

from infra.report.markdown import failed, report
from infra.report.preview import NoPreviewError, read


def main() -> int:
    """Write the report; 1 when the input is no preview, of which the report tells too."""
    try:
        sys.stdout.write(report(read(sys.stdin.read())))
    except NoPreviewError as error:
        sys.stdout.write(failed(str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
