"""Uploads: photos that users send, in one folder for each upload, on a volume that the workers can read.

    <uploads>/<namespace>/<upload id>/photos/<name>   the photos; tenants may be able to write below <namespace>
    <uploads>/.gallery/<upload id>                    a record: namespace, user, client; size and name of each photo
    <uploads>/.gallery/<upload id>.<random>           an incomplete photo

So nothing is read below <namespace>, and all is written by descriptors of directories, which follow no link. Limits and
quotas are checked before a byte is written. Uploads that no job references are deleted after some time.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from reconstruction_operator import disk
from reconstruction_operator.transfer.folders.directories import Directory
from reconstruction_operator.transfer.names import PHOTO_SUFFIXES

from reconstruction_gallery.settings import Settings

_log = logging.getLogger(__name__)

SHEET: Final = ".sheet.jpg"
"""Small pictures of some of the photos, which the client made. Workers ignore hidden files."""
_NAME: Final = re.compile(
    rf"{re.escape(SHEET)}|[a-z0-9_][a-z0-9._ ()-]{{0,99}}({'|'.join(map(re.escape, PHOTO_SUFFIXES))})", re.IGNORECASE
)
_MAX_SHEET_BYTES: Final = 1 << 18
_RECORDS: Final = ".gallery"
_PHOTOS: Final = "photos"
_OPEN_UPLOADS: Final = 20  # maximum of one client
_MIN_PHOTO_BYTES: Final = 4096  # that a photo counts as: a block of the volume
_FOLDER_FILES: Final = 3  # that an upload counts as, without its photos
_HEAD_BYTES: Final = 12
_BOXES: Final = (b"ftyp", b"wide", b"mdat", b"moov")  # with which HEIC and videos begin
_COMPLETE: Final = "this upload is complete: start a new one"


class UploadError(Exception):
    """The upload is rejected. `status`: of the HTTP response; the message is for the user."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Owner:
    """Who began an upload.

    Both names are hashed, since they may have any characters and any length. `user`: who alone may change it. `client`:
    who shares its limits, as in `User.client`.
    """

    user: str
    client: str

    @classmethod
    def of(cls, user: str, client: str) -> Self:
        """Return the owner with these names."""
        return cls(_hashed(user), _hashed(client))


@dataclass(slots=True)
class Upload:
    """One upload.

    Sizes are in bytes and include photos that are being received. `changed_at`: seconds since the epoch.
    """

    namespace: str
    id: str
    owner: Owner
    changed_at: float
    sizes: dict[str, int] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    closed: bool = False  # its job is being created, or the upload is being deleted

    @property
    def bytes(self) -> int:
        """What the photos count as."""
        return sum(max(size, _MIN_PHOTO_BYTES) for size in self.sizes.values())


