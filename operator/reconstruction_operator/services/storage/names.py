"""Which files of an input are photos, and what they are called in one flat folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
_JUNK_FOLDERS = ("__MACOSX", "@eaDir", ".AppleDouble", ".Trashes", ".Spotlight-V100")
_MAX_NAME_BYTES = 200  # of 255 that a file system takes: room for what makes it unique
_MAX_KINDS = 4  # in a message
_UNSAFE = re.compile(r"[^\w.() +,=@-]")


def is_junk(name: str) -> bool:
    """Whether it is something that macOS or a file server left (`._IMG_1.JPG` is no photo); `name` is a relative path."""
    parts = PurePosixPath(name).parts
    return any(part in _JUNK_FOLDERS for part in parts) or (bool(parts) and parts[-1].startswith("."))


def is_photo(name: str) -> bool:
    """Whether the name says that it is a photo; `name` is a relative path."""
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES and not is_junk(name)


def natural(name: str) -> tuple[object, ...]:
    """Sort key under which `IMG_9` comes before `IMG_10`."""
    pieces = re.split(r"(\d+)", name.lower())
    return tuple((0, int(one), "") if one.isdecimal() else (1, 0, one) for one in pieces)


def flattened(names: Sequence[str]) -> list[str]:
    """A name for each relative path, unique without regard to case, none with a slash.

    Folders that all share are left out; others become part of the name: `a/1.jpg`, `b/1.jpg` -> `a_1.jpg`, `b_1.jpg`.
    """
    paths = [PurePosixPath(name).parts for name in names]
    shared = 0
    while all(len(parts) > shared + 1 for parts in paths) and len({parts[shared] for parts in paths}) == 1:
        shared += 1
    taken: set[str] = set()
    result = []
    for parts in paths:
        plain = _UNSAFE.sub("_", "_".join(parts[shared:])).lstrip(".-") or "photo"
        stem, suffix = PurePosixPath(plain).stem, PurePosixPath(plain).suffix
        stem = stem.encode()[:_MAX_NAME_BYTES].decode(errors="ignore")
        name, count = stem + suffix, 1
        while name.lower() in taken:
            count += 1
            name = f"{stem}-{count}{suffix}"
        taken.add(name.lower())
        result.append(name)
    return result


def ignored_text(names: Iterable[str]) -> str:
    """What was left out, for a message: "3 other files ignored: 2 .heic, 1 .txt"; empty for none."""
    kinds = Counter(PurePosixPath(name).suffix.lower()[:12] or "without suffix" for name in names if not is_junk(name))
    if not kinds:
        return ""
    total = kinds.total()
    shown = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_MAX_KINDS))
    return f"{total} other {'file' if total == 1 else 'files'} ignored: {shown}"
