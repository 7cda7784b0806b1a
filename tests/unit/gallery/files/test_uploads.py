"""Uploads: limits hold for photos from several threads and after a restart."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from reconstruction_gallery.files.uploads import Upload, UploadError, Uploads
from reconstruction_gallery.settings import Settings

JPEG = b"\xff\xd8\xff\xe0" + bytes(496)


@pytest.fixture
def uploads(settings: Settings) -> Uploads:
    made = Uploads(settings)
    made.load()
    return made


def take(uploads: Uploads, upload: Upload, name: str, *chunks: bytes) -> None:
    with uploads.receive(upload, name) as receiver:
        for chunk in chunks or (JPEG,):
            receiver.write(chunk)
        receiver.finish()


def photos(upload: Upload) -> dict[str, int]:
    return {photo.name: photo.stat().st_size for photo in upload.photos.iterdir()}


def test_a_photo_in_small_chunks_is_stored_completely(uploads: Uploads) -> None:
    upload = uploads.begin("anna", "team", ())

    take(uploads, upload, "a.jpg", *(JPEG[start : start + 1] for start in range(20)))

    assert photos(upload) == {"a.jpg": 20}


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
def test_each_photo_format_is_accepted(uploads: Uploads, head: bytes) -> None:
    upload = uploads.begin("anna", "team", ())

    take(uploads, upload, "a.jpg", head + bytes(20))

    assert photos(upload) == {"a.jpg": len(head) + 20}


@pytest.mark.parametrize("content", [b"<html>" + bytes(20), b"GIF89a" + bytes(20), b"\xff\xd8", b"RIFF\0\0\0\0WAVE"])
def test_a_file_that_is_not_a_photo_is_rejected_and_deleted(uploads: Uploads, content: bytes) -> None:
    upload = uploads.begin("anna", "team", ())

    with pytest.raises(UploadError, match="not a JPEG"):
        take(uploads, upload, "a.jpg", content)

    assert (photos(upload), upload.bytes) == ({}, 0)


def test_a_photo_of_the_same_name_replaces_the_first(uploads: Uploads) -> None:
    upload = uploads.begin("anna", "team", ())
    take(uploads, upload, "a.jpg")

    take(uploads, upload, "a.jpg", JPEG, JPEG[:100])
    with pytest.raises(UploadError, match="larger than 1000"):
        take(uploads, upload, "a.jpg", JPEG, JPEG, JPEG)

    assert (photos(upload), upload.bytes) == ({"a.jpg": 600}, 600)


def test_concurrent_uploads_of_one_name_are_rejected(uploads: Uploads) -> None:
    upload = uploads.begin("anna", "team", ())

    with uploads.receive(upload, "a.jpg") as receiver:
        receiver.write(JPEG)
        with pytest.raises(UploadError, match="already being uploaded"):
            uploads.receive(upload, "a.jpg")

    with pytest.raises(UploadError, match="no photos"):
        uploads.close(upload)


def test_photos_from_several_threads_never_exceed_the_limit(settings: Settings) -> None:
    uploads = Uploads(Settings(uploads_dir=settings.uploads_dir, upload_max_bytes=20_000, upload_free_bytes=1))
    uploads.load()
    upload = uploads.begin("anna", "team", ())

    def send(number: int) -> bool:
        try:
            take(uploads, upload, f"{number}.jpg", *([JPEG] * 4))
        except UploadError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        taken = sum(pool.map(send, range(40)))

    assert upload.bytes == sum(photos(upload).values()) == taken * 2000
    assert 5 <= taken <= 10


def test_a_restart_counts_complete_photos_and_deletes_incomplete_ones(uploads: Uploads, settings: Settings) -> None:
    upload = uploads.begin("anna", "team", ())
    take(uploads, upload, "a.jpg")
    (upload.photos / ".1234").write_bytes(JPEG)

    after = Uploads(settings)
    after.load()

    loaded = after.find("anna", "team", upload.id, ())
    assert (loaded.sizes, photos(loaded)) == ({"a.jpg": 500}, {"a.jpg": 500})
    with pytest.raises(UploadError, match="no such upload"):
        after.find("berta", "team", upload.id, ())


def test_a_photo_is_rejected_if_the_disk_is_nearly_full(settings: Settings) -> None:
    uploads = Uploads(Settings(uploads_dir=settings.uploads_dir, upload_free_bytes=1 << 60))
    uploads.load()
    upload = uploads.begin("anna", "team", ())

    with pytest.raises(UploadError, match="nearly full") as refused:
        take(uploads, upload, "a.jpg")

    assert refused.value.status == 507


def test_an_upload_without_a_job_expires(settings: Settings) -> None:
    uploads = Uploads(settings, clock=lambda: 1000.0)
    uploads.load()
    old, used, new = (uploads.begin("anna", "team", ()) for _ in range(3))
    for upload in (old, used):
        os.utime(upload.photos, (800, 800))
    os.utime(new.photos, (950, 950))

    expired = uploads.expired({uploads.uri(used)})
    for upload in expired:
        uploads.discard(upload)

    assert expired == [old]
    assert not old.folder.exists()
    assert used.folder.exists()


def test_foreign_folders_and_links_are_ignored(settings: Settings, tmp_path: Path) -> None:
    root = Path(settings.uploads_dir)
    (root / "team" / "no-upload").mkdir(parents=True)
    (tmp_path / "elsewhere" / "photos").mkdir(parents=True)
    (root / "team" / ("a" * 32)).symlink_to(tmp_path / "elsewhere")
    (root / "stray").write_text("")

    uploads = Uploads(settings, clock=lambda: 1e12)
    uploads.load()

    assert uploads.expired(()) == []


def test_the_uri_has_the_path_that_the_workers_use(settings: Settings) -> None:
    uploads = Uploads(Settings(uploads_dir=settings.uploads_dir, uploads_uri="/photos/uploads/"))
    uploads.load()
    upload = uploads.begin("anna", "team", ())

    assert uploads.uri(upload) == f"file:///photos/uploads/team/{upload.id}/photos"


def test_an_upload_can_be_closed_only_once(uploads: Uploads) -> None:
    upload = uploads.begin("anna", "team", ())
    take(uploads, upload, "a.jpg")

    uploads.close(upload)

    with pytest.raises(UploadError, match="complete"):
        uploads.close(upload)


def test_an_upload_with_a_job_stays_closed_after_a_restart(uploads: Uploads, settings: Settings) -> None:
    upload = uploads.begin("anna", "team", ())
    take(uploads, upload, "a.jpg")
    again = Uploads(settings)
    again.load()

    with pytest.raises(UploadError, match="complete"):
        again.find("anna", "team", upload.id, {uploads.uri(upload)})
    assert again.find("anna", "team", upload.id, ()).sizes == {"a.jpg": len(JPEG)}
