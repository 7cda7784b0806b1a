"""Pipeline: runs all stages of a reconstruction in order, and keeps what they make.

What is read back equals what was written, so a resumed run makes the same result as an uninterrupted run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import cv2

from reconstruction_operator.models import parts
from reconstruction_operator.models.interface import EARLY_LOOK, Report, Result, Step, Work
from reconstruction_operator.models.photogrammetry import arrays, dividing, finishing
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.dense import depthmaps, fusion, selection, views
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthSource, DepthTask
from reconstruction_operator.models.photogrammetry.input import backgrounds, photos
from reconstruction_operator.models.photogrammetry.input import known as known_photos
from reconstruction_operator.models.photogrammetry.input.known import KnownPhotos
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.output import early
from reconstruction_operator.models.photogrammetry.parameters import PART_SIZES, STAGE_NAMES, PartSizes, QualitySettings
from reconstruction_operator.models.photogrammetry.placing import upright
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.run import Fit, Run, Scene
from reconstruction_operator.models.photogrammetry.sparse import (
    acceptance,
    features,
    known,
    model_file,
    pairs,
    registration,
)
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, reduced_camera
from reconstruction_operator.models.photogrammetry.sparse.known import Known
from reconstruction_operator.models.photogrammetry.sparse.mapping import Matched, SparseModel
from reconstruction_operator.models.photogrammetry.sparse.pairs import Pair
from reconstruction_operator.models.photogrammetry.surface import consistency, regions, surface, trimming
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.surface.regions import Region
from reconstruction_operator.models.photogrammetry.surface.surface import Samples
from reconstruction_operator.models.photogrammetry.timing import costs
from reconstruction_operator.models.photogrammetry.timing.costs import Learned, Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable
from reconstruction_operator.models.stages import Stages, stage, stage_folder

PHOTOS, FEATURES, PAIRS, MATCHES, SPARSE = "photos", "features", "pairs", "matches", "sparse-model"
SELECTION, VIEWS, DEPTHS, SAMPLES, SURFACE = "selection", "views", "depth-maps", "surface-points", "surface"

# The name of each kept stage, in order -> the last pipeline stage that it contains, and the settings that it reads in
# addition to those of the stages before it
_KEPT: Mapping[str, tuple[Stage, tuple[str, ...]]] = MappingProxyType(
    {
        PHOTOS: (Stage.PHOTOS, ("max_image_size",)),
        FEATURES: (Stage.FEATURES, ("features",)),
        PAIRS: (Stage.FEATURES, ("seed",)),
        MATCHES: (Stage.MATCHES, ()),
        SPARSE: (Stage.ALIGNMENT, ()),
        SELECTION: (Stage.ALIGNMENT, ("depth_sources",)),
        VIEWS: (Stage.VIEWS, ()),
        DEPTHS: (Stage.DEPTHS, ("depth_size", "depth_planes", "refined_sizes", "diagonal_paths", "patch_match")),
        SAMPLES: (Stage.FUSION, ("crop", "octree_depth")),
        SURFACE: (Stage.REFINEMENT, ("refine",)),
    }
)
NAMES = tuple(_KEPT)
_BETWEEN = {
    PAIRS: "matches",
    SELECTION: "views",
}  # kept, so that a helper need not compute it again, but no stage that a user may name
_FOLLOWS = {name: _BETWEEN.get(name, "") for name in NAMES} | dict(
    zip([name for name in NAMES if name not in _BETWEEN], STAGE_NAMES[1:], strict=True)
)

_PHOTOS = "photos.json"
_PAIRS = "pairs.json"
_SELECTION = "selection.json"


Selection: TypeAlias = tuple[SparseModel, list[tuple[int, ...]]]
"""A sparse model without photos of poor quality, and the sources of the view of each photo."""


def reconstruct(
    work: Work,
    settings: QualitySettings,
    report: Report,
    depths: DepthSource,
    *,
    sizes: PartSizes,
    divides_depths: bool,
) -> Result:
    """Write meshes and previews to `work.output_dir`; raises ModelFailure as `PhotogrammetryModel.run`.

    A helper makes parts of a stage, and raises HelpOver.
    """
    cv2.setNumThreads(work.threads)
    if work.helps:
        report = _without_estimates(report)
    with Timetable(report, partial(costs.expected_seconds, work.photos, settings, work.threads)) as timetable:
        stages = stages_of(work, settings)
        sizes = dividing.worthwhile(sizes, work.photos, settings)
        announce(stages, timetable, work)
        progress = timetable.stage(Stage.PHOTOS)
        prepared, pictures = prepared_photos(stages, work, settings.max_image_size, progress, size=sizes.photos)
        return _model(
            Run(work, settings, timetable, stages, prepared, pictures, depths, sizes, divides_depths=divides_depths)
        )


def _without_estimates(report: Report) -> Report:
    """Return what passes on the progress of a helper, which does not go on to the end of the run."""

    def parts_only(step: Step, fraction: float, message: str = "", **_: object) -> None:
        report(step, fraction, message)

    return parts_only


def stages_of(work: Work, settings: QualitySettings) -> Stages:
    """Return the stages of the run.

    Another job uses one if it has the same photos and the settings that the stage reads.
    """

    def reads(name: str) -> list[object]:
        return [getattr(settings, read) for kept in NAMES[: NAMES.index(name) + 1] for read in _KEPT[kept][1]]

    return Stages.of(work, reads, _FOLLOWS)


def announce(stages: Stages, timetable: Timetable, work: Work) -> None:
    """Report the stage after which the run resumes, if an earlier attempt or another job has finished one; or else, how
    many photos another run has had. A helper reports nothing.

    Raises StageElsewhere if another worker is to continue.
    """
    if work.helps:
        stages.find(PHOTOS)  # before the keys of what is not found yet rest on the sparse model
        if stages.find(SPARSE):
            stages.rest_on(SPARSE)
        return
    finished = []
    for name in NAMES:
        if (kept := stages.find(name)) is not None:
            finished.append(kept)
            if name == SPARSE:
                stages.rest_on(SPARSE)
    if finished:
        timetable.resume(_KEPT[finished[-1].name][0], str(finished[-1]))
        stages.turn(_FOLLOWS[finished[-1].name])
        return
    stages.turn(STAGE_NAMES[0])
    other = stages.related(PHOTOS)
    count = KnownPhotos.read(other.path).count(work.photos) if other else 0
    if other and count:
        timetable.learn(Learned(known=count))
        timetable.tell(f"{other} ({count} of {len(work.photos)} photos)")


def prepared_photos(
    stages: Stages, work: Work, max_size: int, progress: StageProgress, *, size: int = PART_SIZES.photos
) -> tuple[list[PreparedPhoto], Path]:
    """Return the prepared photos, and the folder of their files; raises as `photos.prepare`.

    With helpers they are prepared in parts of at most `size`.
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
        made = dividing.made(stages, PHOTOS, names, size, make=make, progress=progress)
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


