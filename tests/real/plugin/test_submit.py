"""`submit` and `results`: upload to a bucket, a job on a real system, and the download of its result; checks and dry
runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from tests.support.paths import DATA
from tests.support.plugin import Program, get
from tests.support.servers.objects import S3Server, running_moto
from tests.support.systems import QUICK, ROUGH, SharedSystems, wait_published

PHOTOS = DATA / "photos"


@pytest.fixture(scope="module")
def storage() -> Iterator[S3Server]:
    with running_moto() as running:
        yield running


@pytest.fixture
def system(start_system: SharedSystems, storage: S3Server) -> System:
    started = start_system(QUICK, ROUGH, STORAGE_SCHEMES="s3", **storage.environment)
    wait_published(started, "s3")  # an earlier system of this control plane may have published its own settings
    return started


@pytest.fixture
def recon(jobs: Jobs, storage: S3Server) -> Program:
    """The program, with the user's credentials for the bucket."""
    return Program(jobs.system.cluster.kubeconfig, jobs.namespace, storage.environment)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with four photos."""
    target = tmp_path / "My Banana"
    target.mkdir()
    for path in sorted(PHOTOS.rglob("*.jpg"))[:4]:
        shutil.copy(path, target / f"{path.parent.name}-{path.name}")
    return target


def test_local_photos_become_a_local_result(
    jobs: Jobs, recon: Program, storage: S3Server, folder: Path, tmp_path: Path
) -> None:
    photos = storage.bucket("scans")
    meshes = storage.bucket("models")
    done = recon(
        *("submit", folder, "--upload", "s3://scans/team/", "--model", "rough-good", "--queue", "rough"),
        *("--output", "s3://models/banana/", "--label", "set=museum"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("my-banana: Succeeded, took ")
    assert len(photos.keys) == 4
    assert all(key.startswith("team/my-banana/") for key in photos.keys)
    job = jobs.get("my-banana")
    assert job["spec"]["input"]["uri"] == "s3://scans/team/my-banana/"
    assert job["metadata"]["labels"] == {"set": "museum"}
    assert job["status"]["inputs"]["images"] == 4
    fetched = recon("results", "@latest", "-o", tmp_path / "out")
    assert fetched.returncode == 0, fetched.stderr
    named = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    pointer = next(key for key in meshes.keys if key.endswith("manifest.json")).rpartition("/")[0]
    delivered = {key.removeprefix(f"{pointer}/") for key in meshes.keys if key.startswith(f"{pointer}/")}
    assert len(named) == len(delivered - {"manifest.json"}) > 0


def test_added_photos_lie_beside_copies_of_the_finished_jobs(
    jobs: Jobs, recon: Program, storage: S3Server, folder: Path, tmp_path: Path
) -> None:
    photos = storage.bucket("growing")
    new = tmp_path / "new"
    new.mkdir()
    for path in sorted(folder.iterdir())[:1]:
        path.rename(new / path.name)
    options = ("--model", "rough-good", "--queue", "rough")
    first = recon("submit", folder, "--upload", "s3://growing/team/", "--name", "vase", *options)
    assert first.returncode == 0, first.stderr
    done = recon("add", "vase", new, "--follow")
    assert done.returncode == 0, done.stderr
    assert "input.uri: s3://growing/team/vase/ -> s3://growing/team/vase-2/" in done.stderr + done.stdout
    assert jobs.get("vase-2")["status"]["inputs"]["images"] == 4
    assert len([key for key in photos.keys if key.startswith("team/vase-2/")]) == 4
    again = recon("add", "vase-2", new)
    assert (again.returncode, "has all these photos already" in again.stderr) == (2, True)


def test_photos_that_are_not_in_a_bucket_are_not_added_to(jobs: Jobs, recon: Program, folder: Path) -> None:
    jobs.create_in("Succeeded", "mounted")
    refused = recon("add", "mounted", folder)
    assert refused.returncode == 2
    assert f"kubectl recon submit OLD {folder}" in refused.stderr


def test_a_photo_set_that_would_fail_is_rejected_before_the_upload(jobs: Jobs, recon: Program, folder: Path) -> None:
    for path in sorted(folder.iterdir())[:2]:
        path.unlink()
    done = recon("submit", folder, "--upload", "s3://unused/")
    assert done.returncode == 2
    assert "error: 2 photos: at least 3 are needed" in done.stderr
    assert "fix it, or add --force" in done.stderr
    assert recon("get", "-o", "name").stdout == ""


def test_without_an_upload_address_submit_explains_the_options(recon: Program, folder: Path) -> None:
    done = recon("submit", folder)
    assert done.returncode == 2
    assert "--upload s3://BUCKET/FOLDER/" in done.stderr
    assert f"file://{folder}" in done.stderr


def test_a_dry_run_prints_the_manifest_and_creates_nothing(recon: Program, folder: Path) -> None:
    done = recon(
        *("submit", folder, "--upload", "s3://scans/team/", "--dry-run", "-o", "yaml"),
        *("--quality", "fast", "--param", "faces=5000", "--priority", "high"),
    )
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["spec"] == {
        "input": {"uri": "s3://scans/team/my-banana/"},
        "parameters": {"quality": "fast", "faces": 5000},
        "priority": "high",
    }
    assert "not submitted (dry run)" in done.stderr
    assert recon("get", "-o", "name").stdout == ""


def test_a_dry_run_without_an_upload_address_is_checked_by_the_api_server(recon: Program, folder: Path) -> None:
    done = recon("submit", folder, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["spec"] == {"input": {"uri": "file:///photos/my-banana"}}
    assert "cannot be uploaded yet, since there is no gallery" in done.stderr
    assert "not submitted (dry run); the API server accepts it" in done.stderr


def test_a_spec_that_the_api_server_rejects_fails_before_the_upload(recon: Program, folder: Path) -> None:
    done = recon("submit", folder, "--upload", "s3://not-there/", "--queue", "No Queue")
    assert done.returncode == 1
    assert "a queue's name has lower-case letters" in done.stderr


def test_an_address_is_submitted_unchanged_and_the_name_gets_a_number(jobs: Jobs, recon: Program) -> None:
    address = f"file://{PHOTOS}/berlin"
    first = recon("submit", address, "--model", "placeholder", "--no-follow")
    second = recon("submit", address, "--model", "placeholder", "--no-follow")
    assert (first.returncode, second.returncode) == (0, 0)
    assert [jobs.get(name)["spec"]["input"]["uri"] for name in ("berlin", "berlin-2")] == [address, address]
    taken = recon("submit", address, "--name", "berlin", "--upload", "s3://not-there/")
    assert (taken.returncode, "already a job berlin in namespace" in taken.stderr) == (2, True)


def test_without_a_gallery_submit_with_open_serves_the_result(recon: Program) -> None:
    with recon.opening("submit", f"file://{PHOTOS}/berlin", "--model", "placeholder", "--open") as address:
        assert get(address).status == 200
        assert get(f"{address}model-viewer.min.js").headers["Content-Encoding"] == "gzip"
        mesh = get(f"{address}berlin.glb")
        assert (mesh.content[:4], mesh.headers["Content-Type"]) == (b"glTF", "model/gltf-binary")


def test_a_failed_job_sets_the_exit_code_and_points_to_why(recon: Program) -> None:
    done = recon("submit", "file:///nowhere", "--name", "bad")
    assert done.returncode == 3
    assert "Next: kubectl recon why bad" in done.stderr


def test_a_result_on_the_workers_volume_is_read_if_it_is_mounted(jobs: Jobs, recon: Program, tmp_path: Path) -> None:
    jobs.create_in("Succeeded", "good")
    done = recon("results", "good", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").rglob("*.*"))
    waiting = jobs.create_in("Suspended", "sleeping", suspend=True)
    refused = recon("results", waiting)
    assert refused.stderr == "error: sleeping has no result (Suspended): wait for it (kubectl recon wait sleeping)\n"
