"""Preflight: mistakes show within seconds while all slots of the workers are busy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster.harness.jobs import Jobs, condition
from devcluster.harness.system import System
from tests.support.paths import PHOTOS
from tests.support.systems import SharedSystems, Worker

SECONDS = 30.0  # a guard on a busy machine: a check takes about one


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An input root with: whole, cut (one photo lacks its end), few (two photos and RAW files)."""
    root = tmp_path_factory.mktemp("inputs")
    for name in ("whole", "cut"):
        shutil.copytree(PHOTOS / "lund", root / name)
    last = max((root / "cut").glob("*.jpg"))
    last.write_bytes(last.read_bytes()[:-5000])
    (root / "few").mkdir()
    for source in sorted((PHOTOS / "lund").iterdir())[:2]:
        shutil.copy(source, root / "few")
    (root / "few" / "DSC_1.NEF").touch()
    return root


@pytest.fixture
def system(start_system: SharedSystems, photos: Path) -> System:
    return start_system(Worker(concurrency=1, settings={"INPUT_ROOTS": str(photos)}), PREFLIGHT_SECONDS="0.5")


@pytest.fixture
def busy(jobs: Jobs) -> Iterator[str]:
    """A job that has the only slot."""
    name = jobs.create_in("Running", parameters={"stepSeconds": 60})
    yield name
    jobs.delete(name)


def photogrammetry(jobs: Jobs, photos: Path, folder: str, **spec: Any) -> str:
    return jobs.create(modelType="photogrammetry", input={"uri": f"file://{photos}/{folder}"}, **spec)


@pytest.mark.parametrize(
    ("folder", "reason", "words"),
    [
        pytest.param(
            "hole", "INPUT_NOT_FOUND", ["/hole on this worker; ", " has: cut, few, whole"], id="missing folder"
        ),
        pytest.param("cut", "CORRUPT_IMAGE", ["is truncated"], id="truncated photo"),
        pytest.param("few", "UNSUPPORTED_FORMAT", ["1 .nef (camera RAW)"], id="too few beside RAW"),
        pytest.param("../elsewhere", "INPUT_REFUSED", [], id="not allowed"),
    ],
)
def test_an_unusable_input_fails_its_job_while_all_slots_are_busy(
    folder: str, reason: str, words: list[str], *, jobs: Jobs, busy: str, photos: Path
) -> None:
    uri = f"file://{photos.parent}/elsewhere" if folder.startswith("..") else f"file://{photos}/{folder}"
    name = jobs.create(modelType="photogrammetry", input={"uri": uri})

    job = jobs.wait_finished(name, timeout_seconds=SECONDS)

    failure = job["status"]["failure"]
    assert failure["reason"] == reason
    assert [word for word in words if word not in failure["message"]] == []
    assert condition(job, "InputChecked")["status"] == "False"
    assert "startTime" not in job["status"]
    assert jobs.get(busy)["status"]["phase"] == "Running"


def test_a_usable_input_is_reported_and_its_job_still_waits(jobs: Jobs, busy: str, photos: Path) -> None:
    name = photogrammetry(jobs, photos, "whole")

    job = jobs.wait(name, "checked", lambda job: bool(condition(job, "InputChecked")), timeout_seconds=SECONDS)

    checked = condition(job, "InputChecked")
    assert (checked["status"], checked["reason"]) == ("True", "Usable")
    count = len(list((photos / "whole").glob("*.jpg")))
    assert checked["message"].startswith(f"{count} photos, ")
    assert job["status"]["phase"] in ("Pending", "Queued")
    jobs.delete(name)


def test_parameters_that_no_worker_accepts_fail_the_job_at_once(jobs: Jobs, busy: str, photos: Path) -> None:
    name = photogrammetry(jobs, photos, "whole", parameters={"quality": "best"})

    failure = jobs.wait_finished(name, timeout_seconds=SECONDS)["status"]["failure"]

    assert failure["reason"] == "INVALID_PARAMETERS"
    assert "parameter quality: 'best' was given, allowed is one of preview, fast, standard, high" in failure["message"]
    assert "on worker " in failure["message"]


def test_a_job_that_can_run_at_once_is_not_checked(jobs: Jobs) -> None:
    name = jobs.create()

    assert condition(jobs.wait_finished(name), "InputChecked") == {}
