"""Logs: JSON or text, one line each, and no secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from reconstruction_operator.telemetry import logs


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, one in levels.items():
        logging.getLogger(name).setLevel(one)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:s3cret@redis:6379/0", "redis://***@redis:6379/0"),
        ("rediss://user:p%40ss@host/1 is down", "rediss://***@host/1 is down"),
        (
            "sentinel://:a@one:26379/1;sentinel://:b@two:26379/1",
            "sentinel://***@one:26379/1;sentinel://***@two:26379/1",
        ),
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("Authorization: Bearer eyJhbGciOi.J9-x_y", "Authorization: Bearer ***"),
        ("mail me@example.com", "mail me@example.com"),
        ("https://example.com/a@b", "https://example.com/a@b"),
    ],
)
def test_credentials_are_left_out(text: str, expected: str) -> None:
    assert logs.redact(text) == expected


def test_json_has_time_level_logger_message_and_what_was_given_beside() -> None:
    stream = io.StringIO()
    logs.configure("json", "INFO", stream)

    logging.getLogger("reconstruction_operator.x").info("%d jobs", 3, extra={"namespace": "default"})

    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    expected = {"level": "info", "logger": "reconstruction_operator.x", "message": "3 jobs", "namespace": "default"}
    assert line == expected


def test_json_keeps_a_traceback_in_the_same_line_without_its_secrets() -> None:
    stream = io.StringIO()
    logs.configure("json", "INFO", stream)

    error = ConnectionError("redis://:s3cret@host/0 refused")
    logging.getLogger("x").error("failed", exc_info=error)

    (text,) = stream.getvalue().splitlines()
    assert "ConnectionError: redis://***@host/0 refused" in json.loads(text)["exception"]


def test_text_is_for_eyes() -> None:
    stream = io.StringIO()
    logs.configure("text", "INFO", stream)

    logging.getLogger("x").warning("redis://:s3cret@host/0 is away", extra={"tries": 2})

    assert stream.getvalue().rstrip().endswith("WARNING x: redis://***@host/0 is away tries=2")


def test_the_level_is_kept_and_kopf_is_quiet_unless_one_debugs() -> None:
    stream = io.StringIO()
    logs.configure("text", "INFO", stream)
    logging.getLogger("x").debug("hidden")
    logging.getLogger("kopf.objects").info("hidden")
    logging.getLogger("kopf.objects").error("shown")
    logs.configure("text", "DEBUG", stream)
    logging.getLogger("kopf.objects").debug("shown as well")

    lines = stream.getvalue().splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["shown", "shown as well"]
