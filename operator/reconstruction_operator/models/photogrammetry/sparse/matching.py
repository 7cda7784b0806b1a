"""Feature matching between pairs of photos, verified by two-view geometry; written to COLMAP's database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.colmap import CPU, pycolmap


def match(
    pairs: Sequence[tuple[str, str]], database: Path, scratch: Path, *, seed: int, threads: int, progress: StageProgress
) -> None:
    """Matches each of `pairs` (image names in `database`). `scratch` is a folder for lists of pairs."""
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = threads
    options.use_gpu = False
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = seed
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = scratch / "pairs.txt"
    pairing.match_list_path.write_text("".join(f"{first} {second}\n" for first, second in pairs))

    def call() -> None:
        # One call for all pairs: each call rebuilds the search structures of its photos.
        pycolmap.match_image_pairs(
            database, matching_options=options, pairing_options=pairing, verification_options=verification, device=CPU
        )

    with pycolmap.Database.open(database) as reader:

        def measure(_: float) -> tuple[float, str]:
            done = reader.num_matched_image_pairs()
            return done / len(pairs), f"matched {done}/{len(pairs)} pairs"

        progress.during(call, measure)
