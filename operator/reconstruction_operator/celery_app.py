"""The Celery application: `celery -A reconstruction_operator.celery_app worker`.

A plain worker consumes `<pool>-high`, `<pool>` and `<pool>-low` of the pools in `config.settings.WORKER_POOLS`, in that order. The
tasks are imported by the worker when it starts, so that the operator's image can import this module without them.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger
from celery.utils.log import get_multiprocessing_logger

from reconstruction_operator.broker import celery_settings
from reconstruction_operator.telemetry import logs

app = Celery("reconstruction_operator")
app.conf.update(celery_settings.settings())


# Here and not beside the tasks: whatever a process of this application logs at any level, a message with its job's input too.
@after_setup_logger.connect  # type: ignore[untyped-decorator]
@after_setup_task_logger.connect  # type: ignore[untyped-decorator]
def keep_secrets_out_of_logs(logger: logging.Logger, **_: Any) -> None:
    """Celery has set up the handlers of `logger`, and before those of its pool's."""
    for one in (logger, get_multiprocessing_logger()):
        logs.redact_handlers(one)
