"""Log lines of operator and workers: the job that a line is about, and what the line says to a user.

A line is about the job whose uid the program adds as a field, never about one that its message names: a message may
quote what a tenant wrote, such as the address of an input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from reconstruction_operator.kube import parsing

_FIELD: Final = " uid="  # in the format for people, whose fields follow the message (`telemetry.logs.TextFormatter`)
_MAX_CHARS: Final = 4000
_QUIET_LEVELS: Final = ("", "INFO", "DEBUG")
# What is before the message in text: time, level and logger of the operator, or what Celery writes
_HEAD: Final = re.compile(
    r"\[?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+:? (?P<level>[A-Z]+)(?:/[\w-]+\] | +[\w.]+: )", re.ASCII
)
_FIELDS: Final = re.compile(r" namespace=\S* job=\S* uid=\S* .*| job_id=\S+ task_id=\S+.*")
_TASK: Final = re.compile(r", task [\w-]+$")
_END: Final = re.compile(r"(ends: \w+ after [\d.]+ s: [A-Z_]+): .*")  # the operator says why
_CELERY: Final = re.compile(r"Task [\w.]+\[[\w-]+\] ")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What a line says. `part`: operator, worker or event; `trace`: the last line of a traceback."""

    part: str
    message: str
    level: str = ""
    trace: str = ""

    @classmethod
    def of(cls, part: str, content: str) -> Self:
        """Parse a line without the node's time, JSON or text."""
        if content.startswith("{"):
            try:
                fields: Mapping[str, Any] = parsing.parse(content.encode(errors="replace"), lambda _: None)
                trace = str(fields.get("exception") or fields.get("exc_info") or "").strip().rpartition("\n")[2]
                message = str(fields.get("message", content))
                level = str(fields.get("level") or "").upper()
                return cls(part, message[:_MAX_CHARS], level, trace[:_MAX_CHARS])
            except (ValueError, AttributeError):
                return cls(part, content[:_MAX_CHARS])
        head = _HEAD.match(content)
        message = _FIELDS.sub("", content[head.end() :] if head else content)
        return cls(part, message[:_MAX_CHARS], head["level"] if head else "")


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


def part_of(container: str) -> str:
    """Return the part of the system that a container or a log file belongs to: operator or worker."""
    return "operator" if container.startswith("operator") else "worker"


def sentences(entries: Sequence[LogEntry], namespace: str, name: str) -> Iterator[str]:
    """Yield for each line about the job what it says to a user, in chronological order; empty for a line that adds
    nothing.

    These are Celery's own lines, an Event that the operator's log has, and what was said a line before.
    """
    said = [_sentence(entry, f"{namespace}/{name}") for entry in entries]
    of_operator = {text for text, entry in zip(said, entries, strict=True) if entry.part == "operator"}
    last = ""
    for text, entry in zip(said, entries, strict=True):
        if not text or text == last or (entry.part == "event" and text in of_operator):
            yield ""
        else:
            last = text
            yield text


def _sentence(entry: LogEntry, job: str) -> str:
    """Return the message without logger, fields, task and the job's name, on one line."""
    message = " ".join(entry.message.split())
    if _CELERY.match(message):
        return ""
    text = message.removeprefix(f"{job}: ").removeprefix(f"{job} ")
    text = _END.sub(r"\1", _TASK.sub("", text))
    text = f"{text[:1].upper()}{text[1:]}" + (f" ({entry.trace})" if entry.trace else "")
    return text if entry.level in _QUIET_LEVELS else f"{entry.level.capitalize()}: {text}"
