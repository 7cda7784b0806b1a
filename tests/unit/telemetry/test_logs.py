"""Logs: one line for each event, as JSON or text, without secrets."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from reconstruction_operator.telemetry import logs


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def _loggers_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:s3cret@redis:6379/0", "redis://***@redis:6379/0"),
        (
            "sentinel://:a@one:26379/1;sentinel://:b@two:26379/1",
            "sentinel://***@one:26379/1;sentinel://***@two:26379/1",
        ),
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("Authorization: Bearer eyJhbGciOi.J9-x_y", "Authorization: Bearer ***"),
        ("https://s3/a.zip?X-Amz-Signature=5ec&b=c is gone", "https://s3/a.zip?*** is gone"),
        ("https://me:pw@s3/a.zip?sig=5ec#5ec", "https://***@s3/a.zip?***"),
        ("https://s3/a.zip#5ec", "https://s3/a.zip#***"),
        ('{"uri": "https://s3/a.zip?a=b&sig=5ec", "x": 1}', '{"uri": "https://s3/a.zip?***", "x": 1}'),
        (r'{"uri": "https://s3/a.zip?a=b\u0026sig=5ec"}', '{"uri": "https://s3/a.zip?***"}'),
        (r"b'{\"uri\": \"https://s3/a.zip?a=b\\u0026sig=5ec\"}'", r"b'{\"uri\": \"https://s3/a.zip?***\"}'"),
        ('"GET /a.zip?X-Amz-Signature=5ec HTTP/1.1" 200', '"GET /a.zip?*** HTTP/1.1" 200'),
        ("is it there? a=b", "is it there? a=b"),
        ("mail me@example.com", "mail me@example.com"),
        ("https://example.com/a@b", "https://example.com/a@b"),
    ],
)
def test_credentials_are_redacted(text: str, expected: str) -> None:
    assert logs.redact(text) == expected


@pytest.mark.parametrize("piece", ["a.", "a://", "?", "?a", "?a=", "/", "#", "x://a?", "\\u0026", "\\"])
def test_redacting_a_long_hostile_text_is_fast(piece: str) -> None:
    begun = time.process_time()
    logs.redact(piece * 20_000)
    assert time.process_time() - begun < 5.0


def test_foreign_handlers_keep_their_format_and_are_redacted(stream: io.StringIO) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("[%(name)s] %(message)s"))
    logger = logging.getLogger("theirs")
    logger.handlers = [handler, logging.StreamHandler(stream)]
    for _ in range(2):  # Celery signals the same logger twice
        logs.redirect(logger, "text")

    logger.error("%s is down", "redis://:s3cret@host/0", exc_info=ValueError("https://s3/a?sig=s3cret"))

    text = stream.getvalue()
    assert text.splitlines()[0] == "[theirs] redis://***@host/0 is down"
    assert text.count("ValueError: https://s3/a?***") == 2
    assert "s3cret" not in text


def test_json_lines_have_time_level_logger_message_and_extra(stream: io.StringIO) -> None:
    logs.configure("json", "INFO", stream)
    logging.getLogger("reconstruction_operator.x").info("%d jobs", 3, extra={"namespace": "default"})

    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    expected = {"level": "info", "logger": "reconstruction_operator.x", "message": "3 jobs", "namespace": "default"}
    assert line == expected


def test_json_lines_have_the_redacted_traceback(stream: io.StringIO) -> None:
    logs.configure("json", "INFO", stream)
    logging.getLogger("x").error("failed", exc_info=ConnectionError("redis://:s3cret@host/0 refused"))

    (text,) = stream.getvalue().splitlines()
    assert "ConnectionError: redis://***@host/0 refused" in json.loads(text)["exception"]


def test_text_lines_have_level_logger_message_and_extra(stream: io.StringIO) -> None:
    logs.configure("text", "INFO", stream)
    logging.getLogger("x").warning("redis://:s3cret@host/0 is down", extra={"tries": 2})

    assert stream.getvalue().rstrip().endswith("WARNING x: redis://***@host/0 is down tries=2")


def test_the_level_is_set_and_libraries_are_quiet_except_at_debug(stream: io.StringIO) -> None:
    logs.configure("text", "INFO", stream)
    logging.getLogger("x").debug("hidden")
    logging.getLogger("kopf.objects").info("hidden")
    logging.getLogger("kopf.objects").error("shown")
    logs.configure("text", "DEBUG", stream)
    logging.getLogger("kopf.objects").debug("shown as well")

    lines = stream.getvalue().splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == ["shown", "shown as well"]


@pytest.mark.parametrize(("log_format", "expected"), [("json", '"job": "banana"'), ("text", " job=banana")])
def test_lines_about_a_job_name_the_job_in_its_threads_too(log_format: str, expected: str, stream: io.StringIO) -> None:
    logs.configure(log_format, "INFO", stream)
    log = logging.getLogger("x")
    with logs.about(job="banana"):
        thread = threading.Thread(target=copy_context().run, args=(log.info, "in a thread"))
        thread.start()
        thread.join()
        log.info("inside")
    log.info("outside")

    assert [expected in line for line in stream.getvalue().splitlines()] == [True, True, False]
