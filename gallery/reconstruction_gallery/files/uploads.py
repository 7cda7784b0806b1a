"""Uploads: photos that users send, in one folder for each upload, on a volume that the workers can read.

    <uploads>/<namespace>/<upload id>/owner           the user's name
    <uploads>/<namespace>/<upload id>/photos/<name>   the photos; a name with a leading dot is an incomplete one

Limits and quotas are checked before a byte is written. Uploads that no job references are deleted after some time.
"""

from __future__ import annotations

import contextlib
import hashlib
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
from reconstruction_operator.transfer.names import PHOTO_SUFFIXES

from reconstruction_gallery.settings import Settings

_ID: Final = re.compile(r"[0-9a-f]{32}")
_NAME: Final = re.compile(
    rf"[A-Za-z0-9_][A-Za-z0-9._ ()-]{{0,99}}({'|'.join(map(re.escape, PHOTO_SUFFIXES))})", re.IGNORECASE
)
_OWNER: Final = "owner"
_PHOTOS: Final = "photos"
_OPEN_UPLOADS: Final = 20  # maximum of one user
_MAX_OWNER_BYTES: Final = 4096
_HEAD_BYTES: Final = 12
_COMPLETE: Final = "this upload is complete: start a new one"


class UploadError(Exception):
    """The upload is rejected. `status`: of the HTTP response; the message is for the user."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Upload:
    """One upload. Sizes are in bytes and include photos that are being received."""

    namespace: str
    id: str
    owner: str
    folder: Path
    sizes: dict[str, int] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    closed: bool = False  # its job is being created, or the upload is being deleted

    @property
    def bytes(self) -> int:
        """The size of all photos."""
        return sum(self.sizes.values())

    @property
    def photos(self) -> Path:
        """The folder that the job reads."""
        return self.folder / _PHOTOS


class Uploads:
    """All uploads on the volume. Only one process writes there, so quotas are counted in memory, beginning with the files on the disk."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._root = Path(settings.uploads_dir)
        self._clock = clock
        self._uploads: dict[str, Upload] = {}
        self.lock = threading.RLock()  # photos are written in threads

    def load(self) -> None:
        """Load the existing uploads, and delete incomplete photos. Raises OSError if the folder is unusable."""
        self._root.mkdir(parents=True, exist_ok=True)
        for namespace in disk.entries(self._root):
            for folder in disk.entries(namespace) if namespace.is_dir() and not namespace.is_symlink() else ():
                if _ID.fullmatch(folder.name) and not folder.is_symlink():
                    self._uploads[folder.name] = _loaded(namespace.name, folder)

    def uri(self, upload: Upload) -> str:
        """Return the address of the photos for the workers."""
        root = self._settings.uploads_uri or self._settings.uploads_dir
        return f"file://{root.rstrip('/')}/{upload.namespace}/{upload.id}/{_PHOTOS}"

    def begin(self, owner: str, namespace: str, named: Collection[str]) -> Upload:
        """Start an upload. `named`: the addresses that jobs reference. `namespace` must be validated (`web.names`). Raises UploadError."""
        identity = secrets.token_hex(16)
        upload = Upload(namespace, identity, owner, self._root / namespace / identity)
        with self.lock:
            mine = [other for other in self._uploads.values() if other.owner == owner and self.uri(other) not in named]
            if len(mine) >= _OPEN_UPLOADS:
                raise UploadError(
                    429, f"you have {len(mine)} uploads without a job: submit or discard one of them first"
                )
            upload.photos.mkdir(parents=True)
            (upload.folder / _OWNER).write_text(owner)
            self._uploads[identity] = upload
        return upload

    def find(self, owner: str, namespace: str, identity: str, named: Collection[str]) -> Upload:
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
        """Begin to receive a photo. Raises UploadError for an invalid name, or if the upload has the maximum number of photos."""
        if not _NAME.fullmatch(name):
            raise UploadError(
                400,
                f"{name!r:.120} is not a valid name of a photo: use letters and digits, and end it in .jpg, .png, .webp, .tif or .heic",
            )
        if name in upload.under_way:
            raise UploadError(409, f"{name} is already being uploaded")
        if name not in upload.sizes and len(upload.sizes) >= self._settings.upload_max_files:
            raise UploadError(413, f"an upload may have at most {self._settings.upload_max_files} photos")
        return Receiver(self, upload, name)

    def reserve(self, upload: Upload, name: str, size: int) -> None:
        """Count `size` more bytes of the photo. Raises UploadError if that would exceed a limit."""
        settings, free = self._settings, disk.free_bytes(self._root)
        if free is not None and free - size < settings.upload_free_bytes:
            raise UploadError(507, "the volume of uploads is nearly full: ask your administrator")
        with self.lock:
            photo, most = upload.sizes.get(name, 0) + size, settings.photo_max_bytes
            if photo > most:
                raise UploadError(413, f"{name} is larger than {most} bytes, the limit of one photo")
            if upload.bytes + size > (most := settings.upload_max_bytes):
                raise UploadError(413, f"these photos are larger than {most} bytes, the limit of one upload")
            of_user = sum(other.bytes for other in self._uploads.values() if other.owner == upload.owner)
            if of_user + size > settings.user_max_bytes:
                text = f"your photos are larger than {settings.user_max_bytes} bytes: delete jobs that you do not need"
                raise UploadError(413, text)
            upload.sizes[name] = photo

    def close(self, upload: Upload) -> None:
        """Close the upload, so that its photos no longer change. Raises UploadError if it is closed, empty, or still receiving photos."""
        if upload.closed:
            raise UploadError(409, _COMPLETE)
        if upload.under_way:
            raise UploadError(409, "photos are still being uploaded")
        if not upload.sizes:
            raise UploadError(400, "this upload has no photos")
        upload.closed = True

    def discard(self, upload: Upload) -> None:
        """Delete the upload. Raises OSError if a part of it could not be deleted."""
        upload.closed = True
        disk.delete_tree(upload.folder)
        with self.lock:
            self._uploads.pop(upload.id, None)

    def expired(self, named: Collection[str]) -> list[Upload]:
        """Return the uploads that no job references and that received no photo for `upload_keep_seconds`."""
        oldest = self._clock() - self._settings.upload_keep_seconds
        with self.lock:
            uploads = list(self._uploads.values())
        unnamed = [upload for upload in uploads if not upload.under_way and self.uri(upload) not in named]
        return [upload for upload in unnamed if _changed_at(upload.photos) < oldest]


