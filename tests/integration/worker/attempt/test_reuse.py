"""Reuse: a job that is created again takes over the result of the earlier job, if photos, model and parameters are
unchanged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from reconstruction_operator.jobfiles import trash, trashed
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.models import registry
from reconstruction_operator.worker.attempt import reuse
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from tests.support.archives import zipped
from tests.support.photos import make_photo
from tests.support.settings import configure
from tests.support.worker.attempts import JOB, end, run, want

pytestmark = pytest.mark.usefixtures("wanted")

AGAIN = "7f3d2b10-again"
MODEL = "rough-versioned"
Attempt = Callable[..., dict[str, Any]]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "photos" / "set"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name}.jpg").write_bytes(make_photo())
    configure(monkeypatch, INPUT_ROOTS=(str(folder.parent),))
    return folder


@pytest.fixture
def attempt(client: redis.Redis, photos: Path) -> Attempt:
    """Run an attempt of a job default/banana, which reads those photos."""

    def perform(job_id: str, **envelope: Any) -> dict[str, Any]:
        want(client, 1, job_id)
        about = {"namespace": "default", "namespace_uid": "ns-1", "name": "banana", "reuse": "IfUnchanged"}
        about["input_uri"] = f"file://{photos}"
        return run(job_id=job_id, **({"model": MODEL} | about | envelope))

    return perform


def runs(pids: Path) -> int:
    """Return how often the model has run."""
    return len(list(pids.iterdir()))


def contents(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.iterdir() if path.name != "manifest.json"}


def maker(client: redis.Redis, job_id: str = AGAIN) -> tuple[str, int | None] | None:
    """Return uid and attempt of the job whose result was taken over."""
    source = end(client, job_id=job_id).reused_from
    return None if source is None else (source.uid, source.attempt)


def test_the_same_job_takes_over_the_result_without_a_run(
    attempt: Attempt, client: redis.Redis, jobs_dir: Path, rough_models: Path
) -> None:
    attempt(JOB)
    attempt(AGAIN, retain_seconds=60)
    assert runs(rough_models) == 1
    before, after = jobs_dir / JOB / "output", jobs_dir / AGAIN / "output"
    assert contents(before) == contents(after)
    manifest = json.loads((after / "manifest.json").read_text())
    assert (manifest["attempt"]["job"]["uid"], manifest["retainSeconds"]) == (AGAIN, 60)
    recorded = end(client, job_id=AGAIN)
    assert maker(client) == (JOB, 1)
    assert recorded.outputs is not None
    assert recorded.outputs.uri == f"file://{after}"
    assert recorded.findings.inputs == end(client).findings.inputs
    assert maker(client, JOB) is None


def test_an_archive_of_the_same_photos_is_the_same_input(
    attempt: Attempt, photos: Path, jobs_dir: Path, rough_models: Path
) -> None:
    attempt(JOB)
    packed = zipped(*((path.name, path.read_bytes()) for path in sorted(photos.iterdir())))
    (photos.parent / "set.zip").write_bytes(packed)
    attempt(AGAIN, input_uri=f"file://{photos.parent}/set.zip")
    assert runs(rough_models) == 1
    assert json.loads((jobs_dir / AGAIN / "output" / "manifest.json").read_text())["reusedFrom"]["uid"] == JOB


def written_parameters(namespace: str) -> list[object]:
    """Return the parameters of each job that takes over a result in the trash."""
    results = map(trash.restorable, trashed.of_namespace(namespace))
    return [result.job["spec"]["parameters"] for result in results if result is not None]


@pytest.mark.usefixtures("rough_models")
def test_a_restored_job_has_the_parameters_that_its_author_wrote(
    attempt: Attempt, client: redis.Redis, jobs_dir: Path
) -> None:
    """Without the defaults of the model, which would stay when the job runs again with another quality."""
    attempt(JOB, model="rough-detailed", parameters={"quality": "preview", "seed": 3})
    sealed = json.loads((jobs_dir / JOB / "output" / "manifest.json").read_text())
    assert sealed["parameters"] == {"quality": "preview", "maxImageSize": 900, "seed": 3}
    assert trash.keep(JobFolder.of(JOB), 2e9)
    assert written_parameters("default") == [{"quality": "preview", "seed": 3}]

    attempt(AGAIN, model="rough-detailed", reuse="Required")
    assert maker(client) == (JOB, 1)
    assert trash.keep(JobFolder.of(AGAIN), 2e9)
    assert written_parameters("default") == [{"quality": "preview", "seed": 3}] * 2


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"reuse": "Never"}, id="never"),
        pytest.param({"reuse": ""}, id="an-operator-of-the-previous-version"),
        pytest.param({"name": "other"}, id="another-name"),
        pytest.param({"namespace": "other"}, id="another-namespace"),
        pytest.param({"namespace_uid": "ns-2"}, id="a-later-namespace-of-that-name"),
        pytest.param({"namespace_uid": ""}, id="a-namespace-whose-uid-is-not-known"),
        pytest.param({"parameters": {"quality": "high"}}, id="other-parameters"),
        pytest.param({"model": "rough-good"}, id="another-model"),
    ],
)
def test_a_job_with_another_spec_runs(
    changed: dict[str, Any], attempt: Attempt, client: redis.Redis, rough_models: Path
) -> None:
    attempt(JOB)
    attempt(AGAIN, **changed)
    assert maker(client) is None
    assert runs(rough_models) == (1 if "model" in changed else 2)


def _replace(photo: Path) -> None:
    content = bytearray(photo.read_bytes())
    content[content.index(b"\xff\xdb") + 9] ^= 0x40  # in a quantization table: the photo can still be decoded
    photo.write_bytes(content)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder, _: (folder / "b.jpg").rename(folder / "c.jpg"), id="a-renamed-photo"),
        pytest.param(lambda folder, _: _replace(folder / "b.jpg"), id="one-byte-of-the-same-size"),
        pytest.param(
            lambda _, patch: patch.setattr(registry, "version", lambda _: "2026-12"), id="another-model-version"
        ),
    ],
)
def test_changed_photos_or_model_versions_run(
    change: Callable[[Path, pytest.MonkeyPatch], object],
    *,
    attempt: Attempt,
    photos: Path,
    rough_models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt(JOB)
    change(photos, monkeypatch)
    attempt(AGAIN)
    assert runs(rough_models) == 2


def test_a_result_in_the_trash_is_taken_over(attempt: Attempt, jobs_dir: Path, rough_models: Path) -> None:
    attempt(JOB)
    assert trash.keep(JobFolder.of(JOB), until=2e9)
    attempt(AGAIN)
    assert runs(rough_models) == 1
    assert (jobs_dir / AGAIN / "output" / "model.glb").read_bytes() == b"glTF"
    assert trashed.find("default", JOB) is not None


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda output: (output / "model.glb").write_bytes(b"glTX"), id="another-content"),
        pytest.param(lambda output: (output / "preview_0.png").unlink(), id="a-file-missing"),
        pytest.param(lambda output: (output / "manifest.json").unlink(), id="not-sealed"),
    ],
)
def test_a_damaged_result_is_not_taken_over(
    spoil: Callable[[Path], object], attempt: Attempt, jobs_dir: Path, rough_models: Path
) -> None:
    attempt(JOB)
    spoil(jobs_dir / JOB / "output")
    attempt(AGAIN)
    assert runs(rough_models) == 2
    assert (jobs_dir / AGAIN / "output" / "model.glb").read_bytes() == b"glTF"


def test_files_that_a_manifest_names_outside_its_folder_are_not_taken_over(
    attempt: Attempt, jobs_dir: Path, tmp_path: Path, rough_models: Path
) -> None:
    attempt(JOB)
    (tmp_path / "secret").write_bytes(b"glTF")
    path = jobs_dir / JOB / "output" / "manifest.json"
    path.write_text(path.read_text().replace('"name": "model.glb"', '"name": "../../../secret"'))
    attempt(AGAIN)
    assert runs(rough_models) == 2


@pytest.mark.parametrize(
    ("change", "number"),
    [
        pytest.param(lambda folder: (folder.output / "model.glb").unlink(), 2, id="deleted"),
        pytest.param(lambda folder: trash.keep(folder, until=2e9), 1, id="moved-to-the-trash"),
    ],
)
def test_a_result_may_vanish_while_it_is_compared(
    change: Callable[[JobFolder], object],
    number: int,
    *,
    attempt: Attempt,
    rough_models: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt(JOB)
    take_over = reuse.take_over

    def vanish(*args: Any) -> object:
        change(JobFolder.of(JOB))
        return take_over(*args)

    monkeypatch.setattr(reuse, "take_over", vanish)
    attempt(AGAIN)
    assert runs(rough_models) == number


def test_a_disk_without_hard_links_gets_a_copy(
    attempt: Attempt, jobs_dir: Path, rough_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt(JOB)

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    attempt(AGAIN)
    first, second = (jobs_dir / job / "output" / "model.glb" for job in (JOB, AGAIN))
    assert (runs(rough_models), second.read_bytes()) == (1, b"glTF")
    assert first.stat().st_ino != second.stat().st_ino


def test_a_result_that_is_taken_over_again_names_its_first_job(
    attempt: Attempt, client: redis.Redis, rough_models: Path
) -> None:
    attempt(JOB)
    attempt("second")
    attempt("third")
    assert maker(client, "third") == (JOB, 1)


def test_a_simulated_result_is_not_taken_over_for_a_real_one(
    attempt: Attempt, client: redis.Redis, rough_models: Path
) -> None:
    attempt(JOB, model="placeholder")
    attempt(AGAIN, model="placeholder")
    assert maker(client) is None


def test_the_standing_copy_of_the_earlier_job_is_replaced(attempt: Attempt, meshes: Path, rough_models: Path) -> None:
    uri = f"file://{meshes}/banana"
    attempt(JOB, output_uri=uri)
    attempt(AGAIN, output_uri=uri)
    assert runs(rough_models) == 1
    assert json.loads((meshes / "banana" / "manifest.json").read_text())["attempt"]["job"]["uid"] == AGAIN
    assert [path.name for path in meshes.iterdir()] == ["banana"]


def test_a_standing_copy_is_refused_before_the_work_if_the_photos_have_changed(
    attempt: Attempt, photos: Path, meshes: Path, rough_models: Path
) -> None:
    uri = f"file://{meshes}/banana"
    attempt(JOB, output_uri=uri)
    (photos / "c.jpg").write_bytes(make_photo())
    with pytest.raises(ReconstructionFailedError, match=r"OUTPUT_REFUSED.*holds no result of this job"):
        attempt(AGAIN, output_uri=uri)
    assert runs(rough_models) == 1
    assert json.loads((meshes / "banana" / "manifest.json").read_text())["attempt"]["job"]["uid"] == JOB


def test_a_required_result_is_taken_over_without_photos_or_a_model(
    attempt: Attempt, client: redis.Redis, jobs_dir: Path, rough_models: Path
) -> None:
    attempt(JOB)
    trash.keep(JobFolder.of(JOB), until=2e9)
    attempt(AGAIN, reuse="Required", model="not-installed", input_uri="file:///photos/deleted")
    assert (jobs_dir / AGAIN / "output" / "model.glb").is_file()
    assert maker(client) == (JOB, 1)


def test_a_required_result_that_is_missing_fails_the_job(attempt: Attempt) -> None:
    with pytest.raises(ReconstructionFailedError, match="RESULT_NOT_FOUND: no result of an earlier job default/banana"):
        attempt(JOB, reuse="Required")
