"""The lines of the service's log, as a person or a program reads them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.report.escape import visible
from local.console import paint

SERVER_ERROR, CLIENT_ERROR = 500, 400


@dataclass(frozen=True)
class LogLine:
    """A line of a replica. One that is not JSON, as of a crash, has only a message."""

    replica: str
    fields: Mapping[str, Any]

    @property
    def timestamp(self) -> str:
        """The time; empty if the line has none, which sorts it to the lines before it."""
        return str(self.fields.get("timestamp", ""))

    @property
    def request_id(self) -> str:
        return str(self.fields.get("requestId", ""))

    def to_json(self) -> str:
        return json.dumps({"replica": self.replica, **self.fields})

    def to_text(self) -> str:
        """Format it: time, replica, level, what happened, and the request's id. It controls no terminal."""
        level = str(self.fields.get("level", ""))
        first = [self.timestamp.replace("T", " ").rstrip("Z"), self.replica, _paint_level(level, f"{level:7}")]
        text = " ".join([*filter(None, first), self._describe(), visible(self.request_id)]).rstrip()
        trace = str(self.fields.get("exception", "")).splitlines()
        return "\n".join([text, *(f"    {visible(line)}" for line in trace)])

    def _describe(self) -> str:
        fields = self.fields
        if fields.get("logger") != "service.access":
            return visible(str(fields.get("message", "")))
        status = int(fields["status"])
        level = "ERROR" if status >= SERVER_ERROR else "WARNING" if status >= CLIENT_ERROR else ""
        request = visible(f"{fields['method']} {fields['path']}")
        return f"{request} {_paint_level(level, str(status))} {fields['durationMs']} ms"


def parse_line(replica: str, text: str) -> LogLine:
    """Parse a line of the log, whatever it is."""
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    return LogLine(replica, fields if isinstance(fields, dict) else {"message": text})


def _paint_level(level: str, text: str) -> str:
    if level in ("ERROR", "CRITICAL"):
        return paint(text, "red")
    return paint(text, "yellow") if level == "WARNING" else text
