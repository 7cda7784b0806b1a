"""Deletions that hang."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from reconstruction_operator.worker.deleting import hanging, process

from devcluster.files import CHECKOUT


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Nothing is remembered from one test to the next."""
    yield
    with hanging._places.held() as places:
        places.clear()


@pytest.fixture
def stuck() -> Iterator[pytest.MonkeyPatch]:
    """Every deletion hangs at the place of its copy, until this is undone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(process, "_PROGRAM", "stuck_deletion")
        patched.setenv("PYTHONPATH", str(CHECKOUT / "tests" / "data" / "programs"))
        yield patched
