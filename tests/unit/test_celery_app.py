"""The Celery application: its bootsteps, and the form of its logs."""

from __future__ import annotations

import json
import logging
import os
from types import SimpleNamespace

import pytest
from celery.apps import worker
from reconstruction_operator import celery_app
from reconstruction_operator.broker import celery_settings
from reconstruction_operator.telemetry import logs

from tests.support.settings import configure


def test_a_worker_has_our_bootsteps() -> None:
    for blueprint, steps in celery_settings.BOOTSTEPS.items():
        assert set(steps) <= set(celery_app.app.steps[blueprint])


@pytest.mark.parametrize("form", ["json", "text"])
def test_handlers_of_celery_write_our_format(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, LOG_FORMAT=form)
    logger = logging.Logger("celery")  # noqa: LOG001 -- of this test alone
    logger.addHandler(handler := logging.StreamHandler())

    celery_app.format_logs(logger)

    assert isinstance(handler.formatter, logs.JsonFormatter) == (form == "json")


def test_a_worker_that_writes_json_prints_no_banner_and_no_plain_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker, "safe_say", worker.safe_say)  # restored after the test
    instance = SimpleNamespace(quiet=False)
    configure(monkeypatch, LOG_FORMAT="text")
    celery_app.leave_out_banner(instance)
    assert (instance.quiet, worker.safe_say.__module__) == (False, "celery.apps.worker")

    configure(monkeypatch, LOG_FORMAT="json")
    celery_app.leave_out_banner(instance)
    worker.safe_say("worker: Warm shutdown", os.sys.stderr)  # type: ignore[attr-defined]

    assert instance.quiet
    assert json.loads(capfd.readouterr().err)["message"] == "worker: Warm shutdown"
