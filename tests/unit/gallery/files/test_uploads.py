"""Uploads: limits hold for photos from several threads and after a restart, and a tenant's links and files change
nothing elsewhere.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from reconstruction_gallery.files.uploads import SHEET, Owner, Upload, UploadError, Uploads
from reconstruction_gallery.settings import Settings

ANNA = Owner.of("anna", "anna")
JPEG = b"\xff\xd8\xff\xe0" + bytes(496)


@pytest.fixture
def uploads(settings: Settings) -> Uploads:
    return restarted(settings)


def take(uploads: Uploads, upload: Upload, name: str, *chunks: bytes) -> None:
    with uploads.receive(upload, name) as receiver:
        for chunk in chunks or (JPEG,):
            receiver.write(chunk)
        receiver.finish()


def photos(uploads: Uploads, upload: Upload) -> dict[str, int]:
    return {photo.name: photo.stat().st_size for photo in uploads.photos(upload).iterdir()}


def restarted(settings: Settings) -> Uploads:
    uploads = Uploads(settings)
    uploads.load()
    return uploads


def test_a_sheet_is_shown_to_its_namespace_and_is_no_photo(uploads: Uploads) -> None:
    upload = uploads.begin(ANNA, "team", ())
    take(uploads, upload, SHEET)
    uri = uploads.uri(upload)

    with pytest.raises(UploadError, match="no photos"):
        uploads.close(upload)
    assert uploads.sheet("team", uri) == JPEG
    assert uploads.sheet("other", uri) == uploads.sheet("team", f"{uri}/") == uploads.sheet("team", "file:///a") == b""
    (uploads.photos(upload) / SHEET).unlink()
    (uploads.photos(upload) / SHEET).symlink_to(__file__)
    assert uploads.sheet("team", uri) == b""  # a tenant's link is not followed


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\xff\xd8\xff\xe0", id="jpeg"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="png"),
        pytest.param(b"RIFF\0\0\0\0WEBP", id="webp"),
        pytest.param(b"II*\0", id="tiff"),
        pytest.param(b"\0\0\0\x18ftypheic", id="heic"),
    ],
)
def test_each_photo_format_is_accepted_in_small_chunks(uploads: Uploads, head: bytes) -> None:
    upload = uploads.begin(ANNA, "team", ())

    take(uploads, upload, "a.jpg", *(bytes([byte]) for byte in head + bytes(20)))

    assert photos(uploads, upload) == {"a.jpg": len(head) + 20}


@pytest.mark.parametrize("content", [b"<html>" + bytes(20), b"GIF89a" + bytes(20), b"\xff\xd8", b"RIFF\0\0\0\0WAVE"])
def test_a_file_that_is_not_a_photo_is_rejected_and_deleted(uploads: Uploads, content: bytes) -> None:
    upload = uploads.begin(ANNA, "team", ())

    with pytest.raises(UploadError, match="not a JPEG"):
        take(uploads, upload, "a.jpg", content)

    assert (photos(uploads, upload), upload.bytes, list(uploads.records.iterdir())) == (
        {},
        0,
        [uploads.records / upload.id],
    )


def test_a_photo_of_the_same_name_replaces_the_first(uploads: Uploads) -> None:
    upload = uploads.begin(ANNA, "team", ())
    take(uploads, upload, "a.jpg")

    take(uploads, upload, "a.jpg", JPEG, JPEG[:100])
    with pytest.raises(UploadError, match="larger than 1000"):
        take(uploads, upload, "a.jpg", JPEG, JPEG, JPEG)

    assert (photos(uploads, upload), upload.sizes) == ({"a.jpg": 600}, {"a.jpg": 600})


def test_concurrent_uploads_of_one_name_are_rejected(uploads: Uploads) -> None:
    upload = uploads.begin(ANNA, "team", ())

    with uploads.receive(upload, "a.jpg") as receiver:
        receiver.write(JPEG)
        with pytest.raises(UploadError, match="already being uploaded"):
            uploads.receive(upload, "a.jpg")

    with pytest.raises(UploadError, match="no photos"):
        uploads.close(upload)


def test_photos_from_several_threads_never_exceed_the_limit(settings: Settings) -> None:
    uploads = Uploads(Settings(uploads_dir=settings.uploads_dir, upload_max_bytes=40_960, upload_free_bytes=1))
    uploads.load()
    upload = uploads.begin(ANNA, "team", ())

    def send(number: int) -> bool:
        try:
            take(uploads, upload, f"{number}.jpg", *([JPEG] * 4))
        except UploadError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        taken = sum(pool.map(send, range(40)))

    assert upload.bytes == len(photos(uploads, upload)) * 4096 == taken * 4096
    assert 1 <= taken <= 10


def test_a_restart_counts_complete_photos_and_deletes_incomplete_ones(uploads: Uploads, settings: Settings) -> None:
    upload = uploads.begin(ANNA, "team", ())
    take(uploads, upload, "a.jpg")
    (uploads.records / f"{upload.id}.1234").write_bytes(JPEG)
    with (uploads.records / upload.id).open("a") as record:
        record.write("70")  # the gallery was killed

    after = restarted(settings)

    loaded = after.find(ANNA, "team", upload.id, ())
    assert (loaded.sizes, photos(after, loaded)) == ({"a.jpg": 500}, {"a.jpg": 500})
    assert list(after.records.iterdir()) == [after.records / upload.id]
    with pytest.raises(UploadError, match="no such upload"):
        after.find(Owner.of("berta", "anna"), "team", upload.id, ())


def test_a_photo_is_rejected_if_the_disk_is_nearly_full(settings: Settings) -> None:
    uploads = Uploads(Settings(uploads_dir=settings.uploads_dir, upload_free_bytes=1 << 60))
    uploads.load()
    upload = uploads.begin(ANNA, "team", ())

    with pytest.raises(UploadError, match="nearly full") as refused:
        take(uploads, upload, "a.jpg")

    assert refused.value.status == 507


def test_an_upload_without_a_job_expires(settings: Settings) -> None:
    uploads = Uploads(settings, clock=lambda: 1000.0)
    uploads.load()
    old, used, new = (uploads.begin(ANNA, "team", ()) for _ in range(3))
    for upload, changed_at in ((old, 800), (used, 800), (new, 950)):
        os.utime(uploads.records / upload.id, (changed_at, changed_at))
    uploads.load()

    expired = uploads.expired({uploads.uri(used)})
    for upload in expired:
        uploads.discard(upload)

    assert [upload.id for upload in expired] == [old.id]
    assert [uploads.photos(upload).parent.exists() for upload in (old, used)] == [False, True]
    assert not (uploads.records / old.id).exists()


def test_folders_that_a_tenant_makes_count_for_no_user_and_stop_no_restart(
    uploads: Uploads, settings: Settings
) -> None:
    own = uploads.begin(ANNA, "team", ())
    (uploads.photos(own) / ".x").mkdir()
    for number in range(20):
        forged = Path(settings.uploads_dir) / "team" / f"{number:032x}"
        (forged / "photos" / ".x").mkdir(parents=True)
        (forged / "owner").write_text("anna")

    after = restarted(settings)

    after.begin(ANNA, "team", ())
    assert after.find(ANNA, "team", own.id, ()).bytes == 0
    with pytest.raises(UploadError, match="no such upload"):
        after.find(ANNA, "team", f"{0:032x}", ())


@pytest.mark.parametrize(
    "record", [b"", b"team anna\n", b"\xff\xff anna\n", b"team a anna\nmany a.jpg\n", b"team a anna\n7\n", None]
)
def test_a_damaged_record_is_skipped_and_logged(
    uploads: Uploads, settings: Settings, caplog: pytest.LogCaptureFixture, record: bytes | None
) -> None:
    intact, damaged = uploads.begin(ANNA, "team", ()), uploads.records / "damaged"
    damaged.mkdir() if record is None else damaged.write_bytes(record)

    after = restarted(settings)

    assert after.find(ANNA, "team", intact.id, ()).sizes == {}
    assert "Upload damaged cannot be read" in caplog.text


@pytest.mark.parametrize("swapped", [lambda photos: photos, lambda photos: photos.parent], ids=["photos", "upload"])
def test_a_photo_is_not_written_through_a_link(
    uploads: Uploads, tmp_path: Path, swapped: Callable[[Path], Path]
) -> None:
    upload, elsewhere = uploads.begin(ANNA, "team", ()), tmp_path / "elsewhere"
    photo = elsewhere / "photos" / "a.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"of another tenant")
    link = swapped(uploads.photos(upload))
    link.rename(tmp_path / "aside")
    link.symlink_to(elsewhere if link.name == upload.id else photo.parent)

    with pytest.raises(UploadError, match="folder of this upload was changed"):
        take(uploads, upload, "a.jpg")
    uploads.discard(upload)

    assert photo.read_bytes() == b"of another tenant"
    assert list(photo.parent.iterdir()) == [photo]


def test_small_photos_count_as_blocks_and_as_files(settings: Settings) -> None:
    few, small = (
        Settings(uploads_dir=settings.uploads_dir, upload_free_bytes=1, **limit)
        for limit in ({"user_max_files": 7}, {"user_max_bytes": 3 * 4096})
    )
    for limited, taken in ((few, 4), (small, 3)):
        uploads = restarted(limited)
        upload = uploads.begin(Owner.of("anna", str(taken)), "team", ())
        for number in range(taken):
            take(uploads, upload, f"{number}.jpg", JPEG[:12])

        with pytest.raises(UploadError, match="delete jobs that you do not need"):
            take(uploads, upload, "more.jpg", JPEG[:12])


def test_a_photo_is_rejected_if_few_inodes_are_left(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    upload, statvfs = uploads.begin(ANNA, "team", ()), os.statvfs
    few = {7: 9}  # f_favail
    monkeypatch.setattr(
        os,
        "statvfs",
        lambda path: os.statvfs_result([few.get(index, value) for index, value in enumerate(statvfs(path))]),
    )

    with pytest.raises(UploadError, match="nearly full"):
        take(uploads, upload, "a.jpg")


def test_the_uri_has_the_path_that_the_workers_use(settings: Settings) -> None:
    uploads = Uploads(Settings(uploads_dir=settings.uploads_dir, uploads_uri="/photos/uploads/"))
    uploads.load()
    upload = uploads.begin(ANNA, "team", ())

    assert uploads.uri(upload) == f"file:///photos/uploads/team/{upload.id}/photos"


def test_an_upload_is_closed_once_and_stays_closed_after_a_restart(uploads: Uploads, settings: Settings) -> None:
    upload = uploads.begin(ANNA, "team", ())
    take(uploads, upload, "a.jpg")
    uploads.close(upload)
    with pytest.raises(UploadError, match="complete"):
        uploads.close(upload)
    again = Uploads(settings)
    again.load()

    with pytest.raises(UploadError, match="complete"):
        again.find(ANNA, "team", upload.id, {uploads.uri(upload)})
    assert again.find(ANNA, "team", upload.id, ()).sizes == {"a.jpg": len(JPEG)}
