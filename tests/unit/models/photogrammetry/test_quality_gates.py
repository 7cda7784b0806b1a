"""Quality gates: the number of photos to align, and their reasons."""

from __future__ import annotations

import pytest
from reconstruction_operator.contract.outcomes import REASONS
from reconstruction_operator.models.photogrammetry import quality_gates


@pytest.mark.parametrize(("count", "needed"), [(3, 3), (7, 3), (8, 4), (10, 4), (16, 7), (200, 80)])
def test_at_least_three_and_two_fifths_of_the_photos_must_be_aligned(count: int, needed: int) -> None:
    assert quality_gates.fewest_aligned(count) == needed


def test_each_gate_has_a_known_reason() -> None:
    assert all(not gate.reason or gate.reason in REASONS for gate in quality_gates.TABLE)
