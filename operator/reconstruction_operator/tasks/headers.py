"""Headers of a message, as the sender or its instrumentation has set them."""

from __future__ import annotations

from celery import Task


def read(task: Task, name: str) -> str:
    """That header of the message that the task carries out; empty if it has none."""
    return str(getattr(task.request, name, None) or (task.request.headers or {}).get(name) or "")
