"""Hung mounts: which folder is avoided, and for how long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from reconstruction_operator.worker.deleting import hung_mounts


def test_the_folder_of_a_hung_deletion_is_avoided_for_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    hung_mounts.remember(Path("/meshes/dead/banana"), 0)

    avoided = [hung_mounts.above(Path(path)) for path in ("/meshes/dead/apple", "/meshes/dead/a/b", "/meshes/apple")]
    now += 301.0

    assert avoided == [Path("/meshes/dead"), Path("/meshes/dead"), None]
    assert hung_mounts.above(Path("/meshes/dead/apple")) is None