class Receiver:
    """Writes one photo under a temporary name. `finish` renames it; without `finish` the end of the `with` block deletes it."""

    def __init__(self, uploads: Uploads, upload: Upload, name: str) -> None:
        self._uploads = uploads
        self._upload = upload
        self._name = name
        self._path = upload.photos / f".{secrets.token_hex(8)}"
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
        """Publish the complete photo. Raises UploadError if the file is not a photo."""
        self._check()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.rename(self._upload.photos / self._name)
        self._finished = True

    def _check(self) -> None:
        head = self._head
        magic = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*")
        if not (head.startswith(magic) or head[4:8] == b"ftyp" or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")):
            raise UploadError(415, f"{self._name} is not a JPEG, PNG, WebP, TIFF or HEIC file")


def owner_of(name: str) -> str:
    """Return the owner as it is stored: hashed, since a user name may have any characters and any length."""
    return hashlib.sha256(name.encode()).hexdigest()


def _loaded(namespace: str, folder: Path) -> Upload:
    owner = ""
    with contextlib.suppress(OSError):
        owner = disk.read_regular(folder / _OWNER, _MAX_OWNER_BYTES).decode("utf-8", "replace")
    upload = Upload(namespace, folder.name, owner, folder)
    for photo in disk.entries(upload.photos):
        if photo.name.startswith("."):
            photo.unlink(missing_ok=True)
        else:
            upload.sizes[photo.name] = photo.lstat().st_size
    return upload


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
