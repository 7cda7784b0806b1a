"""Withdrawal program: `python -P -m reconstruction_operator.worker.deleting.program` deletes one job's copies at one address.

It is a separate process because a call on a dead mount never returns.
"""

from __future__ import annotations

from typing import Any

from reconstruction_operator.transfer import programs
from reconstruction_operator.worker.deleting.process import Withdrawal


def perform(withdrawal: Withdrawal, _progress: object) -> dict[str, Any]:
    """Carry out the withdrawal."""
    withdrawal.perform()
    return {}


if __name__ == "__main__":
    programs.serve(perform)
