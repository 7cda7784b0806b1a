"""Loading photos: fetch them into the run's workspace, check and decode each once."""

from __future__ import annotations

from dataclasses import dataclass

from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.interface import Model, Photo
from reconstruction_operator.services import file_handler
from reconstruction_operator.transfer import digests, fetch, photos
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.names import Ignored

_FETCH_SHARE = 0.5  # of the step
_DIGEST_SHARE = 0.6  # with the digests; the rest is for decoding


@dataclass(frozen=True, slots=True)
class Loaded:
    """The checked photos, and the digest of the input; no photos if it is that of a known input."""

    photos: tuple[Photo, ...]
    digest: str
    known: bool = False


def load_photos(
    job_id: str,
    envelope: Envelope | None,
    *,
    model: Model,
    workspace: Workspace,
    limits: Limits,
    tick: Tick,
) -> Loaded:
    """The checked photos of the envelope's input; without an envelope, of the job's own input folder.

    An input that `limits` knows is neither decoded nor, if that can be seen before, copied. What `tick` raises ends the work.

    Raises StorageError if the input cannot be used.
    """
    fetching = section(tick, 0.0, _FETCH_SHARE)
    if envelope is None:
        fetched = fetch.take_folder(file_handler.input_dir(job_id), workspace.photos, limits, fetching)
    else:
        fetched = fetch.fetch(envelope.input_uri, workspace.photos, limits, fetching)
    digest = fetched.digest
    if not digests.is_known(digest, limits.known):
        check_count(len(fetched.photos), model, fetched.ignored)
        digest = digest or digests.of_photos(fetched.photos, section(tick, _FETCH_SHARE, _DIGEST_SHARE))
    if digests.is_known(digest, limits.known):
        return Loaded((), digest, known=True)
    checked = photos.check_all(fetched.photos, limits, section(tick, _DIGEST_SHARE, 1.0))
    return Loaded(tuple(Photo(one.path, one.width, one.height, one.bytes) for one in checked), digest)


def check_count(count: int, model: Model, ignored: Ignored) -> None:
    """Raises StorageError: TOO_FEW_IMAGES, TOO_MANY_IMAGES or UNSUPPORTED_FORMAT."""
    found = f"{count} photos were found{f' ({ignored.text})' if ignored.text else ''}; {model.name}"
    if count < model.min_photos and ignored.unread:
        text = f"{found} needs at least {model.min_photos}, and does not read {ignored.unread}"
        raise StorageError("UNSUPPORTED_FORMAT", text)
    if count < model.min_photos:
        raise StorageError("TOO_FEW_IMAGES", f"{found} needs at least {model.min_photos}")
    if count > model.max_photos:
        raise StorageError("TOO_MANY_IMAGES", f"{found} takes at most {model.max_photos}")
