"""Restore: lists the results in the trash."""

from __future__ import annotations

from pathlib import Path

import pytest
from reconstruction_operator.cli.main import main
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.deletion import delete_job_files
from reconstruction_operator.jobfiles.layout import JobFolder

UNTIL = 1_772_366_400  # 2026-03-01T12:00:00Z


@pytest.fixture(autouse=True)
def _volume(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS_DIR", str(jobs_dir))


def throw_away(job_id: str, name: str = "banana", *, namespace: str = "red", until: int = UNTIL) -> None:
    """Put a result of that job into the trash."""
    output = JobFolder.of(job_id).output
    output.mkdir(parents=True)
    (output / "model.glb").touch()
    sealed = Manifest(
        job_id,
        model="photogrammetry",
        attempt=1,
        owner=Owner.of(job_id, Envelope(namespace=namespace, name=name, queue="gpu")),
        files=manifests.describe_files(output, lambda: None),
    )
    manifests.seal(output, sealed)
    assert delete_job_files(job_id, retain_until=until)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["restore", *arguments]) == 0
    return capsys.readouterr().out


def test_results_in_the_trash_are_listed_with_their_expiry(capsys: pytest.CaptureFixture[str]) -> None:
    throw_away("uid-2", "vase", namespace="blue", until=UNTIL + 60)
    throw_away("uid-1")
    lines = said(capsys, "--list").splitlines()
    assert [line.split() for line in lines] == [
        ["JOB", "UID", "MODEL", "SIZE", "KEPT", "UNTIL"],
        ["red/banana", "uid-1", "photogrammetry", "0.0", "MB", "2026-03-01T12:00:00Z"],
        ["blue/vase", "uid-2", "photogrammetry", "0.0", "MB", "2026-03-01T12:01:00Z"],
    ]
    assert "blue/vase" not in said(capsys, "--list", "--namespace", "red")


def test_an_empty_trash_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--list") == "The trash is empty.\n"
