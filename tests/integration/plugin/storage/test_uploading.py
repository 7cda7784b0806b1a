from __future__ import annotations

from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.storage.buckets import Folder
from kubectl_recon.storage.uploading import copy, upload

from devcluster.servers.running import answering
from tests.support.servers.objects import Bucket, EmptyPages


@pytest.fixture
def files(tmp_path: Path) -> list[tuple[Path, str]]:
    paths = []
    for name in ("a.jpg", "left/b c.jpg"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
        paths.append((path, name))
    return paths


def folder(bucket: Bucket) -> Folder:
    return Folder.of(f"s3://{bucket.name}/team/banana/")


def test_photos_are_uploaded_and_their_bytes_are_counted(bucket: Bucket, files: list[tuple[Path, str]]) -> None:
    done: list[int] = []
    assert upload(folder(bucket), files, done.append) == 2
    assert bucket.keys == ["team/banana/a.jpg", "team/banana/left/b c.jpg"]
    assert bucket.get("team/banana/a.jpg") == b"a.jpg" * 1000
    assert sum(done) == sum(path.stat().st_size for path, _ in files)


def test_a_photo_that_is_already_there_is_not_sent_again(bucket: Bucket, files: list[tuple[Path, str]]) -> None:
    upload(folder(bucket), files, lambda _: None)
    bucket.put("team/banana/a.jpg", b"A.JPG" * 1000)  # other content of the same size
    assert upload(folder(bucket), files, lambda _: None) == 1
    assert bucket.get("team/banana/a.jpg") == b"a.jpg" * 1000


def test_a_folder_with_other_files_is_rejected(bucket: Bucket, files: list[tuple[Path, str]]) -> None:
    bucket.put("team/banana/old.jpg", b"old")
    with pytest.raises(UsageError, match=r"contains other files \(old.jpg\), which the job would read as well"):
        upload(folder(bucket), files, lambda _: None)
    assert bucket.keys == ["team/banana/old.jpg"]


def added(files: list[tuple[Path, str]]) -> dict[str, Path]:
    return {name: path for path, name in files}


def test_photos_are_copied_within_the_storage_and_others_added_beside_them(
    bucket: Bucket, files: list[tuple[Path, str]]
) -> None:
    bucket.put("team/apple/old d.jpg", b"old")
    bucket.put("team/apple/a.jpg", b"a.jpg" * 1000)  # which is to be added, too
    there = copy(Folder.of(f"s3://{bucket.name}/team/apple/"), folder(bucket), added(files))
    assert there == {"old d.jpg", "a.jpg"}
    assert upload(folder(bucket), files[1:], lambda _: None, beside=there) == 1
    inside = [key.removeprefix("team/banana/") for key in bucket.keys if key.startswith("team/banana/")]
    assert inside == ["a.jpg", "left/b c.jpg", "old d.jpg"]
    assert bucket.get("team/banana/old d.jpg") == b"old"


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        pytest.param({}, "has no files any more", id="empty"),
        pytest.param({"apple/a.jpg": b"other"}, "has a.jpg already, with other content: rename", id="same-name"),
        pytest.param(
            {"apple/a.jpg": b"a.jpg" * 1000, "apple/left/b c.jpg": b"left/b c.jpg" * 1000},
            "has all these photos already",
            id="nothing-new",
        ),
        pytest.param({"apple/d.jpg": b"d", "banana/e.jpg": b"e"}, r"contains other files \(e.jpg\)", id="full"),
    ],
)
def test_nothing_is_copied_if_the_photos_could_not_be_added(
    bucket: Bucket, files: list[tuple[Path, str]], objects: dict[str, bytes], message: str
) -> None:
    for key, content in objects.items():
        bucket.put(f"team/{key}", content)
    before = bucket.keys
    with pytest.raises(UsageError, match=message):
        copy(Folder.of(f"s3://{bucket.name}/team/apple/"), folder(bucket), added(files))
    assert bucket.keys == before


@pytest.mark.parametrize("broken", ["no-bucket", "wrong-key"])
def test_an_error_of_the_server_has_the_address(
    bucket: Bucket, files: list[tuple[Path, str]], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    name = "nowhere" if broken == "no-bucket" else bucket.name
    if broken == "wrong-key":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ReconError, match=f"s3://{name}/x/: "):
        upload(Folder.of(f"s3://{name}/x/"), files, lambda _: None)


def test_a_list_without_an_end_fails_in_time(
    bucket: Bucket, files: list[tuple[Path, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyPages)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    with answering(server), pytest.raises(ReconError, match="team/banana/ was not listed within 1 s"):
        upload(folder(bucket), files, lambda _: None, list_seconds=1.0)