def _model(run: Run) -> Result:
    """Reconstruct the photos; raises as `reconstruct`."""
    sparse = _aligned(run)
    if not run.work.helps:
        _show_early(run, sparse)
    run.timetable.learn(Learned(aligned=len(sparse.photos)))
    scene = _scene(run, sparse)
    samples = _samples(run, scene, sparse.points)
    region = scene.region(samples.spread)
    run.timetable.learn(Learned(points=len(samples.points), doublings=region.doublings))
    mesh = _surface(run, scene, samples, region)
    run.stages.drop_others()
    return finishing.finish(run, scene, Fit(mesh, samples, region))


@stage(SPARSE, model_file.write, model_file.read, replaces=(FEATURES,), is_basis=True)
def _aligned(run: Run) -> SparseModel:
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


def _show_early(run: Run, sparse: SparseModel) -> None:
    """Report which photos are aligned and which are left out, with a picture of the cameras, long before the end."""
    pitches = {photo.name: photo.pitch_deg for photo in run.prepared}
    held = upright.held([photo.camera for photo in sparse.photos], [pitches[photo.name] for photo in sparse.photos])
    early.write(run.work.scratch_dir / EARLY_LOOK, sparse, held.up, run.pictures)
    run.timetable.announce(acceptance.findings(sparse, run.sources))


def _scene(run: Run, sparse: SparseModel) -> Scene:
    """Return what the trusted photos of the sparse model show."""
    checking = run.progress(Stage.VIEWS).part(0.0, 0.2)
    straightening = run.progress(Stage.VIEWS).part(0.2, 1.0)
    used, sources = _selected(run, sparse, checking)
    seen = views.of_model(used, _undistorted(run, used, straightening), sources)
    cameras = [reduced_camera(view.camera, run.settings.refined_sizes[-1]) for view in seen]
    is_around = regions.are_inside(cameras, sparse.points)
    return Scene(sparse, used, seen, cameras, is_around, is_cropped=run.settings.crop and not is_around)


