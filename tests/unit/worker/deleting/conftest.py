"""Deletions that hang."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from reconstruction_operator.worker.deleting import hanging


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Nothing is remembered from one test to the next."""
    yield
    with hanging._places.held() as places:
        places.clear()
