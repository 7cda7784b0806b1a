"""The Celery application: `celery -A reconstruction_operator.celery_app worker`.

A plain worker consumes `<pool>-high`, `<pool>`, `<pool>-low` and `<pool>-parts` of the pools in
`config.settings.WORKER_POOLS`, in that order. Only a worker imports the tasks and bootsteps, when it starts: the
operator's image has this module but not their dependencies.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger, celeryd_init
from celery.utils.log import get_multiprocessing_logger

from reconstruction_operator import config, readers
from reconstruction_operator.broker import celery_settings
from reconstruction_operator.telemetry import logs

app = Celery("reconstruction_operator")
try:
    app.conf.update(celery_settings.settings())
except readers.InvalidSettingError as error:
    if "celery" not in {Path(sys.argv[0]).name, Path(sys.argv[0]).parent.name}:  # `celery`, `python -m celery`
        raise
    sys.stderr.write(f"reconstruction_operator: {error}\n")  # the command would print a long traceback
    sys.exit(2)
for blueprint, steps in celery_settings.BOOTSTEPS.items():
    app.steps[blueprint].update(steps)


# Installed here so that every process of this app formats its lines, also Celery's own: its debug logs show message
# bodies.
@after_setup_logger.connect  # type: ignore[untyped-decorator]
@after_setup_task_logger.connect  # type: ignore[untyped-decorator]
def format_logs(logger: logging.Logger, **_: Any) -> None:
    """Give the handlers of Celery's logger and of its pool's logger our format, without secrets."""
    for target in (logger, get_multiprocessing_logger()):
        logs.redirect(target, config.settings.LOG_FORMAT)


@celeryd_init.connect  # type: ignore[untyped-decorator]
def leave_out_banner(instance: Any, **_: Any) -> None:
    """If logs are JSON, print no banner, and print the texts at signals as JSON too, so that each line of output is one
    object.
    """
    if config.settings.LOG_FORMAT == "json":
        from celery.apps import worker  # noqa: PLC0415  # only a worker needs it

        instance.quiet = True
        worker.safe_say = _print


def _print(text: str, *_: object) -> None:
    # Called in a signal handler, which must not wait for the lock of a log handler.
    record = logging.LogRecord("celery.apps.worker", logging.WARNING, "", 0, text, None, None)
    os.write(2, f"{logs.JsonFormatter().format(record)}\n".encode())
