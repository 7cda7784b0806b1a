"""Preflight program: its results."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Usability
from reconstruction_operator.jobfiles import publishing
from reconstruction_operator.worker import preflight_program

from tests.support.paths import PHOTOS
from tests.support.refs import make_attempt
from tests.support.settings import configure


@pytest.fixture
def photos(tmp_path: Path, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "photos"
    shutil.copytree(PHOTOS / "lund", root / "lund")
    configure(monkeypatch, INPUT_ROOTS=(str(root),), RECONSTRUCTION_SIMULATE="never")
    return root


def check(uri: str, model: str = "photogrammetry", **parameters: object) -> Checked:
    return preflight_program.perform(
        CheckRequest(make_attempt("uid", namespace="team").job, "token", model, uri, parameters)
    )


def test_a_check_writes_no_files(photos: Path) -> None:
    before = sorted(photos.rglob("*"))
    check(f"file://{photos}/lund")
    assert sorted(photos.rglob("*")) == before


@pytest.mark.parametrize(
    ("uri", "model", "parameters", "reason"),
    [
        pytest.param("file:///none", "photogrammetry", {}, "INPUT_REFUSED", id="refused"),
        pytest.param("file://{photos}/none", "photogrammetry", {}, "INPUT_NOT_FOUND", id="missing"),
        pytest.param("file://{photos}/empty", "photogrammetry", {}, "TOO_FEW_IMAGES", id="empty"),
        pytest.param("file://{photos}/lund", "photogrammetry", {"quality": 5}, "INVALID_PARAMETERS", id="parameters"),
        pytest.param("s3://bucket/photos/", "photogrammetry", {}, "INPUT_REFUSED", id="a scheme that is off"),
    ],
)
def test_an_input_that_no_other_try_could_use_is_unusable(
    uri: str, model: str, parameters: dict[str, object], reason: str, *, photos: Path
) -> None:
    (photos / "empty").mkdir()
    checked = check(uri.format(photos=photos), model, **parameters)
    assert (checked.usability, checked.reason) == (Usability.UNUSABLE, reason)
    assert checked.message


def test_a_result_that_another_worker_could_change_is_unknown(photos: Path) -> None:
    checked = check(f"file://{photos}/lund", "no-such-model")
    assert (checked.usability, checked.reason) == (Usability.UNKNOWN, "BACKEND_UNAVAILABLE")


def test_simulated_runs_need_no_input(photos: Path) -> None:
    assert check("file:///none", "placeholder").usability is Usability.USABLE


def test_a_job_that_has_its_result_needs_no_input(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = Manifest(make_attempt("uid"), model="photogrammetry")
    monkeypatch.setattr(publishing, "read_sealed", lambda _: sealed)
    assert check(f"file://{photos}/none").usability is Usability.USABLE
