"""Local runs: the lines that the caller receives, and the files in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.worker import local

from tests.support.photos import make_photo


def run(photos: list[Path], output: Path, model: str = "placeholder") -> tuple[int, list[dict[str, Any]]]:
    """Return the exit status and the lines."""
    lines: list[dict[str, Any]] = []
    status = local.run(local.LocalRequest(photos, output, model, {}), lambda line: lines.append(dict(line)))
    return status, lines


@pytest.mark.parametrize(
    ("model", "photos", "reason"),
    [
        pytest.param("nothing", ["0.jpg"], "BACKEND_UNAVAILABLE", id="no-such-model"),
        pytest.param("photogrammetry", ["0.jpg"], "TOO_FEW_IMAGES", id="too-few-photos"),
        pytest.param("photogrammetry", ["gone.jpg"], "INPUT_NOT_FOUND", id="no-such-photo"),
    ],
)
def test_a_failed_run_has_a_reason_and_leaves_nothing(
    tmp_path: Path, model: str, photos: list[str], reason: str
) -> None:
    (tmp_path / "0.jpg").write_bytes(make_photo())

    status, lines = run([tmp_path / name for name in photos], tmp_path / "out", model)

    assert (status, lines[-1]["failure"]["reason"]) == (local.FAILED, reason)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["0.jpg", "0.jpg/out", "o" * 300])
def test_an_output_that_cannot_be_made_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "0.jpg").write_bytes(make_photo())

    status, lines = run([tmp_path], tmp_path / name)

    assert (status, lines[-1]["failure"]["reason"]) == (local.FAILED, "OUTPUT_REFUSED")
    assert f"{name} cannot be made: " in lines[-1]["failure"]["message"]


def test_a_run_into_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    status, lines = run([tmp_path], tmp_path)

    assert (status, lines[-1]["failure"]["reason"]) == (local.FAILED, "OUTPUT_REFUSED")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
