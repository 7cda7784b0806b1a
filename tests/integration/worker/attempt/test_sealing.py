"""Sealing: what a manifest and the recorded end contain about the run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator.contract.steps import STEPS

from tests.support.worker.attempts import JOB, end, run

pytestmark = pytest.mark.usefixtures("wanted", "rough_models")


def manifest(jobs_dir: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((jobs_dir / JOB / "output" / "manifest.json").read_text())
    return content


def test_a_manifest_has_parameters_versions_timings_and_digests(photos: str, jobs_dir: Path) -> None:
    run(model="rough-good", input_uri=photos, parameters={"detail": 3})
    sealed = manifest(jobs_dir)
    assert sealed["parameters"] == {"detail": 3}
    assert sealed["versions"] == {"model": "1.0", "python": sealed["versions"]["python"], "rough-models": "1.0"}
    assert [step["name"] for step in sealed["steps"]] == [step.name for step in STEPS]
    assert 0 <= sealed["usage"]["cpuSeconds"] < 60
    assert sealed["usage"]["peakMemoryBytes"] > 1 << 20
    assert "resumedFrom" not in sealed
    for file in sealed["files"]:
        content = (jobs_dir / JOB / "output" / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_a_warning_and_the_size_are_in_the_end_and_the_placement_in_the_manifest(
    photos: str, jobs_dir: Path, client: redis.Redis
) -> None:
    run(model="rough-warned", input_uri=photos)
    assert end(client).findings.warning == manifest(jobs_dir)["warning"] == "5 of 9 photos were aligned"
    assert end(client).findings.size == manifest(jobs_dir)["size"] == "1.2 x 0.8 x 0.4 m"
    assert manifest(jobs_dir)["placement"] == {
        "latitude": 52.5,
        "longitude": 13.25,
        "altitude": 35.5,
        "metresPerUnit": 120.0,
        "rotation": [1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0],
    }


def test_weights_are_in_the_manifest_and_a_licence_against_commercial_use_warns(photos: str, jobs_dir: Path) -> None:
    run(model="rough-learned", input_uri=photos)
    sealed = manifest(jobs_dir)
    assert sealed["warning"] == "the licence CC-BY-NC-4.0 of the weights depths forbids commercial use"
    assert sealed["versions"]["weights depths"] == f"sha256:{'0123456789abcdef' * 4}, CC-BY-NC-4.0"
    assert sealed["versions"]["model"] == "1.0+0123456789ab"  # other weights make another result


def test_a_model_without_a_process_of_its_own_has_no_usage(jobs_dir: Path, client: redis.Redis) -> None:
    run()
    assert "usage" not in manifest(jobs_dir)
    assert end(client).findings.usage is None
