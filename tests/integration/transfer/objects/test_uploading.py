"""Results in object storage: files first, the pointer last, and never a mix of two attempts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.contract.attempt import SupersededError
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import layout, uploading
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.concurrency import Progress
from reconstruction_operator.transfer.objects.destination import Destination
from reconstruction_operator.transfer.objects.process import ObjectTarget
from reconstruction_operator.transfer.objects.requests import DeliverRequest
from reconstruction_operator.transfer.runs import DeliveringRun

from tests.support.refs import make_attempt
from tests.support.results import JOB, seal
from tests.support.servers.objects import Bucket
from tests.support.settings import configure
from tests.support.transfers import Output, contents

LARGE = (16 << 20) + 1  # is sent in parts


FILES = {"model.glb": b"mesh", "preview.png": b"picture"}


@pytest.fixture
def output(bucket: Bucket) -> Output:
    return Output(bucket, "meshes/banana/")


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return seal(tmp_path / "result", FILES)


def mesh(folder: Path, attempt: int, content: bytes) -> Path:
    """A sealed result with that mesh alone."""
    return seal(folder, {"model.glb": content}, attempt=attempt)


def test_an_upload_reports_its_progress(tmp_path: Path, output: Output) -> None:
    reported: list[str] = []
    result = mesh(tmp_path / "result", 1, bytes(LARGE))
    output.deliver(result, tick=lambda _, text: reported.append(text))
    assert reported[-1] == "16 of 16 MB delivered"


def test_a_repeated_delivery_sends_only_what_is_missing(bucket: Bucket, output: Output, result: Path) -> None:
    output.deliver(result)
    (mesh,) = (key for key in bucket.keys if key.endswith("model.glb"))
    (preview,) = (key for key in bucket.keys if key.endswith("preview.png"))
    bucket.put(mesh, b"MESH")  # of the same size: it shows whether it was sent again
    bucket.delete(preview)
    output.deliver(result)
    assert bucket.get(mesh) == b"MESH"
    assert bucket.get(preview) == b"picture"


def test_a_superseded_run_deletes_its_files_once_its_successor_has_delivered(
    bucket: Bucket, tmp_path: Path, output: Output
) -> None:
    second = mesh(tmp_path / "second", 2, b"new")
    output.deliver(second, 2)
    bucket.put(f"meshes/banana/{JOB}/1-0123/model.glb", b"sent after its successor had looked")
    with pytest.raises(SupersededError):
        output.deliver(mesh(tmp_path / "first", 1, b"old"), 1)
    assert output.read() == contents(second)
    assert len(bucket.keys) == 3


def test_a_run_whose_workspace_is_deleted_does_not_move_the_pointer(
    bucket: Bucket, tmp_path: Path, output: Output, result: Path
) -> None:
    with pytest.raises(SupersededError):
        output.deliver(result, workspace=tmp_path / "deleted")
    assert "meshes/banana/result.json" not in bucket.keys


def test_a_run_superseded_after_it_moved_the_pointer_deletes_nothing(
    bucket: Bucket, tmp_path: Path, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, theirs, point = tmp_path / "workspace", f"meshes/banana/{JOB}/1-0123/model.glb", Destination.point
    workspace.mkdir()

    def point_and_be_superseded(*args: Any) -> None:
        point(*args)
        workspace.rmdir()
        bucket.put(theirs, b"theirs")

    monkeypatch.setattr(Destination, "point", point_and_be_superseded)
    address = ObjectAddress("s3", bucket.name, "meshes/banana", is_folder=True)
    request = DeliverRequest(address, DeliveringRun(make_attempt(JOB), workspace), result)
    uploading.deliver(request, result, Progress())
    assert bucket.get(theirs) == b"theirs"


@pytest.mark.parametrize(
    ("key", "content", "message"),
    [
        pytest.param("meshes/banana/other.txt", b"x", "holds no result of this job", id="a file"),
        pytest.param("meshes/banana/sub/other.txt", b"x", "holds no result of this job", id="a folder"),
        pytest.param("meshes/banana/result.json", b"{}", "is not a result of this operator", id="a foreign pointer"),
    ],
)
def test_an_address_with_foreign_content_is_refused_before_the_work(
    key: str, content: bytes, message: str, bucket: Bucket, output: Output
) -> None:
    bucket.put(key, content)
    with pytest.raises(StorageError, match=rf"OUTPUT_REFUSED: .*{message}"):
        output.check()
    assert bucket.keys == [key]


def test_the_probe_of_a_killed_worker_is_deleted_by_a_delivery(bucket: Bucket, tmp_path: Path, output: Output) -> None:
    probe = f"meshes/banana/{JOB}/{layout.probe_of(1)}"
    bucket.put(probe, b"")
    output.deliver(seal(tmp_path / "result", FILES, attempt=2), 2)
    assert probe not in bucket.keys


def test_a_withdrawal_without_the_copy_deletes_only_what_no_pointer_names(
    bucket: Bucket, output: Output, result: Path
) -> None:
    output.deliver(result)
    bucket.put(f"meshes/banana/{JOB}/1-0123/model.glb", b"of a killed worker")
    output.withdraw(copy=False)
    assert output.read() == contents(result)
    assert len(bucket.keys) == 4


def test_a_withdrawal_keeps_the_result_of_a_later_attempt(tmp_path: Path, output: Output) -> None:
    result = seal(tmp_path / "result", FILES, attempt=2)
    output.deliver(result, 2)
    output.withdraw(1)
    assert output.read() == contents(result)


def test_a_withdrawal_of_a_superseded_run_keeps_the_result_of_its_successor(
    tmp_path: Path, output: Output, result: Path
) -> None:
    output.deliver(result)  # by another run of the same attempt, which has deleted the workspace of the first
    with pytest.raises(SupersededError):
        output.withdraw(1, workspace=tmp_path / "deleted")
    assert output.read() == contents(result)


def test_a_withdrawal_from_an_unreachable_server_fails_and_must_be_repeated(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, output: Output
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    configure(monkeypatch, STORAGE_STALL_SECONDS=0.3)
    with pytest.raises(
        OSError, match=r"s3://bucket-\d+/meshes/banana/ cannot be written: the server accepts no connections"
    ):
        output.withdraw()


def test_a_withdrawal_from_a_deleted_bucket_succeeds(bucket: Bucket) -> None:
    ObjectTarget("s3://nowhere-at-all/a/", "maps").withdraw(DeliveringRun(make_attempt(JOB), None), copy=True)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        pytest.param("s3://meshes/other/a/", "namespace maps may not write to s3://meshes/other/a/", id="not granted"),
        pytest.param("gs://meshes/maps/a/", "gs:// is not enabled", id="not enabled"),
        pytest.param("s3://meshes/maps/../a/", "contains an empty name, '.' or '..'", id="upwards"),
    ],
)
def test_addresses_that_are_not_allowed_are_refused(uri: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, STORAGE_SCHEMES=("s3",), NAMESPACE_OUTPUTS=(("*", "s3://meshes/{namespace}/"),))
    with pytest.raises(StorageError, match="OUTPUT_REFUSED") as caught:
        ObjectTarget(uri, "maps").check(DeliveringRun(make_attempt(JOB), None), lambda: None)
    assert message in caught.value.message


def test_the_result_of_a_predecessor_is_replaced_and_deleted(bucket: Bucket, tmp_path: Path, output: Output) -> None:
    output.deliver(seal(tmp_path / "first", FILES))
    folder = output.pointer["folder"]
    again = seal(tmp_path / "again", FILES, job_id="successor")
    target = ObjectTarget(output.uri, "maps")
    run = DeliveringRun(make_attempt("successor"), None, frozenset({JOB}))
    assert not target.check(run, lambda: None)

    target.deliver(again, run, lambda: None, lambda *_: None)

    assert output.read() == contents(again)
    assert output.pointer["jobId"] == "successor"
    assert [key for key in bucket.keys if key.startswith(f"meshes/banana/{folder}")] == []
