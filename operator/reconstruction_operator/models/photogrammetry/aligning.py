"""Alignment: from the photos of a job to the sparse model of their cameras and points.

Photos, features and matches are kept, and several workers may make them in parts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from reconstruction_operator.models import parts
from reconstruction_operator.models.interface import Work
from reconstruction_operator.models.photogrammetry import dividing
from reconstruction_operator.models.photogrammetry.input import backgrounds, photos
from reconstruction_operator.models.photogrammetry.input import known as known_photos
from reconstruction_operator.models.photogrammetry.input.known import KnownPhotos
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.kept import FEATURES, MATCHES, PAIRS, PHOTOS, SPARSE
from reconstruction_operator.models.photogrammetry.parameters import PART_SIZES
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.run import Run
from reconstruction_operator.models.photogrammetry.sparse import (
    acceptance,
    features,
    known,
    model_file,
    pairs,
    registration,
)
from reconstruction_operator.models.photogrammetry.sparse.known import Known
from reconstruction_operator.models.photogrammetry.sparse.mapping import Matched, SparseModel
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair
from reconstruction_operator.models.photogrammetry.timing.costs import Learned, Stage
from reconstruction_operator.models.stage_functions import stage
from reconstruction_operator.models.stages import Stages

_PHOTOS = "photos.json"
_PAIRS = "pairs.json"


def prepared_photos(
    stages: Stages, work: Work, max_size: int, progress: StageProgress, *, part_size: int = PART_SIZES.photos
) -> tuple[list[PreparedPhoto], Path]:
    """Return the prepared photos, and the folder of their files; raises as `photos.prepare`.

    With helpers they are prepared in parts of at most `part_size`.
    """

    def prepare(folder: Path) -> None:
        other = stages.related(PHOTOS)
        copy = (KnownPhotos.read(other.path) if other else KnownPhotos()).copy

        def make(into: Path, wanted: range, report: StageProgress) -> None:
            made = photos.prepare(
                work.photos, into, max_size, threads=work.threads, progress=report, known=copy, wanted=wanted
            )
            _write_photos(into, made)

        names = [photo.path.name for photo in photos.in_order(work.photos)]
        made = dividing.made(stages, PHOTOS, names, part_size, make=make, progress=progress)
        parts.gather(made, folder, without=_PHOTOS)
        if not made:
            make(folder, range(len(names)), progress)
        whole = [photo for part in made or [folder] for photo in _read_photos(part)]
        known_photos.write(folder, work.photos, whole)
        _write_photos(folder, backgrounds.masked(whole, folder))

    folder = stages.made(PHOTOS, prepare)
    return _read_photos(folder), folder


def _write_photos(folder: Path, made: Sequence[PreparedPhoto]) -> None:
    (folder / _PHOTOS).write_text(json.dumps([asdict(photo) for photo in made]))


def _read_photos(folder: Path) -> list[PreparedPhoto]:
    return [known_photos.decoded(entry) for entry in json.loads((folder / _PHOTOS).read_text())]


@stage(SPARSE, model_file.write, model_file.read, replaces=(FEATURES,), is_basis=True)
def aligned(run: Run) -> SparseModel:
    """Return the sparse model of the photos."""
    database, count = run.work.scratch_dir / known.DATABASE, len(run.prepared)
    matched = Matched(database, run.pictures, run.work.scratch_dir, count, run.settings.seed, run.work.threads)
    keys = known.keys_of(run.prepared, run.pictures, features.most_each(run.settings.features, count))
    fill_database(
        run.stages, database, keys, extract=partial(_extract, run, database), match=partial(_match, run, matched)
    )
    acceptance.check_matches(database, count)
    model = registration.register(matched, run.progress(Stage.ALIGNMENT))
    run.timetable.announce(acceptance.findings(model, run.sources))
    acceptance.check(model, run.sources)
    return model


def fill_database(
    stages: Stages,
    database: Path,
    keys: Mapping[str, str],
    *,
    extract: Callable[[Known | None], None],
    match: Callable[[Known | None], None],
) -> None:
    """Fill `database` with features and matches, from stages or else by `extract` and `match`.

    These get what is known of some of the photos, whose `keys` (`known.keys_of`) are by their names.
    """

    def keep(folder: Path) -> None:
        known.write(folder, database, keys)

    def related(name: str) -> Known | None:
        other = stages.related(name)
        return Known.of(other.path, keys, database.with_name("known.db")) if other else None

    found = stages.find(MATCHES) or stages.find(FEATURES)
    earlier = related(MATCHES) or related(FEATURES) if found is None or found.name == FEATURES else None
    if found is not None:
        # A copy: COLMAP writes to a database that it opens.
        shutil.copyfile(found.path / known.DATABASE, database)
    else:
        extract(earlier)
        stages.keep(FEATURES, keep)
    if found is None or found.name == FEATURES:
        match(earlier)
        stages.keep(MATCHES, keep, replaces=(FEATURES, PAIRS))


def _extract(run: Run, database: Path, earlier: Known | None) -> None:
    """Write the features of the photos to `database`."""
    progress = run.progress(Stage.FEATURES)
    features.extract(
        run.prepared,
        run.pictures,
        database,
        features=run.settings.features,
        threads=run.work.threads,
        progress=progress,
        known=earlier.copy_features if earlier else lambda _: (),
        divided=lambda names, make: dividing.made(
            run.stages, FEATURES, names, run.sizes.features, make=make, progress=progress
        ),
    )


def _match(run: Run, matched: Matched, earlier: Known | None) -> None:
    """Write the matches of the photos to their database, which has their features."""
    database, progress = matched.database, run.progress(Stage.MATCHES)
    chosen = _pairs(run, database)
    run.timetable.learn(Learned(features=features.mean(database)))
    if earlier is not None:
        earlier.copy_matches(database, chosen)
    new = registration.unmatched(chosen, database)

    def make(into: Path, wanted: range, report: StageProgress) -> None:
        those = new[wanted.start : wanted.stop]
        registration.match(those, matched, report)
        known.write_matches(into, database, those)

    names = [f"{first} {second}" for first, second in new]
    made = dividing.made(run.stages, MATCHES, names, run.sizes.pairs, make=make, progress=progress)
    for part in made:
        known.read_matches(part, database, new, database.with_name("part.db"))
    if not made:
        registration.match(new, matched, progress)


def _write_pairs(folder: Path, chosen: Sequence[Pair]) -> None:
    (folder / _PAIRS).write_text(json.dumps(chosen))


def _read_pairs(folder: Path) -> list[Pair]:
    return [(first, second) for first, second in json.loads((folder / _PAIRS).read_text())]


@stage(PAIRS, _write_pairs, _read_pairs)
def _pairs(run: Run, database: Path) -> list[Pair]:
    """Return the pairs of photos in `database` to match."""
    return pairs.choose(database, run.settings.seed)