class Uploads:
    """All uploads on the volume.

    Only one process writes there, so quotas are counted in memory, beginning with the records on the disk.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._root = Path(settings.uploads_dir).resolve()
        self.records = self._root / _RECORDS
        self.clock = clock
        self._uploads: dict[str, Upload] = {}
        self.lock = threading.RLock()  # photos are written in threads

    def load(self) -> None:
        """Load the existing uploads, and delete incomplete photos. Raises OSError if the folder is unusable."""
        self.records.mkdir(parents=True, exist_ok=True)
        for record in disk.entries(self.records):
            try:
                if record.suffix:
                    record.unlink()
                else:
                    self._uploads[record.name] = _loaded(record)
            except (OSError, ValueError) as error:
                _log.warning("Upload %s cannot be read and is skipped: %s", record.name, error)

    def photos(self, upload: Upload) -> Path:
        """Return the folder that the job reads."""
        return self._root / upload.namespace / upload.id / _PHOTOS

    def uri(self, upload: Upload) -> str:
        """Return the address of the photos for the workers."""
        root = self._settings.uploads_uri or self._settings.uploads_dir
        return f"file://{root.rstrip('/')}/{upload.namespace}/{upload.id}/{_PHOTOS}"

    def sheet(self, namespace: str, uri: str) -> bytes:
        """Return the sheet of the upload at that address, of a job in that namespace; empty if there is none."""
        upload = self._uploads.get(uri.removesuffix(f"/{_PHOTOS}").rpartition("/")[2])
        if upload is None or upload.namespace != namespace or self.uri(upload) != uri or SHEET not in upload.sizes:
            return b""
        with contextlib.suppress(OSError), Directory.open(self.photos(upload), create=False) as photos:
            return photos.read(SHEET, _MAX_SHEET_BYTES)
        return b""

    def begin(self, owner: Owner, namespace: str, named: Collection[str]) -> Upload:
        """Start an upload.

        `named`: the addresses that jobs reference. `namespace` must be validated (`web.names`). Raises UploadError.
        """
        identity = secrets.token_hex(16)
        upload = Upload(namespace, identity, owner, self.clock())
        with self.lock:
            mine = [other for other in self._of(owner.client) if self.uri(other) not in named]
            if len(mine) >= _OPEN_UPLOADS:
                raise UploadError(429, f"you have {len(mine)} uploads without a job: submit or discard one first")
            self._uploads[identity] = upload
        self.record(upload, f"{namespace} {owner.user} {owner.client}")
        with Directory.open(self.photos(upload), create=True):
            pass
        return upload

    def find(self, owner: Owner, namespace: str, identity: str, named: Collection[str]) -> Upload:
        """Return an open upload of the user. `named`: the addresses that jobs reference.

        Raises UploadError; the error is the same for an unknown id and for another user's upload.
        """
        upload = self._uploads.get(identity)
        if upload is None or (upload.owner, upload.namespace) != (owner, namespace):
            raise UploadError(404, "there is no such upload")
        if upload.closed or self.uri(upload) in named:  # `closed` is lost in a restart, the job's address is not
            raise UploadError(409, _COMPLETE)
        return upload

    def receive(self, upload: Upload, name: str) -> Receiver:
        """Begin to receive a photo.

        Raises UploadError for an invalid name, or if the upload has the maximum number of photos.
        """
        if not _NAME.fullmatch(name):
            text = (
                "is not a valid name of a photo: use letters and digits, and end it in .jpg, .png, .webp, .tif, .heic, "
                ".mp4 or .mov"
            )
            raise UploadError(400, f"{name!r:.120} {text}")
        if name in upload.under_way:
            raise UploadError(409, f"{name} is already being uploaded")
        if name not in upload.sizes and len(upload.sizes) >= self._settings.upload_max_files:
            raise UploadError(413, f"an upload may have at most {self._settings.upload_max_files} photos")
        with self.lock:
            files = sum(len(mine.sizes) + _FOLDER_FILES for mine in self._of(upload.owner.client))
        if files >= self._settings.user_max_files:
            text = f"you have more than {self._settings.user_max_files} photos: delete jobs that you do not need"
            raise UploadError(413, text)
        return Receiver(self, upload, name)

    def reserve(self, upload: Upload, name: str, size: int) -> None:
        """Count `size` more bytes of the photo. Raises UploadError if that would exceed a limit."""
        settings, free = self._settings, disk.free_bytes(self._root)
        if (free is not None and free - size < settings.upload_free_bytes) or disk.lacks_inodes(os.statvfs(self._root)):
            raise UploadError(507, "the volume of uploads is nearly full: ask your administrator")
        with self.lock:
            photo, most = upload.sizes.get(name, 0) + size, settings.photo_max_bytes
            if photo > most:
                raise UploadError(413, f"{name} is larger than {most} bytes, the limit of one photo")
            more = max(photo, _MIN_PHOTO_BYTES) - max(photo - size, _MIN_PHOTO_BYTES)
            if upload.bytes + more > (most := settings.upload_max_bytes):
                raise UploadError(413, f"these photos are larger than {most} bytes, the limit of one upload")
            if sum(mine.bytes for mine in self._of(upload.owner.client)) + more > settings.user_max_bytes:
                text = f"your photos are larger than {settings.user_max_bytes} bytes: delete jobs that you do not need"
                raise UploadError(413, text)
            upload.sizes[name] = photo

    def close(self, upload: Upload) -> None:
        """Close the upload, so that its photos no longer change.

        Raises UploadError if it is closed, empty, or still receiving photos.
        """
        if upload.closed:
            raise UploadError(409, _COMPLETE)
        if upload.under_way:
            raise UploadError(409, "photos are still being uploaded")
        if not upload.sizes.keys() - {SHEET}:
            raise UploadError(400, "this upload has no photos")
        upload.closed = True

    def discard(self, upload: Upload) -> None:
        """Delete the upload. Raises OSError if a part of it could not be deleted."""
        upload.closed = True
        with Directory.open(self._root / upload.namespace, create=True) as folder:
            folder.delete(upload.id)
        (self.records / upload.id).unlink(missing_ok=True)
        with self.lock:
            self._uploads.pop(upload.id, None)

    def record(self, upload: Upload, line: str) -> None:
        """Append a line to the upload's record. Raises OSError."""
        with self.lock, (self.records / upload.id).open("a") as record:
            record.write(f"{line}\n")

    def expired(self, named: Collection[str]) -> list[Upload]:
        """Return the uploads that no job references and that received no photo for `upload_keep_seconds`."""
        oldest = self.clock() - self._settings.upload_keep_seconds
        with self.lock:
            uploads = list(self._uploads.values())
        old = [upload for upload in uploads if not upload.under_way and upload.changed_at < oldest]
        return [upload for upload in old if self.uri(upload) not in named]

    def _of(self, client: str) -> list[Upload]:
        return [upload for upload in self._uploads.values() if upload.owner.client == client]


