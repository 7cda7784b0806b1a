"""File names: decide which files of an input are photos, and name these in one flat folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconstruction_operator.transfer.photos import masks

HEIC_SUFFIXES = (".heic", ".heif", ".hif")
VIDEO_SUFFIXES = (".mp4", ".mov")  # of which frames become photos
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", *HEIC_SUFFIXES, *VIDEO_SUFFIXES)
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw"),
    *(".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
_UNREAD_SUFFIXES = {  # suffixes of pictures that no worker reads: users must export them
    "camera RAW": RAW_SUFFIXES,
    "video": (".avi", ".m4v", ".mkv", ".mts", ".webm"),
    "picture": (".avif", ".bmp", ".gif", ".jp2", ".jxl", ".psd"),
}
_UNREAD = {suffix: kind for kind, suffixes in _UNREAD_SUFFIXES.items() for suffix in suffixes}
_JUNK_FOLDERS = ("__MACOSX", "@eaDir", ".AppleDouble", ".Trashes", ".Spotlight-V100")
_MAX_NAME_BYTES = 200  # file systems allow 255; the rest is for a suffix that makes the name unique
_MAX_DIGITS = 0xD7FF  # beyond it are code points that are not valid characters
_MAX_KINDS = 4  # of files, in a message
_FOLLOWED = "only links to files in the same folder or below it are followed"
_UNSAFE = re.compile(r"[^\w.() +,=@-]")


@dataclass(frozen=True, slots=True)
class Ignored:
    """The files of an input that are not photos, as texts for messages."""

    text: str = ""  # such as "3 other files ignored: 2 .cr2, 1 .txt"; empty: no such files
    unread: str = ""  # pictures in formats that no worker reads, such as "2 .cr2 (camera RAW)"; empty: no such files


@dataclass(frozen=True, slots=True)
class Fetched:
    """A fetched input: its photos in natural order of their names, and a description of the ignored files.

    If the caller already knows the digest, the input was not copied and `photos` is empty.
    """

    photos: tuple[Path, ...]
    ignored: Ignored
    digest: str = ""  # digest of the input (`digests`); empty: not computed
    etag: str = ""  # ETag of an archive on an https:// server; empty: the server sends none


def is_plain(name: str) -> bool:
    """Return whether `flattened` keeps all characters of a relative path but the slashes."""
    return not _UNSAFE.search(name.replace("/", "_"))


def is_junk(name: str) -> bool:
    """Return whether macOS or a file server created the file (`._IMG_1.JPG` is not a photo); `name`
    is a relative path.
    """
    parts = PurePosixPath(name).parts
    return any(part in _JUNK_FOLDERS for part in parts) or (bool(parts) and parts[-1].startswith("."))


def is_photo(name: str) -> bool:
    """Return whether the suffix is that of a photo or video; `name` is a relative path."""
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES and not is_junk(name)


def is_video(name: str) -> bool:
    """Return whether the suffix is that of a video."""
    return name.lower().endswith(VIDEO_SUFFIXES)


def natural(name: str) -> str:
    """Return the sort key under which `IMG_9` comes before `IMG_10`."""
    return re.sub(r"\d+", _comparable, name.lower())


def _comparable(digits: re.Match[str]) -> str:
    """Return digits as a text that sorts by their value: first by length.

    Python converts at most 4300 digits to a number.
    """
    number = digits[0].lstrip("0")
    return f"\0{chr(min(len(number), _MAX_DIGITS))}{number}"


def flattened(names: Sequence[str]) -> list[str]:
    """Return a name without slashes for each relative path. The names are unique, ignoring case.

    Folders that all paths share are dropped; others become part of the name: `a/1.jpg`, `b/1.jpg` -> `a_1.jpg`,
    `b_1.jpg`. A mask is named after its photo.
    """
    paths = [PurePosixPath(masks.beside(name)).parts for name in names]
    shared = 0
    while all(len(parts) > shared + 1 for parts in paths) and len({parts[shared] for parts in paths}) == 1:
        shared += 1
    taken: set[str] = set()
    result = []
    for parts in paths:
        plain = _UNSAFE.sub("_", "_".join(parts[shared:])).lstrip(".-") or "photo"
        stem = PurePosixPath(plain).stem
        suffix = PurePosixPath(plain).suffix
        stem = stem.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
        name, count = stem + suffix, 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}-{count}{suffix}"
        taken.add(name.lower())
        result.append(name)
    return result


def ignored(names: Iterable[str], links: int = 0) -> Ignored:
    """Return the texts about files that are not photos, and about `links`, which are not followed.

    Files that an operating system adds are not counted.
    """
    kinds = Counter(printable(PurePosixPath(name).suffix.lower()[:12]) for name in names if not is_junk(name))
    total = kinds.total() + links
    if not total:
        return Ignored()
    counted = [f"{count} {kind or 'without suffix'}" for kind, count in kinds.most_common(_MAX_KINDS)]
    linked = [f"{links} {'link' if links == 1 else 'links'} ({_FOLLOWED})"] if links else []
    label = ", ".join([*linked, *counted])
    unread = [f"{count} {kind} ({_UNREAD[kind]})" for kind, count in kinds.most_common() if kind in _UNREAD]
    return Ignored(
        f"{total} other {'file' if total == 1 else 'files'} ignored: {label}", ", ".join(unread[:_MAX_KINDS])
    )


def printable(text: str) -> str:
    """Return the text with a placeholder for each unprintable character, such as a byte that is not valid UTF-8."""
    return "".join(char if char.isprintable() else "�" for char in text)
