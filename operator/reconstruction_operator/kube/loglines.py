"""Log lines of operator and workers: the job that a line is about, by the field that the program adds, never by its
message.

A message may quote what a tenant wrote, such as the address of an input.
"""

from __future__ import annotations

from typing import Final

from reconstruction_operator.kube import parsing

_FIELD: Final = " uid="  # in the format for people, whose fields follow the message (`telemetry.logs.TextFormatter`)


def uid_of(line: str) -> str:
    """Return the uid in the field of a line without the node's time, JSON or text; empty without such a field."""
    if line.startswith("{"):
        try:
            fields = parsing.parse(line.encode(errors="replace"), lambda _: None)
        except ValueError:
            return ""
        return str(fields.get("uid") or fields.get("job_id") or "") if isinstance(fields, dict) else ""
    _, field, rest = line.rpartition(_FIELD)
    return rest.split(maxsplit=1)[0] if field and rest.strip() else ""
