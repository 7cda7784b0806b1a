"""Deletions in the test's own process, where faults can be injected."""

from __future__ import annotations

import pytest
from reconstruction_operator.worker.deleting import process_pool, program
from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.request import DeletionRequest


def _perform(_: DeletionProcess, request: DeletionRequest, _seconds: float) -> bool:
    return program.perform(request, lambda _: None)


def delete_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run deletions in this process instead of a deletion process."""
    monkeypatch.setattr(DeletionProcess, "perform", _perform)
    monkeypatch.setattr(process_pool, "_SHARE_SECONDS", 0.0)  # a paused run must not delay the others
