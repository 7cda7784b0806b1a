"""The process of the Poisson surface, in place of which a script fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from reconstruction_operator.models.photogrammetry.surface import poisson


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        pytest.param("echo no such luck; exit 3", RuntimeError, "status 3: no such luck", id="with-its-output"),
        pytest.param("echo std::bad_alloc >&2; exit 1", MemoryError, "bad_alloc", id="no-memory"),
        pytest.param("kill -9 $$", MemoryError, "was killed", id="killed-as-by-the-kernel"),
    ],
)
def test_a_failure_of_the_process_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, kind: type[Exception], message: str
) -> None:
    (tmp_path / "python").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(kind, match=message):
        poisson.fit(tmp_path / "points.ply", tmp_path / "surface.ply", 8)
