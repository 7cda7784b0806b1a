"""Photos left out of a computed scene: each has the reason that its features and matches give."""

from __future__ import annotations

from pathlib import Path

from reconstruction_operator.models.photogrammetry.sparse import left_out
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.left_out import LeftOut, Why


def test_each_photo_left_out_has_its_reason(tmp_path: Path) -> None:
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig = 1, 1, 5
    with pycolmap.Database.open(tmp_path / "features.db") as database:
        pycolmap.synthesize_dataset(options, database)
        aligned, elsewhere, unaligned, unmatched, blank = database.read_all_images()
        for other in (aligned, elsewhere, unaligned, blank):
            database.delete_two_view_geometry(unmatched.image_id, other.image_id)
        database.update_keypoints(blank.image_id, database.read_keypoints(blank.image_id)[:10])

    assert left_out.left_out(tmp_path / "features.db", [aligned.name], [aligned.name, elsewhere.name]) == (
        LeftOut(elsewhere.name, Why.APART),
        LeftOut(unaligned.name, Why.NOT_ALIGNED),
        LeftOut(unmatched.name, Why.NO_MATCHES),
        LeftOut(blank.name, Why.NO_FEATURES),
    )
