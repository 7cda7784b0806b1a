"""Feature matching between pairs of photos, verified by two-view geometry; written to COLMAP's database."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.colmap import CPU, pycolmap
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair


def match(
    pairs: Iterable[Pair], database: Path, scratch: Path, *, seed: int, threads: int, progress: StageProgress
) -> int:
    """Matches those of `pairs` (image names in `database`) that are not matched yet; returns their number.

    `scratch` is a folder for lists of pairs.
    """
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = threads
    options.use_gpu = False
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    pairing = pycolmap.ImportedPairingOptions()

    def call() -> None:
        # One call for all pairs: each call rebuilds the search structures of its photos.
        pycolmap.match_image_pairs(
            database, matching_options=options, pairing_options=pairing, verification_options=verification, device=CPU
        )

    with pycolmap.Database.open(database) as reader:
        images = {str(image.name): image.image_id for image in reader.read_all_images()}
        new = [pair for pair in pairs if not reader.exists_matches(images[pair[0]], images[pair[1]])]
        if not new:
            return 0
        with tempfile.NamedTemporaryFile("w", dir=scratch, suffix=".txt", delete=False) as file:
            file.writelines(f"{first} {second}\n" for first, second in new)
        pairing.match_list_path = Path(file.name)
        before = reader.num_matched_image_pairs()

        def measure(_: float) -> tuple[float, str]:
            done = reader.num_matched_image_pairs() - before
            return done / len(new), f"matched {done}/{len(new)} pairs"

        progress.during(call, measure)
    return len(new)
