"""Input limits: the settings that limit inputs, as one value."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.contract.fingerprint import KnownInput
from reconstruction_operator.transfer import tenancy

Tick = Callable[[float, str], None]
"""Progress callback, called often: takes the fraction done (0.0 to 1.0) and a short message for users. If it raises,
the work ends."""


def section(tick: Tick, start: float, end: float) -> Tick:
    """Return the progress callback of a section of the work, from `start` to `end` (fractions of the whole)."""
    return lambda fraction, message: tick(start + (end - start) * fraction, message)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one job's input."""

    roots: tuple[Path, ...]  # file:// inputs must be below one of these
    jobs_dir: Path  # of all jobs; inputs must not be below it
    https_hosts: tuple[str, ...]  # empty: all public hosts
    max_bytes: int  # of one input, packed and unpacked
    max_files: int  # entries of one folder or archive
    max_pixels: int  # of one photo
    max_side: int  # px, of one photo
    timeout_seconds: float  # to connect, and for each read
    max_photos: int = 200  # of one set, with the frames of its videos
    frame_side: int = 0  # px, to which frames of videos are reduced; 0: as they are
    max_frames: int = 36_000  # of one video: 10 minutes at 60 a second
    max_chosen_frames: int = 300  # of one video; more take hours, and show little more
    span_bytes: int = 1 << 20  # least content of an HTTPS server in two minutes
    survey_seconds: float = 10.0  # for an archive on a disk; the rest of a large one is left to the run
    namespace: str = ""  # of the job
    granted: tuple[str, ...] | None = None  # the namespace's allowlist of folders and addresses; None: no limit
    known: tuple[KnownInput, ...] = ()  # inputs with existing results, which need not be copied
    schemes: tuple[str, ...] = ()  # enabled schemes of object storage
    aliases: tuple[tuple[Path, Path], ...] = ()  # (folder in URIs, folder on this worker)

    def located(self, path: Path) -> Path:
        """Return the location on this worker of a path in a URI. Does not check whether it may be read."""
        plain = Path(os.path.normpath(path))  # `..` must not lead out of an alias (path traversal)
        for named, real in self.aliases:
            if plain.is_relative_to(named):
                return real / plain.relative_to(named)
        return path

    @property
    def named_roots(self) -> tuple[str, ...]:
        """The roots as URIs name them."""
        named = {real: name for name, real in self.aliases}
        return tuple(str(named.get(root, root)) for root in self.roots)

    @classmethod
    def from_config(cls, namespace: str = "") -> Limits:
        """Return the limits for a job of that namespace, from the settings."""
        roots = [_root(entry) for entry in config.settings.INPUT_ROOTS]
        return cls(
            roots=tuple(real for _, real in roots),
            aliases=tuple((named, real) for named, real in roots if named != real),
            namespace=namespace,
            granted=tenancy.granted(config.settings.NAMESPACE_INPUTS, namespace),
            schemes=config.settings.STORAGE_SCHEMES,
            jobs_dir=Path(config.settings.JOBS_DIR),
            https_hosts=tuple(host.lower() for host in config.settings.INPUT_HTTPS_HOSTS),
            max_bytes=config.settings.INPUT_MAX_BYTES,
            max_files=config.settings.INPUT_MAX_FILES,
            max_pixels=config.settings.IMAGE_MAX_PIXELS,
            max_side=config.settings.IMAGE_MAX_SIDE,
            timeout_seconds=config.settings.DOWNLOAD_TIMEOUT_SECONDS,
        )


def overlap_with_jobs_dir() -> str:
    """Return why the settings would give jobs access to the folders of other jobs; empty if they do not."""
    jobs = Path(config.settings.JOBS_DIR).resolve()
    inputs = [("INPUT_ROOTS", real) for _, real in map(_root, config.settings.INPUT_ROOTS)]
    for name, root in (*inputs, *(("OUTPUT_ROOTS", Path(root)) for root in config.settings.OUTPUT_ROOTS)):
        real = root.resolve()
        if real.is_relative_to(jobs) or jobs.is_relative_to(real):
            text = "they must not contain each other, directly or through links"
            return f"{name} contains {root}, and JOBS_DIR is {config.settings.JOBS_DIR}: {text}"
    return ""


def _root(entry: str) -> tuple[Path, Path]:
    """Return the folder in URIs and the folder on this worker: from `/photos=/mnt/nas/photos`, or from one path for
    both.
    """
    named, is_alias, real = entry.partition("=/")  # with the slash: a folder's name may contain `=`
    return (Path(named), Path("/" + real)) if is_alias else (Path(entry), Path(entry))
