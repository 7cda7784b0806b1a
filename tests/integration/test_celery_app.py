"""The Celery application in a new process: its imports, and the redaction of its loggers."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_application_imports_neither_tasks_nor_worker() -> None:
    code = (
        "import sys, reconstruction_operator.celery_app as module\n"
        "print([name for name in sys.modules if name.startswith(('reconstruction_operator.tasks', "
        "'reconstruction_operator.worker', 'kopf'))])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_logger_of_a_worker_is_redacted() -> None:
    code = (
        "import logging\n"
        "from reconstruction_operator.celery_app import app\n"
        "app.log.setup('DEBUG')\n"
        "for name in ('', 'celery.task', 'multiprocessing'):\n"
        "    logging.getLogger(name).error('redis://:s3cret@host/0')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.count("redis://***@host/0") == 3
    assert "s3cret" not in done.stderr + done.stdout
