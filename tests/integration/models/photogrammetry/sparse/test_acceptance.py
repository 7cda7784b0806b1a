"""Photos of two objects: one is modelled, and the photos of the other are named."""

from __future__ import annotations

from pathlib import Path

from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.sparse import acceptance, features, pairs, registration
from reconstruction_operator.models.photogrammetry.sparse.mapping import Matched

from tests.support.engine import scenes
from tests.support.engine.geometry import QUIET


def test_the_photos_of_a_second_object_are_named(tmp_path: Path) -> None:
    cameras = scenes.around(4, arc_deg=45.0, size=300)
    pictures = [scenes.box_photo(camera, 1) for camera in cameras] + [
        scenes.box_photo(camera, 2) for camera in cameras[:3]
    ]
    paths = scenes.save(tmp_path / "photos", pictures)
    prepared = [PreparedPhoto(path.name, f"IMG_{path.name}", 300, 300, 360.0, "one") for path in paths]
    database = tmp_path / "features.db"
    features.extract(prepared, tmp_path / "photos", database, features=1500, threads=1, progress=QUIET)
    matched = Matched(database, tmp_path / "photos", tmp_path, len(prepared), seed=0, threads=1)
    registration.match(pairs.choose(database, 0), matched, QUIET)
    model = registration.register(matched, QUIET)
    sources = {photo.name: photo.source for photo in prepared}
    acceptance.check(model, sources)
    assert acceptance.warning(model, sources) == (
        "only 4 of 7 photos were aligned; 3 others show another object, or another "
        "side: IMG_04.jpg, IMG_05.jpg, IMG_06.jpg"
    )
