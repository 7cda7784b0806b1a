"""Deletions of copies in the test's process, where faults can be injected."""

from __future__ import annotations

import pytest
from reconstruction_operator.worker.deleting import process
from reconstruction_operator.worker.deleting.process import Withdrawal


def delete_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delete copies in this process."""
    monkeypatch.setattr(process, "perform", Withdrawal.perform)
