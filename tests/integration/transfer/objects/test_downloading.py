"""Inputs from object storage: what is fetched, what is refused before the first byte, and what a retry fetches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits

from tests.support.archives import zipped
from tests.support.servers.objects import Bucket
from tests.support.transfers import fetched, kept, photos


@pytest.mark.parametrize("ending", ["", "/"])
def test_photos_of_a_folder_are_fetched_in_natural_order(
    ending: str, bucket: Bucket, into: Path, limits: Limits
) -> None:
    bucket.put("set/b10.jpg", b"ten")
    bucket.put("set/b9.jpg", b"nine")
    bucket.put("set/README.txt", b"text")
    bucket.put("settings/other.jpg", b"not below it")
    result = fetched(f"s3://{bucket.name}/set{ending}", into, limits)
    assert [(path.name, path.read_bytes()) for path in result.photos] == [("b9.jpg", b"nine"), ("b10.jpg", b"ten")]
    assert result.ignored.text == "1 other file ignored: 1 .txt"


def test_subfolders_are_read_and_folder_markers_are_ignored(bucket: Bucket, into: Path, limits: Limits) -> None:
    bucket.put("set/", b"")
    bucket.put("set/left/", b"")
    bucket.put("set/left/a.jpg", b"1")
    bucket.put("set/right/ü b%20c.jpg", b"2")
    result = fetched(f"s3://{bucket.name}/set/", into, limits)
    assert {path.name: path.read_bytes() for path in result.photos} == {"left_a.jpg": b"1", "right_ü b_20c.jpg": b"2"}
    assert result.ignored.text == ""


def test_a_whole_bucket_and_an_encoded_folder_can_be_named(bucket: Bucket, into: Path, limits: Limits) -> None:
    bucket.put("a b/1.jpg", b"1")
    assert photos(f"s3://{bucket.name}/a%20b/", into, limits) == {"1.jpg": b"1"}
    (into / "1.jpg").unlink()
    assert photos(f"s3://{bucket.name}/", into, limits) == {"1.jpg": b"1"}


def test_an_archive_is_unpacked(bucket: Bucket, into: Path, limits: Limits) -> None:
    bucket.put("sets/banana.zip", zipped(("a.jpg", b"1"), ("b.jpg", b"2")))
    assert photos(f"s3://{bucket.name}/sets/banana.zip", into, limits) == {"a.jpg": b"1", "b.jpg": b"2"}


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        pytest.param({"max_files": 2}, "contains more than 2 objects", id="too many"),
        pytest.param(
            {"max_bytes": 5},
            r"3 photos in s3://\S+/set have 0.0 MB; this worker accepts at most 0.0 MB",
            id="too large",
        ),
    ],
)
def test_limits_are_checked_before_the_first_byte(
    limit: dict[str, int], message: str, bucket: Bucket, into: Path, limits: Limits
) -> None:
    for name in "abc":
        bucket.put(f"set/{name}.jpg", b"xx")
    with pytest.raises(StorageError, match=rf"INPUT_REFUSED: .*{message}"):
        fetched(f"s3://{bucket.name}/set", into, replace(limits, **limit))
    assert kept(into) == {}


@pytest.mark.parametrize("key", ["set/../secret.jpg", "set//a.jpg", "set/./a.jpg"])
def test_names_that_could_lead_elsewhere_are_refused(key: str, bucket: Bucket, into: Path, limits: Limits) -> None:
    bucket.put(key, b"x")
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: .* contains an object whose name has an empty part"):
        fetched(f"s3://{bucket.name}/set", into, limits)
    assert kept(into) == {}


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        pytest.param("none/", ("INPUT_NOT_FOUND", "there are no objects below s3://{bucket}/none"), id="no folder"),
        pytest.param("../a", ("INPUT_REFUSED", "contains an empty name, '.' or '..'"), id="upwards"),
        pytest.param("%2e%2e/a", ("INPUT_REFUSED", "contains an empty name, '.' or '..'"), id="encoded upwards"),
        pytest.param("a%5C..%5Cb", ("INPUT_REFUSED", "contains a backslash"), id="a backslash"),
        pytest.param("a//b", ("INPUT_REFUSED", "contains an empty name, '.' or '..'"), id="an empty name"),
        pytest.param("a?versionId=1", ("INPUT_REFUSED", r"contains ? or #: write %3F"), id="a query"),
        pytest.param("a%0Ab", ("INPUT_REFUSED", "contains an unprintable character"), id="a line break"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused(
    path: str, refusal: tuple[str, str], bucket: Bucket, into: Path, limits: Limits
) -> None:
    reason, message = refusal
    with pytest.raises(StorageError) as caught:
        fetched(f"s3://{bucket.name}/{path}", into, limits)
    assert caught.value.reason == reason
    assert message.format(bucket=bucket.name) in caught.value.message


def test_an_address_off_the_allowlist_is_refused_as_its_author_wrote_it(into: Path, limits: Limits) -> None:
    granted = replace(limits, namespace="maps", granted=("s3://photos/maps/", "/photos/maps"))
    with pytest.raises(StorageError) as caught:
        fetched("s3://photos/mapsandmore/set/", into, granted)
    assert caught.value.message == (
        "namespace maps may not read s3://photos/mapsandmore/set/: this worker allows it only s3://photos/maps/, "
        "/photos/maps"
    )


def test_progress_counts_photos_and_bytes(bucket: Bucket, into: Path, limits: Limits) -> None:
    for name in "ab":
        bucket.put(f"set/{name}.jpg", bytes(1 << 20))
    reported: list[tuple[float, str]] = []
    large = replace(limits, max_bytes=1 << 22)
    fetched(f"s3://{bucket.name}/set", into, large, lambda *report: reported.append(report))
    assert reported[0] == (0.0, f"listing s3://{bucket.name}/set")
    assert reported[-1] == (1.0, "2/2 photos, 2 of 2 MB")
