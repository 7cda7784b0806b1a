"""Loading photos: copies them into the run's workspace and decodes each once, or takes over the photos of an earlier
attempt.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.fingerprint import KnownInput
from reconstruction_operator.contract.photos import Photo
from reconstruction_operator.jobfiles import photos as keeping
from reconstruction_operator.jobfiles import workspace as spaces
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.jobfiles.photos import KeptPhotos
from reconstruction_operator.models.interface import Model
from reconstruction_operator.services import file_handler
from reconstruction_operator.transfer import digests, fetch
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.names import Fetched, Ignored, is_video
from reconstruction_operator.transfer.photos import masks, process
from reconstruction_operator.units import counted

_FETCH_SHARE = 0.5  # share of the step
_DIGEST_SHARE = 0.6  # share of the step, with the digests
_CHECK_SHARE = 0.95  # share of the step, with decoding; the rest is for keeping the photos


@dataclass(frozen=True, slots=True)
class Loaded:
    """The checked photos and the digest of the input. There are no photos if the input is known."""

    photos: tuple[Photo, ...]
    digest: str
    bytes: int = 0  # total size of the user's files, with masks
    known: bool = False

    @property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of each photo."""
        return tuple(photo.sha256 for photo in self.photos)


CopyInput = Callable[[Limits, Tick], Fetched]
"""Copies an input into `Workspace.photos`. An input that the limits know is only identified."""


def input_of(envelope: Envelope, workspace: Workspace) -> CopyInput:
    """Return what copies the envelope's input; of a bare task, the photos in the job's own input folder."""
    if not envelope.attempt.is_bare:
        return partial(fetch.fetch, envelope.input_uri, workspace.photos, workspace.fetched)
    folder = file_handler.input_dir(envelope.attempt.job_id)
    return partial(fetch.copy_folder, folder.resolve(), str(folder), workspace.photos)


def load_photos(copy_input: CopyInput, *, model: Model, workspace: Workspace, limits: Limits, tick: Tick) -> Loaded:
    """Return the checked photos of an input.

    Photos of an input in `limits.known` are not decoded. They are not even copied, if the digest can be computed
    before. The same holds for photos that an earlier attempt has checked and kept. An exception of `tick` ends the
    work.

    Raises StorageError if the input cannot be used.
    """
    load = partial(_fetch, copy_input, model=model, tick=tick)
    kept = keeping.read(workspace)
    earlier = () if kept is None else (_known(kept),)
    fetched = load(replace(limits, known=(*limits.known, *earlier)))
    if kept is not None and fetched.digest == kept.digest and not digests.is_known(kept.digest, limits.known):
        if keeping.are_whole(kept, partial(tick, 0.0, "")):
            spaces.empty(workspace.photos)
            tick(1.0, f"{counted(len(kept.photos), 'photo')} of an earlier attempt")
            return _loaded(kept.photos, kept.digest)
        spaces.empty(workspace.photos)
        fetched = load(limits)
    if digests.is_known(fetched.digest, limits.known):
        return Loaded((), fetched.digest, known=True)
    frame_side = getattr(model, "max_image_side", 0)
    limits = replace(limits, max_photos=model.max_photos, frame_side=frame_side)
    checked = process.check_all(fetched.photos, limits, section(tick, _DIGEST_SHARE, _CHECK_SHARE))
    check_count(masks.count_photos(photo.path.name for photo in checked), model, fetched.ignored)
    check = partial(section(tick, _CHECK_SHARE, 1.0), 0.0, "")
    photos = keeping.keep(workspace, fetched.digest, checked, check, etag=fetched.etag)
    return _loaded(photos, fetched.digest)


def _fetch(copy_input: CopyInput, limits: Limits, *, model: Model, tick: Tick) -> Fetched:
    """Take the photos, and compute the digest of the input. A known input is only identified."""
    fetched = copy_input(limits, section(tick, 0.0, _FETCH_SHARE))
    if digests.is_known(fetched.digest, limits.known):
        return fetched
    if not any(is_video(path.name) for path in fetched.photos):  # their frames are counted later
        check_count(masks.count_photos(path.name for path in fetched.photos), model, fetched.ignored)
    photos = {path.name: partial(io.FileIO, path) for path in fetched.photos}
    digest = fetched.digest or digests.of_photos(photos, section(tick, _FETCH_SHARE, _DIGEST_SHARE))
    return replace(fetched, digest=digest)


def _known(kept: KeptPhotos) -> KnownInput:
    count = masks.count_photos(photo.path.name for photo in kept.photos)
    return KnownInput(kept.digest, count, kept.bytes, kept.etag)


def _loaded(files: Sequence[Photo], digest: str) -> Loaded:
    """Return the photos among the checked files, each with its mask."""
    named = {photo.path.name: photo for photo in files}
    photos = tuple(
        replace(named[name], mask=named[mask].path if mask else None) for name, mask in masks.of_photos(named).items()
    )
    return Loaded(photos, digest, sum(photo.bytes for photo in files))


def check_count(count: int, model: Model, ignored: Ignored) -> None:
    """Check the number of photos. Raises StorageError: TOO_FEW_IMAGES, TOO_MANY_IMAGES or UNSUPPORTED_FORMAT."""
    were = f"{counted(count, 'photo')} {'was' if count == 1 else 'were'} found"
    summary = f"{were}{f' ({ignored.text})' if ignored.text else ''}; {model.name}"
    if count < model.min_photos and ignored.unread:
        text = f"{summary} needs at least {model.min_photos}, and does not read {ignored.unread}"
        raise StorageError("UNSUPPORTED_FORMAT", text)
    if count < model.min_photos:
        raise StorageError("TOO_FEW_IMAGES", f"{summary} needs at least {model.min_photos}")
    if count > model.max_photos:
        raise StorageError("TOO_MANY_IMAGES", f"{summary} takes at most {model.max_photos}")
