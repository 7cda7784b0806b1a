"""Feature matching: matches pairs of photos, verifies them by two-view geometry, and writes them to COLMAP's database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.colmap import CPU, pycolmap
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair


def match(
    pairs: Iterable[Pair],
    database: Path,
    scratch: Path,
    *,
    seed: int,
    threads: int,
    progress: StageProgress,
    guided: bool = False,
) -> int:
    """Match those of `pairs` (image names in `database`) that are not matched yet; return their number.

    `scratch` is a folder for lists of pairs. With `guided`, the features of an overlapping pair are matched again along epipolar
    lines. This nearly doubles the matches of that pair, and takes about ten times as long.
    """
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = threads
    options.use_gpu = False
    options.guided_matching = guided
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    pairing = pycolmap.ImportedPairingOptions()

    def call() -> None:
        # One call for all pairs, since each call rebuilds the search structures of its photos.
        pycolmap.match_image_pairs(
            database, matching_options=options, pairing_options=pairing, verification_options=verification, device=CPU
        )

    with pycolmap.Database.open(database) as reader:
        images = {str(image.name): image.image_id for image in reader.read_all_images()}
        new = [pair for pair in dict.fromkeys(pairs) if not reader.exists_matches(images[pair[0]], images[pair[1]])]
        if not new:
            return 0
        with tempfile.NamedTemporaryFile("w", dir=scratch, suffix=".txt", delete=False) as file:
            file.writelines(f"{first} {second}\n" for first, second in new)
        pairing.match_list_path = Path(file.name)
        before = reader.num_matched_image_pairs()

        def measure() -> tuple[float, str]:
            done = reader.num_matched_image_pairs() - before
            return done / len(new), f"matched {done}/{len(new)} pairs"

        progress.during(call, measure)
    return len(new)


def overlapping(database: Path) -> list[Pair]:
    """Return the pairs in `database` that have verified matches."""
    with pycolmap.Database.open(database) as opened:
        names = {image.image_id: str(image.name) for image in opened.read_all_images()}
        ids, inliers = opened.read_two_view_geometry_num_inliers()
        return [
            (names[first], names[second])
            for first, second in (
                pycolmap.pair_id_to_image_pair(pair) for pair, count in zip(ids, inliers, strict=True) if count
            )
        ]


def forget(pairs: Iterable[Pair], database: Path) -> None:
    """Delete the matches of those pairs."""
    with pycolmap.Database.open(database) as opened:
        images = {str(image.name): image.image_id for image in opened.read_all_images()}
        for first, second in pairs:
            opened.delete_matches(images[first], images[second])
            opened.delete_two_view_geometry(images[first], images[second])
