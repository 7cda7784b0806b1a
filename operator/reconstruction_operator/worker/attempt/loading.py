"""Loading photos: fetch them into the run's workspace, check and decode each once."""

from __future__ import annotations

from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.jobfiles.layout import Workspace
from reconstruction_operator.models.interface import Model, Photo
from reconstruction_operator.services import file_handler
from reconstruction_operator.transfer import fetch, photos
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Limits, Tick, section
from reconstruction_operator.transfer.names import Ignored

_FETCH_SHARE = 0.5  # of the step; the rest is for decoding


def load_photos(
    job_id: str, envelope: Envelope | None, *, model: Model, workspace: Workspace, limits: Limits, tick: Tick
) -> tuple[Photo, ...]:
    """The checked photos of the envelope's input; without an envelope, of the job's own input folder.

    What `tick` raises ends the work. Raises StorageError if the input cannot be used.
    """
    fetching, checking = section(tick, 0.0, _FETCH_SHARE), section(tick, _FETCH_SHARE, 1.0)
    if envelope is None:
        fetched = fetch.take_folder(file_handler.input_dir(job_id), workspace.photos, limits, fetching)
    else:
        fetched = fetch.fetch(envelope.input_uri, workspace.photos, limits, fetching)
    check_count(len(fetched.photos), model, fetched.ignored)
    return tuple(
        Photo(one.path, one.width, one.height, one.bytes) for one in photos.check_all(fetched.photos, limits, checking)
    )


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
