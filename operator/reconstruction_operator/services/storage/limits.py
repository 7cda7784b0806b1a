"""What an input may be, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator import config

Tick = Callable[[float, str], None]
"""Called often while something takes long: takes the fraction that is done (0.0 to 1.0) and a short message for people.
Whatever it raises ends the work."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that inputs depend on (`config` has the defaults)."""

    roots: tuple[Path, ...]  # file:// inputs lie below one of these
    jobs_dir: Path  # and never below this one
    https_hosts: tuple[str, ...]  # empty: all public ones
    max_bytes: int  # of one input, also once unpacked
    max_files: int  # entries of one folder or archive
    max_pixels: int  # of one photo
    max_side: int  # px, of one photo
    timeout_seconds: float  # to connect, and for each read

    @classmethod
    def from_config(cls) -> Limits:
        """As this process is set."""
        return cls(
            roots=tuple(Path(root) for root in config.INPUT_ROOTS),
            jobs_dir=Path(config.JOBS_DIR),
            https_hosts=tuple(host.lower() for host in config.INPUT_HTTPS_HOSTS),
            max_bytes=config.INPUT_MAX_BYTES,
            max_files=config.INPUT_MAX_FILES,
            max_pixels=config.IMAGE_MAX_PIXELS,
            max_side=config.IMAGE_MAX_SIDE,
            timeout_seconds=config.DOWNLOAD_TIMEOUT_SECONDS,
        )
