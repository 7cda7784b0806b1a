"""Upload to the gallery, which stores photos where the workers read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import quote

from reconstruction_operator.transfer.photos import masks

from kubectl_recon.errors import ReconError
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.photos.scanning import Photo


@contextmanager
def uploaded(
    gallery: Gallery, namespace: str, photos: Sequence[Photo], progress: Callable[[int], None]
) -> Iterator[str]:
    """Upload the photos, and yield the address where the workers read them.

    If that or the block fails, they are discarded.

    `progress` gets the bytes of each photo. Raises ReconError.
    """
    uploads = f"/api/namespaces/{quote(namespace, safe='')}/uploads"
    begun = gallery.post(uploads, {})
    upload = f"{uploads}/{begun['id']}"
    try:
        for target, photo in named(photos).items():
            gallery.put(f"{upload}/photos/{quote(target, safe='')}", photo.path)
            progress(photo.bytes)
        yield str(begun["uri"])
    except BaseException:
        with suppress(ReconError):
            gallery.delete(upload)
        raise


def named(photos: Sequence[Photo]) -> dict[str, Photo]:
    """Return the photos by names without folders; a mask gets its photo's name with `.mask.png`.

    Raises ReconError for duplicates.
    """
    by_name: dict[str, Photo] = {}
    for photo in photos:
        plain = masks.beside(photo.name).replace("/", "_")
        if plain in by_name:
            raise ReconError(f"{photo.name} and {by_name[plain].name} would have the same name: rename one of them")
        by_name[plain] = photo
    return by_name
