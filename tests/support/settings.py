"""Settings of one test."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from reconstruction_operator import config


def configure(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """Replace settings until the test ends: `configure(monkeypatch, BEAT_SECONDS=0.1)`."""
    monkeypatch.setattr(config, "settings", dataclasses.replace(config.settings, **values))
