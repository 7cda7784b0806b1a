"""Quality gates: their reasons."""

from __future__ import annotations

from reconstruction_operator.contract.outcomes import REASONS
from reconstruction_operator.models.photogrammetry import quality_gates


def test_each_gate_has_a_known_reason() -> None:
    assert all(not gate.reason or gate.reason in REASONS for gate in quality_gates.TABLE)
