"""Message headers, as set by the sender or its instrumentation."""

from __future__ import annotations

from celery import Task


def read(task: Task, name: str) -> str:
    """Return that header of the task's message; empty if it has none."""
    return str(getattr(task.request, name, None) or (task.request.headers or {}).get(name) or "")
