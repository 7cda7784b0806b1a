from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="module")
def _settings(fast_settings: None) -> None:
    """All tests have them."""
