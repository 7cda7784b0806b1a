"""Logs: one line for each event, as JSON or text, without passwords and signatures.

`configure` sets up the operator's logs. Celery sets up a worker's logs, by its own options; `redirect` gives their
handlers our format. `about` adds a job's name to all lines written in its block; `begin` and `end` do so for the lines
about a task.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

# No pattern backtracks: each reads a character at most a few times, even in a hostile text.
_SCHEME: Final = r"\b[a-z][a-z0-9+.-]{0,31}://"
_URL_CREDENTIALS: Final = re.compile(rf"(?P<scheme>{_SCHEME})[^/\s@'\"]*@", re.IGNORECASE)
# To the end of the word or of the quoted text. JSON may write & as \u0026, which a log shows as \\u0026.
_QUERY: Final = r"""(?:[^\s"'<>\\]|\\+u[0-9a-f]{4})+"""
_URL_QUERY: Final = re.compile(
    rf"""(?P<address>{_SCHEME}(?:[^\s"'<>\\?#:]|:(?!//))*)(?P<mark>[?#]){_QUERY}""", re.IGNORECASE
)
# HTTP clients log the path without its host: GET /a.zip?X-Amz-Signature=…
_BARE_QUERY: Final = re.compile(rf"""\?(?=[^\s"'<>\\?=]{{1,256}}=){_QUERY}""", re.IGNORECASE)
_BEARER: Final = re.compile(r"(?P<word>bearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
# `data` is Celery's: the arguments and the result of a task, which its message also shows.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}
_MAIN_PROCESS: Final = "MainProcess"
_ENCODER: Final = json.JSONEncoder(default=str, ensure_ascii=False)
_about: ContextVar[Mapping[str, Any]] = ContextVar("about", default={})  # noqa: B039  # never changed, only replaced

# Libraries whose INFO lines repeat ours. kopf logs every retried request at ERROR, which is useful.
_QUIET: Final = ("kopf", "aiohttp.access", "asyncio", "kombu", "celery", "urllib3")


def redact(text: str) -> str:
    """Return `text` without user names, passwords and queries of URLs (a query may be a signature) and without bearer
    tokens.
    """
    # Most lines contain none of these, and a search for a few characters is far faster than a pattern.
    if "://" in text:
        text = _URL_CREDENTIALS.sub(r"\g<scheme>***@", text)
        text = _URL_QUERY.sub(r"\g<address>\g<mark>***", text)
    if "?" in text:
        text = _BARE_QUERY.sub("?***", text)
    return _BEARER.sub(r"\g<word>***", text) if "bearer" in text.lower() else text


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """Add these fields to each line that this context writes.

    A thread inherits them if it runs in a copy of the context.
    """
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def begin(**fields: Any) -> None:
    """Add these fields to each line that this context writes until `end`: Celery logs a task's end
    outside of the task.
    """
    _about.set(fields)


def end() -> None:
    """Remove the fields of `begin`."""
    _about.set({})


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the members of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without secrets; a traceback is its member `exception`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({"process": record.processName} if record.processName != _MAIN_PROCESS else {}),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(_ENCODER.encode(line))


class TextFormatter(logging.Formatter):
    """The format of `inner` (in a worker, Celery's own), with the members of `extra` as name=value."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Add the fields to the first line; a traceback follows. Remove secrets."""
        head, newline, rest = self._inner.format(record).partition("\n")
        fields = "".join(f" {name}={value}" for name, value in _extra(record).items())
        return redact(head + fields + newline + rest)


def redirect(logger: logging.Logger, log_format: str) -> None:
    """Give all handlers of `logger` our format ("json" or "text"). Idempotent."""
    for handler in logger.handlers:
        if not isinstance(handler.formatter, JsonFormatter | TextFormatter):
            json_lines = log_format == "json"
            handler.setFormatter(JsonFormatter() if json_lines else TextFormatter(handler.formatter))


def configure(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (stderr by default) in `log_format` ("json" or "text") from `level` up."""
    handler = logging.StreamHandler(stream)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter(text))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "DEBUG" else logging.WARNING)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    # Omits the attributes that kopf adds for itself.
    own = {
        name: value
        for name, value in vars(record).items()
        if name not in _STANDARD and not name.startswith(("_", "k8s_", "settings"))
    }
    return {**_about.get(), **own}
