"""Upload to the gallery, which stores photos where the workers read them, and creates the job as the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from reconstruction_operator.transfer.photos import masks

from kubectl_recon.errors import ReconError
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.photos.scanning import Photo

_FIELDS: Final = ("modelType", "parameters", "queue", "priority", "output")  # of a spec that the gallery accepts


def submit(gallery: Gallery, body: Mapping[str, Any], photos: Sequence[Photo], progress: Callable[[int], None]) -> None:
    """Upload the photos and create the job of the manifest `body` for them. A failed upload is discarded.

    `progress` gets the bytes of each photo.
    """
    metadata, spec = body["metadata"], body["spec"]
    uploads = f"/api/namespaces/{quote(metadata['namespace'], safe='')}/uploads"
    upload = f"{uploads}/{gallery.post(uploads, {})['id']}"
    try:
        for target, photo in named(photos).items():
            gallery.put(f"{upload}/photos/{quote(target, safe='')}", photo.path)
            progress(photo.bytes)
        accepted = {key: spec[key] for key in _FIELDS if key in spec}
        gallery.post(f"{upload}/job", {"name": metadata["name"], "spec": accepted})
    except BaseException:
        with suppress(ReconError):
            gallery.delete(upload)
        raise


def named(photos: Sequence[Photo]) -> dict[str, Photo]:
    """Return the photos by names without folders; a mask gets its photo's name with `.mask.png`. Raises ReconError for duplicates."""
    by_name: dict[str, Photo] = {}
    for photo in photos:
        plain = masks.beside(photo.name).replace("/", "_")
        if plain in by_name:
            raise ReconError(f"{photo.name} and {by_name[plain].name} would have the same name: rename one of them")
        by_name[plain] = photo
    return by_name
