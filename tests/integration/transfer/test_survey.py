"""Input survey of object storage: the listing and the first bytes of some objects, without a copy."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.survey import Survey, survey

from tests.support.archives import zipped
from tests.support.photos import make_photo
from tests.support.servers.objects import Bucket

BIG = make_photo("PNG", size=(390, 100))


def surveyed(bucket: Bucket, name: str, limits: Limits) -> Survey:
    return survey(f"s3://{bucket.name}/{name}", replace(limits, schemes=("s3",)))


def test_photos_are_counted_and_checked_by_their_first_bytes(bucket: Bucket, limits: Limits) -> None:
    photos = {"a.jpg": make_photo(), "sub/b.png": BIG, "masks/a.png": make_photo("PNG")}
    for name, content in photos.items():
        bucket.put(f"set/{name}", content)
    bucket.put("set/c.nef", b"raw")
    result = surveyed(bucket, "set/", limits)
    assert (result.count, result.bytes) == (2, sum(map(len, photos.values())))
    assert result.ignored.unread == "1 .nef (camera RAW)"


def test_the_process_that_has_credentials_imports_no_decoder(bucket: Bucket) -> None:
    bucket.put("set/a.jpg", make_photo())
    script = f"""import sys
from reconstruction_operator.transfer import limits, survey
assert survey.survey("s3://{bucket.name}/set/", limits.Limits.from_config()).count == 1
assert "PIL" not in sys.modules"""
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ | {"STORAGE_SCHEMES": "s3"})


def test_an_archive_is_checked_by_its_first_bytes(bucket: Bucket, limits: Limits) -> None:
    content = zipped(("a.jpg", b"no photo"))
    bucket.put("set.zip", content)
    assert surveyed(bucket, "set.zip", limits) == Survey(None, len(content))


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        pytest.param("page/", "CORRUPT_IMAGE", "photo a.jpg is a web page", id="no photo"),
        pytest.param("page.zip", "INPUT_REFUSED", "page.zip is neither a folder nor an archive", id="no archive"),
        pytest.param("none.zip", "INPUT_NOT_FOUND", "does not exist", id="missing archive"),
    ],
)
def test_an_unusable_input_is_refused(name: str, reason: str, words: str, bucket: Bucket, limits: Limits) -> None:
    bucket.put("page/a.jpg", b"<html>")
    bucket.put("page.zip", b"<html>")
    with pytest.raises(StorageError, match=words) as caught:
        surveyed(bucket, name, limits)
    assert caught.value.reason == reason
