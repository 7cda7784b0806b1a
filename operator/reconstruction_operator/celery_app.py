"""The Celery application: `celery -A reconstruction_operator.celery_app worker`.

A plain worker consumes `<pool>-high`, `<pool>` and `<pool>-low` of the pools in `config.WORKER_POOLS`, in that order. The
tasks are imported by the worker when it starts, so that the operator's image can import this module without them.
"""

from __future__ import annotations

from celery import Celery

from reconstruction_operator.services import celery_settings

app = Celery("reconstruction_operator")
app.conf.update(celery_settings.settings())
