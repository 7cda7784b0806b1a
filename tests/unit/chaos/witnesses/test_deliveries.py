"""Copies at `spec.output`: read from the folders themselves."""

import hashlib
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.manifest import Manifest, SealedFile
from reconstruction_operator.transfer.folders import delivery
from reconstruction_operator.transfer.objects import layout
from reconstruction_operator.transfer.runs import Run

from chaos.system.load import UserJob
from chaos.witnesses.deliveries import Deliveries
from tests.support.settings import configure

UID = "00000000-0000-0000-0000-000000000001"


def job(folder: Path, name: str = "job-1") -> UserJob:
    uri = f"file://{folder / 'red' / name}"
    return UserJob(
        uid=UID, namespace="red", name=name, scenario="steady", backoff_limit=2, created_at=1.0, output_uri=uri
    )


def sealing(mesh: bytes, **more: Any) -> Manifest:
    return Manifest(UID, files=(SealedFile("model.glb", len(mesh), hashlib.sha256(mesh).hexdigest()),), **more)


def deliver(folder: Path, name: str = "job-1", mesh: bytes = b"glTF") -> Path:
    target = folder / "red" / name
    target.mkdir(parents=True, exist_ok=True)
    (target / "model.glb").write_bytes(mesh)
    (target / "manifest.json").write_text(sealing(mesh).to_text())
    return target


def test_complete_copy_has_digest_of_its_manifest_and_no_problem(tmp_path: Path) -> None:
    manifest = deliver(tmp_path) / "manifest.json"

    (there,) = Deliveries(tmp_path, tmp_path / "bucket").there([job(tmp_path)]).values()

    assert (there.job_id, there.problem, there.uri) == (UID, "", job(tmp_path).output_uri)
    assert there.digest == hashlib.sha256(manifest.read_bytes()).hexdigest()


def test_damaged_missing_or_extra_file_and_missing_manifest_are_problems(tmp_path: Path) -> None:
    for name in ("damaged", "missing", "more", "unsealed", "empty"):
        deliver(tmp_path, name)
    (tmp_path / "red" / "damaged" / "model.glb").write_bytes(b"GLtf")
    (tmp_path / "red" / "missing" / "model.glb").unlink()
    (tmp_path / "red" / "more" / "core").write_bytes(b"")
    (tmp_path / "red" / "unsealed" / "manifest.json").unlink()
    shutil.rmtree(tmp_path / "red" / "empty")

    def problem(name: str) -> str | None:
        there = Deliveries(tmp_path, tmp_path / "bucket").there([job(tmp_path, name)]).get(UID)
        return None if there is None else there.problem

    assert problem("damaged") == "['model.glb'] differ from the manifest"
    assert problem("missing") == "['model.glb'] differ from the manifest"
    assert problem("more") == "['core'] are not in the manifest"
    assert problem("unsealed") == "the copy has no manifest"
    assert problem("empty") is None


def test_hidden_folders_are_those_of_a_worker_that_is_delivering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, OUTPUT_ROOTS=(str(tmp_path),))
    source = deliver(tmp_path, "source")
    mine, another = job(tmp_path), replace(job(tmp_path), uid=UID.replace("1", "2"))
    seen: list[dict[str, list[str]]] = []

    def look() -> None:
        seen.append(Deliveries(tmp_path, tmp_path / "bucket").hidden([mine, another]))

    delivery.deliver(source, mine.output_uri, Run(UID, 1, source), look)

    assert [len(names) for names in seen[0].values()] == [1, 0]
    assert Deliveries(tmp_path, tmp_path / "bucket").hidden([mine, another]) == {UID: [], another.uid: []}


def deliver_object(bucket: Path, attempt: int, mesh: bytes = b"glTF") -> Path:
    """Write a result into the bucket as a worker delivers it, and return the job's folder."""
    place = bucket / "red" / "job-1"
    manifest = sealing(mesh, attempt=attempt)
    folder = place / layout.folder_of(manifest)
    folder.mkdir(parents=True)
    (folder / "model.glb").write_bytes(mesh)
    (folder / "manifest.json").write_text(manifest.to_text())
    (place / "result.json").write_bytes(layout.Pointer.of(manifest).to_bytes())
    return place


@pytest.fixture
def in_bucket(tmp_path: Path) -> UserJob:
    return replace(job(tmp_path), output_uri="s3://bucket/red/job-1/")


def test_the_pointer_names_the_result_in_a_bucket(tmp_path: Path, in_bucket: UserJob) -> None:
    bucket = tmp_path / "bucket"
    deliver_object(bucket, 1)
    place = deliver_object(bucket, 2, b"another")
    (there,) = Deliveries(tmp_path, bucket).there([in_bucket]).values()
    pointed = layout.Pointer.parse((place / "result.json").read_bytes())
    assert pointed is not None
    assert (there.job_id, there.problem, there.uri) == (UID, "", f"s3://bucket/red/job-1/{pointed.folder}")
    (left, mesh) = Deliveries(tmp_path, bucket).hidden([in_bucket])[UID]
    assert left.startswith(f"{UID}/1-")
    assert mesh.startswith(f"{UID}/1-")


def test_objects_without_a_complete_result_are_problems(tmp_path: Path, in_bucket: UserJob) -> None:
    def problem() -> str | None:
        there = Deliveries(tmp_path, tmp_path / "bucket").there([in_bucket]).get(UID)
        return None if there is None else there.problem

    assert problem() is None
    place = deliver_object(tmp_path / "bucket", 1)
    assert problem() == ""
    (mesh,) = place.glob("*/*/model.glb")
    mesh.write_bytes(b"GLtf")
    assert problem() == "['model.glb'] differ from the manifest"
    mesh.with_name("manifest.json").unlink()
    assert "which has no manifest" in str(problem())
    (place / "result.json").unlink()
    assert problem() == "there are objects, but no pointer"


def test_a_result_in_a_bucket_is_kept_once(tmp_path: Path, in_bucket: UserJob) -> None:
    watched = Deliveries(tmp_path, tmp_path / "bucket")
    deliver_object(tmp_path / "bucket", 1)
    watched.poller.start()
    watched.poller.stop()  # looks once more
    (found,) = watched.found([in_bucket])[UID]
    assert found.problem == ""


def test_every_state_of_a_copy_is_kept_in_order(tmp_path: Path) -> None:
    watched, its_job = Deliveries(tmp_path, tmp_path / "bucket"), job(tmp_path)

    def wait_for(count: int) -> None:
        deadline = time.monotonic() + 20
        while len(watched.found([its_job])[UID]) < count and time.monotonic() < deadline:
            time.sleep(0.05)

    deliver(tmp_path)
    watched.poller.start()
    wait_for(1)
    deliver(tmp_path, mesh=b"another")
    wait_for(2)
    watched.poller.stop()

    found = watched.found([its_job])[UID]
    assert len({one.digest for one in found}) == 2
    assert found[-1].digest == watched.there([its_job])[UID].digest
