"""The Celery application: `celery -A reconstruction_operator.celery_app worker`.

A plain worker consumes `<pool>-high`, `<pool>` and `<pool>-low` of the pools in `config.settings.WORKER_POOLS`, in that order.
Only a worker imports the tasks and bootsteps, when it starts: the operator's image has this module but not their dependencies.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import after_setup_logger, after_setup_task_logger
from celery.utils.log import get_multiprocessing_logger

from reconstruction_operator import config
from reconstruction_operator.broker import celery_settings
from reconstruction_operator.telemetry import logs

app = Celery("reconstruction_operator")
try:
    app.conf.update(celery_settings.settings())
except config.InvalidSettingError as error:
    if "celery" not in {Path(sys.argv[0]).name, Path(sys.argv[0]).parent.name}:  # `celery`, `python -m celery`
        raise
    sys.exit(f"reconstruction_operator: {error}")  # the command would print a traceback of 40 lines
for blueprint, steps in celery_settings.BOOTSTEPS.items():
    app.steps[blueprint].update(steps)


# Installed here so that every process of this app redacts, including Celery's own debug logs of message bodies.
@after_setup_logger.connect  # type: ignore[untyped-decorator]
@after_setup_task_logger.connect  # type: ignore[untyped-decorator]
def redact_logs(logger: logging.Logger, **_: Any) -> None:
    """Keep secrets out of the handlers of `logger`, which Celery has set up, and of those of its pool's logger."""
    for target in (logger, get_multiprocessing_logger()):
        logs.redact_handlers(target)