class Receiver:
    """Writes one photo under a temporary name.

    `finish` renames it; without `finish` the end of the `with` block deletes it.
    """

    def __init__(self, uploads: Uploads, upload: Upload, name: str) -> None:
        self._uploads = uploads
        self._upload = upload
        self._name = name
        self._path = uploads.records / f"{upload.id}.{secrets.token_hex(8)}"
        self._head = b""
        self._finished = False
        self._file = self._path.open("xb")
        with uploads.lock:
            self._before = upload.sizes.get(name)  # a photo of the same name replaces the first
            upload.sizes[name] = 0
            upload.under_way.add(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if not self._finished:
            self._path.unlink(missing_ok=True)
        with self._uploads.lock:
            self._upload.under_way.discard(self._name)
            if not self._finished:
                del self._upload.sizes[self._name]
                if self._before is not None:
                    self._upload.sizes[self._name] = self._before

    def write(self, chunk: bytes) -> None:
        """Append bytes. Raises UploadError if a limit is exceeded, or the file has an unknown format."""
        self._uploads.reserve(self._upload, self._name, len(chunk))
        if len(self._head) < _HEAD_BYTES:
            self._head += chunk[:_HEAD_BYTES]
            if len(self._head) >= _HEAD_BYTES:
                self._check()
        self._file.write(chunk)

    def finish(self) -> None:
        """Publish the complete photo.

        Raises UploadError if the file is not a photo, or the folder of the photos was replaced.
        """
        self._check()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._uploads.record(self._upload, f"{self._upload.sizes[self._name]} {self._name}")
        try:
            with (
                Directory.open(self._uploads.records, create=False) as records,
                Directory.open(self._uploads.photos(self._upload), create=False) as photos,
            ):
                records.rename(self._path.name, photos, self._name)
        except OSError as error:
            raise UploadError(409, "the folder of this upload was changed: start a new one") from error
        self._upload.changed_at = self._uploads.clock()
        self._finished = True

    def _check(self) -> None:
        head = self._head
        magic = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*")
        if not (head.startswith(magic) or head[4:8] in _BOXES or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")):
            raise UploadError(415, f"{self._name} is not a JPEG, PNG, WebP, TIFF, HEIC, MP4 or MOV file")


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _loaded(record: Path) -> Upload:
    """Return the upload of a record. Raises OSError, ValueError."""
    text, _, torn = record.read_text().rpartition("\n")
    if torn:  # the gallery was killed while it wrote
        record.write_text(f"{text}\n")
    head, *photos = text.split("\n")
    namespace, user, client = head.split(" ")
    upload = Upload(namespace, record.name, Owner(user, client), record.stat().st_mtime)
    for photo in photos:
        size, name = photo.split(" ", 1)
        upload.sizes[name] = int(size)
    return upload
