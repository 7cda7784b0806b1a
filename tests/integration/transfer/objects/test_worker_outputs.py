"""Results in object storage: files first, the pointer last, and never a mix of two attempts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reconstruction_operator.contract.errors import OvertakenError
from reconstruction_operator.contract.manifest import Manifest, SealedFile
from reconstruction_operator.transfer import outputs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import layout, uploading
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.request import Connection, DeliverRequest
from reconstruction_operator.transfer.runs import EVERY_ATTEMPT, Run

from tests.support.servers.objects import Bucket
from tests.support.settings import configure

JOB = "job1"
LARGE = (16 << 20) + 1  # is sent in parts


def seal(folder: Path, attempt: int = 1, **files: bytes) -> Path:
    """A sealed result with those files; the names have `_` for their dot."""
    folder.mkdir(exist_ok=True)
    described = []
    for name, content in (files or {"model_glb": b"mesh", "preview_png": b"picture"}).items():
        path = folder / name.replace("_", ".")
        path.write_bytes(content)
        described.append(SealedFile(path.name, len(content), f"digest of {content[:9]!r}"))
    (folder / "manifest.json").write_text(Manifest(JOB, attempt=attempt, files=tuple(described)).to_text())
    return folder


def deliver(source: Path, bucket: Bucket, attempt: int = 1, *, job: str = JOB, workspace: Path | None = None) -> None:
    run = Run(job, attempt, workspace)
    outputs.deliver(source, f"s3://{bucket.name}/meshes/banana/", run, lambda: None, namespace="maps")


def withdraw(bucket: Bucket, attempt: int = EVERY_ATTEMPT, *, copy: bool = True) -> None:
    run = Run(JOB, attempt, None)
    outputs.withdraw(f"s3://{bucket.name}/meshes/banana/", run, namespace="maps", copy=copy)


def read(bucket: Bucket) -> dict[str, bytes]:
    """The result as a reader finds it: the pointer first, then the files of its folder."""
    folder = json.loads(bucket.get("meshes/banana/result.json"))["folder"]
    prefix = f"meshes/banana/{folder}"
    return {key.removeprefix(prefix): bucket.get(key) for key in bucket.keys if key.startswith(prefix)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_files_are_delivered_and_the_pointer_names_their_folder(bucket: Bucket, tmp_path: Path) -> None:
    result = seal(tmp_path / "result")
    deliver(result, bucket)
    assert read(bucket) == contents(result)
    pointer = json.loads(bucket.get("meshes/banana/result.json"))
    assert pointer["manifest"] == pointer["folder"] + "manifest.json"
    assert (pointer["jobId"], pointer["attempt"]) == (JOB, 1)


def test_a_large_file_is_sent_in_parts(bucket: Bucket, tmp_path: Path) -> None:
    result = seal(tmp_path / "result", model_glb=bytes(LARGE))
    deliver(result, bucket)
    assert read(bucket) == contents(result)


def test_an_upload_reports_its_progress(bucket: Bucket, tmp_path: Path) -> None:
    said: list[str] = []
    result = seal(tmp_path / "result", model_glb=bytes(LARGE))
    uri = f"s3://{bucket.name}/meshes/"
    outputs.deliver(
        result, uri, Run(JOB, 1, None), lambda: None, namespace="maps", tick=lambda _, text: said.append(text)
    )
    assert said[-1] == "16 of 16 MB delivered"


def test_a_repeated_delivery_sends_only_what_is_missing(bucket: Bucket, tmp_path: Path) -> None:
    result = seal(tmp_path / "result")
    deliver(result, bucket)
    (mesh,) = (key for key in bucket.keys if key.endswith("model.glb"))
    (preview,) = (key for key in bucket.keys if key.endswith("preview.png"))
    bucket.put(mesh, b"MESH")  # of the same size: it shows whether it was sent again
    bucket.delete(preview)
    deliver(result, bucket)
    assert bucket.get(mesh) == b"MESH"
    assert bucket.get(preview) == b"picture"


def test_a_later_attempt_replaces_the_result_of_an_earlier_one(bucket: Bucket, tmp_path: Path) -> None:
    deliver(seal(tmp_path / "first", 1, model_glb=b"old", old_png=b"1"), bucket, 1)
    second = seal(tmp_path / "second", 2, model_glb=b"new")
    deliver(second, bucket, 2)
    assert read(bucket) == contents(second)
    assert len(bucket.keys) == 3


def test_an_earlier_attempt_is_overtaken_by_a_later_one(bucket: Bucket, tmp_path: Path) -> None:
    second = seal(tmp_path / "second", 2, model_glb=b"new")
    deliver(second, bucket, 2)
    with pytest.raises(OvertakenError):
        deliver(seal(tmp_path / "first", 1, model_glb=b"old"), bucket, 1)
    assert read(bucket) == contents(second)


def test_an_overtaken_run_deletes_what_it_has_sent_once_its_successor_has_delivered(
    bucket: Bucket, tmp_path: Path
) -> None:
    second = seal(tmp_path / "second", 2, model_glb=b"new")
    deliver(second, bucket, 2)
    bucket.put(f"meshes/banana/{JOB}/1-0123/model.glb", b"sent after its successor had looked")
    with pytest.raises(OvertakenError):
        deliver(seal(tmp_path / "first", 1, model_glb=b"old"), bucket, 1)
    assert read(bucket) == contents(second)
    assert len(bucket.keys) == 3


def test_a_run_whose_workspace_is_deleted_does_not_move_the_pointer(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(OvertakenError):
        deliver(seal(tmp_path / "result"), bucket, workspace=tmp_path / "deleted")
    assert "meshes/banana/result.json" not in bucket.keys


def test_a_run_that_was_overtaken_after_it_moved_the_pointer_deletes_nothing(bucket: Bucket, tmp_path: Path) -> None:
    workspace, theirs = tmp_path / "workspace", f"meshes/banana/{JOB}/1-0123/model.glb"
    workspace.mkdir()

    def report(objects: int, *_: int) -> None:
        if objects and workspace.exists():  # the pointer is written; another run of the same attempt takes over
            workspace.rmdir()
            bucket.put(theirs, b"theirs")

    address = ObjectAddress("s3", bucket.name, "meshes/banana", is_folder=True)
    source = seal(tmp_path / "result")
    uploading.deliver(DeliverRequest(address, JOB, 1, workspace, source, Connection(60.0, 1, "")), source, report)
    assert bucket.get(theirs) == b"theirs"


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        pytest.param("meshes/banana/other.txt", b"x", "holds no result of this job", id="a file"),
        pytest.param("meshes/banana/sub/other.txt", b"x", "holds no result of this job", id="a folder"),
        pytest.param("meshes/banana/result.json", b"{}", "is not a result of this operator", id="a foreign pointer"),
        pytest.param(
            "meshes/banana/result.json",
            layout.Pointer("job2", 1, "job2/1-a/").to_bytes(),
            "is the result of another job",
            id="another job's result",
        ),
    ],
)
def test_an_address_with_foreign_content_is_refused_before_the_work(
    key: str, content: bytes, message: str, bucket: Bucket
) -> None:
    bucket.put(key, content)
    with pytest.raises(StorageError, match=rf"OUTPUT_REFUSED: .*{message}"):
        outputs.check(f"s3://{bucket.name}/meshes/banana", Run(JOB, 1, None), namespace="maps", check=lambda: None)
    assert bucket.keys == [key]


def test_a_check_writes_nothing_that_stays(bucket: Bucket) -> None:
    outputs.check(f"s3://{bucket.name}/meshes/banana", Run(JOB, 1, None), namespace="maps", check=lambda: None)
    assert bucket.keys == []


def test_the_probe_of_a_killed_worker_is_deleted_by_a_delivery(bucket: Bucket, tmp_path: Path) -> None:
    probe = f"meshes/banana/{JOB}/{layout.probe_of(1)}"
    bucket.put(probe, b"")
    deliver(seal(tmp_path / "result", 2), bucket, 2)
    assert probe not in bucket.keys


def test_a_withdrawal_deletes_the_pointer_and_all_files(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("meshes/bananas.txt", b"of others")
    deliver(seal(tmp_path / "result"), bucket)
    withdraw(bucket)
    withdraw(bucket)
    assert bucket.keys == ["meshes/bananas.txt"]


def test_a_withdrawal_without_the_copy_deletes_only_what_no_pointer_names(bucket: Bucket, tmp_path: Path) -> None:
    result = seal(tmp_path / "result")
    deliver(result, bucket)
    bucket.put(f"meshes/banana/{JOB}/1-0123/model.glb", b"of a killed worker")
    withdraw(bucket, copy=False)
    assert read(bucket) == contents(result)
    assert len(bucket.keys) == 4


def test_a_withdrawal_leaves_the_result_of_a_later_attempt(bucket: Bucket, tmp_path: Path) -> None:
    result = seal(tmp_path / "result", 2)
    deliver(result, bucket, 2)
    withdraw(bucket, 1)
    assert read(bucket) == contents(result)


def test_a_withdrawal_of_an_overtaken_run_leaves_the_result_of_its_successor(bucket: Bucket, tmp_path: Path) -> None:
    result = seal(tmp_path / "result")
    deliver(result, bucket)  # by another run of the same attempt, which has deleted the workspace of the first
    with pytest.raises(OvertakenError):
        outputs.withdraw(f"s3://{bucket.name}/meshes/banana/", Run(JOB, 1, tmp_path / "deleted"), namespace="maps")
    assert read(bucket) == contents(result)


def test_a_withdrawal_from_a_server_that_does_not_answer_is_to_be_repeated(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    configure(monkeypatch, STORAGE_STALL_SECONDS=0.3)
    with pytest.raises(
        OSError, match=r"s3://bucket-\d+/meshes/banana/ cannot be written: the server accepts no connections"
    ):
        withdraw(bucket)


def test_a_withdrawal_from_a_bucket_that_was_deleted_is_done(bucket: Bucket) -> None:
    outputs.withdraw("s3://nowhere-at-all/a/", Run(JOB, 1, None), namespace="maps")


def test_a_missing_bucket_is_refused(bucket: Bucket) -> None:
    with pytest.raises(StorageError, match=r"OUTPUT_REFUSED: .* bucket nowhere-at-all does not exist"):
        outputs.check("s3://nowhere-at-all/a/", Run(JOB, 1, None), namespace="maps", check=lambda: None)


def test_a_server_that_does_not_answer_fails_the_upload(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    configure(monkeypatch, STORAGE_STALL_SECONDS=0.3)  # ten times that for uploads; the client itself retries for less
    with pytest.raises(
        StorageError, match=r"OUTPUT_UPLOAD_FAILED: .* cannot be written: the server accepts no connections"
    ):
        deliver(seal(tmp_path / "result"), bucket)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        pytest.param("s3://meshes/other/a/", "namespace maps may not write to s3://meshes/other/a/", id="not granted"),
        pytest.param("gs://meshes/maps/a/", "gs:// is not enabled", id="not enabled"),
        pytest.param("s3://meshes/maps/../a/", "contains an empty name, '.' or '..'", id="upwards"),
    ],
)
def test_places_that_are_not_allowed_are_refused(uri: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, STORAGE_SCHEMES=("s3",), NAMESPACE_OUTPUTS=(("*", "s3://meshes/{namespace}/"),))
    with pytest.raises(StorageError, match="OUTPUT_REFUSED") as caught:
        outputs.check(uri, Run(JOB, 1, None), namespace="maps", check=lambda: None)
    assert message in caught.value.message


def test_the_result_of_a_job_that_is_taken_over_is_replaced_and_deleted(bucket: Bucket, tmp_path: Path) -> None:
    deliver(seal(tmp_path / "first"), bucket)
    folder = json.loads(bucket.get("meshes/banana/result.json"))["folder"]
    again = seal(tmp_path / "again")
    path = again / "manifest.json"
    path.write_text(path.read_text().replace(JOB, "heir"))
    uri, run = f"s3://{bucket.name}/meshes/banana/", Run("heir", 1, None, frozenset({JOB}))
    outputs.check(uri, run, namespace="maps", check=lambda: None)

    outputs.deliver(again, uri, run, lambda: None, namespace="maps")

    assert read(bucket) == contents(again)
    assert json.loads(bucket.get("meshes/banana/result.json"))["jobId"] == "heir"
    assert [key for key in bucket.keys if key.startswith(f"meshes/banana/{folder}")] == []
