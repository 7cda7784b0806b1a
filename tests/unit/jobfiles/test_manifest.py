"""Manifest file: it seals a result, which counts only while all its files exist."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from reconstruction_operator.contract.manifest import MANIFEST, Manifest, SealedFile
from reconstruction_operator.jobfiles import manifest as manifests

from tests.support.refs import make_attempt


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A sealed result."""
    (tmp_path / "model.glb").write_text("mesh")
    manifests.seal(tmp_path, Manifest(make_attempt(), files=manifests.describe_files(tmp_path, lambda: None)))
    return tmp_path


def test_regular_files_are_described_meshes_first_and_others_removed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "preview.png").write_text("picture")
    for name in ("model.glb", "a_full.glb"):
        (tmp_path / name).write_text("mesh")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    checks: list[None] = []

    files = manifests.describe_files(tmp_path, lambda: checks.append(None))

    assert [file.name for file in files] == ["model.glb", "a_full.glb", "b/preview.png", "a.txt"]
    assert files[0] == SealedFile("model.glb", 4, hashlib.sha256(b"mesh").hexdigest())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "a_full.glb", "b", "model.glb"]
    assert len(checks) == 4


def test_a_sealed_result_is_read_back(output: Path) -> None:
    manifest = manifests.read(output)
    assert manifest is not None
    assert [manifests.read_sealed(output, job_id) for job_id in ("job", "other")] == [manifest, None]


@pytest.mark.parametrize("lost", ["model.glb", MANIFEST])
def test_a_result_that_lost_a_file_is_not_sealed(output: Path, lost: str) -> None:
    (output / lost).unlink()
    assert manifests.read_sealed(output, "job") is None


def test_an_unreadable_manifest_is_an_error_and_its_result_not_sealed(output: Path) -> None:
    (output / MANIFEST).unlink()
    (output / MANIFEST).mkdir()
    assert manifests.read_sealed(output, "job") is None
    with pytest.raises(IsADirectoryError):
        manifests.read(output)
