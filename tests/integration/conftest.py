"""Fixtures of the tests with processes and servers of their own, without a control plane: `make test` runs them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="module")
def _settings(fast_settings: None) -> None:
    """Give all tests settings with short intervals."""
