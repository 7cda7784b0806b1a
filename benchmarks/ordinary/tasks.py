"""Ordinary worker: a Celery task that reports six steps."""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery

_STEPS = (
    "Loading input files",
    "Validating input quality",
    "Preprocessing images",
    "Running reconstruction",
    "Post-processing mesh",
    "Finalizing",
)

app = Celery("ordinary", broker=os.environ.get("CELERY_BROKER_URL"), backend=os.environ.get("CELERY_RESULT_BACKEND"))


@app.task(bind=True, name="ordinary.process")  # type: ignore[untyped-decorator]
def process(self: Any, job_id: str, _model: str) -> dict[str, str]:
    """Report each step, with a pause of PLACEHOLDER_STEP_SECONDS."""
    pause = float(os.environ.get("PLACEHOLDER_STEP_SECONDS", "0"))
    for index, step in enumerate(_STEPS):
        self.update_state(state="PROGRESS", meta={"step": step, "percent": 100 * index // len(_STEPS)})
        time.sleep(pause)
    return {"job": job_id}