def _write_selection(folder: Path, made: Selection) -> None:
    used, sources = made
    (folder / _SELECTION).write_text(json.dumps([[photo.name for photo in used.photos], sources]))


def _selected(run: Run, sparse: SparseModel, progress: StageProgress) -> Selection:
    """Return `sparse` without photos of poor quality, and the sources of the view of each photo that is left."""

    def read(folder: Path) -> Selection:
        names, sources = json.loads((folder / _SELECTION).read_text())
        photos = {photo.name: photo for photo in sparse.photos}
        return replace(sparse, photos=tuple(photos[name] for name in names)), [tuple(chosen) for chosen in sources]

    @stage(SELECTION, _write_selection, read)
    def select(run: Run) -> Selection:
        used = selection.trusted(sparse, run.pictures, threads=run.work.threads, progress=progress)
        return used, views.sources_of(used, run.settings.depth_sources)

    return select(run)


@stage_folder(VIEWS)
def _undistorted(run: Run, folder: Path, used: SparseModel, progress: StageProgress) -> None:
    """Write the photos of `used` without lens distortion."""

    def make(into: Path, wanted: range, report: StageProgress) -> None:
        some = replace(used, photos=used.photos[wanted.start : wanted.stop])
        views.undistort(some, run.pictures, into, threads=run.work.threads, progress=report)

    names = [photo.name for photo in used.photos]
    dividing.fill(run.stages, VIEWS, folder, names, run.sizes.views, make=make, progress=progress)


@stage(SAMPLES, arrays.write, partial(arrays.read, Samples), replaces=(DEPTHS,))
def _samples(run: Run, scene: Scene, points: Doubles) -> Samples:
    """Return the points for the surface; the sparse `points` (n, 3) determine how detailed the dense cloud is."""
    octree_depth = run.settings.octree_depth
    region = scene.region(points)
    run.timetable.learn(Learned(doublings=region.doublings))
    cloud = _dense_cloud(run, scene.views, scene.cameras, surface.cell_size(points, region, octree_depth))
    spread = regions.spread(cloud.points)
    region = scene.region(spread)
    thin, cell, octree_depth = surface.thin(surface.crop(cloud, region), region, octree_depth)
    return Samples(thin.points, thin.normals, cell, octree_depth, spread, len(cloud.points))


def _dense_cloud(run: Run, seen: list[views.View], cameras: list[Camera], cell: float) -> Cloud:
    threads, progress = run.work.threads, run.progress
    scratch = run.work.scratch_dir / "depths"
    task = DepthTask(seen, cameras, run.settings, scratch, threads, progress(Stage.DEPTHS))
    depth_map = depthmaps.reader(_depth_maps(run, task))
    sources = [view.sources for view in seen]
    names, fusing, size = [view.name for view in seen], progress(Stage.FUSION), run.sizes.fusion
    return fusion.fuse(
        cameras,
        depth_map,
        sources,
        cell,
        threads=threads,
        progress=fusing,
        divided=lambda make: dividing.made(run.stages, SAMPLES, names, size, make=make, progress=fusing),
    )


@stage_folder(DEPTHS)
def _depth_maps(run: Run, folder: Path, task: DepthTask) -> None:
    """Write the depth map of each view."""

    def make(into: Path, wanted: range, report: StageProgress) -> None:
        some = replace(task, wanted=wanted, progress=report)
        run.depths(some, lambda at, depth: depthmaps.write(into, at, depthmaps.checked(task, at, depth)))

    names = [view.name for view in task.views]
    size = run.sizes.depths if run.divides_depths else dividing.WHOLE
    dividing.fill(run.stages, DEPTHS, folder, names, size, make=make, progress=task.progress)


@stage(SURFACE, arrays.write, partial(arrays.read, Mesh))
def _surface(run: Run, scene: Scene, samples: Samples, region: Region) -> Mesh:
    """Return the surface through the `samples`, in the region and as the photos show it."""
    scratch, progress, depth = run.work.scratch_dir, run.progress, samples.octree_depth
    rough = surface.poisson(samples, scratch, octree_depth=depth, progress=progress(Stage.SURFACE))
    trimmed = trimming.trimmed(rough, samples, region, scene.views, progress(Stage.CLEANING))
    if not run.settings.refine:
        return trimmed
    return consistency.refined(trimmed, scene.views, threads=run.work.threads, progress=progress(Stage.REFINEMENT))
