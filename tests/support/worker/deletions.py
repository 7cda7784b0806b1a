"""Deletions of copies in the test's process, where faults can be injected."""

from __future__ import annotations

import pytest
from reconstruction_operator.worker.withdrawal import Withdrawals


def delete_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delete copies in this process."""
    monkeypatch.setattr(Withdrawals, "perform", lambda _, withdrawal: withdrawal.perform())
