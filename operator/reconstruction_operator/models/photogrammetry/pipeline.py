"""Pipeline: runs all stages of a reconstruction in order, and keeps what they make.

What is read back equals what was written, so a resumed run makes the same result as an uninterrupted run.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2

from reconstruction_operator.models.interface import EARLY_LOOK, Report, Result, Step, Work
from reconstruction_operator.models.photogrammetry import aligning, arrays, dividing, finishing, kept
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.dense import depthmaps, fusion, selection, views
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthSource, DepthTask
from reconstruction_operator.models.photogrammetry.kept import DEPTHS, SAMPLES, SELECTION, SURFACE, VIEWS
from reconstruction_operator.models.photogrammetry.output import early
from reconstruction_operator.models.photogrammetry.parameters import PartSizes, QualitySettings
from reconstruction_operator.models.photogrammetry.placing import upright
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.run import Fit, Run, Scene
from reconstruction_operator.models.photogrammetry.sparse import acceptance
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, reduced_camera
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.models.photogrammetry.surface import consistency, regions, surface, trimming
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.surface.regions import Region
from reconstruction_operator.models.photogrammetry.surface.surface import Samples
from reconstruction_operator.models.photogrammetry.timing import costs
from reconstruction_operator.models.photogrammetry.timing.costs import Learned, Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable
from reconstruction_operator.models.stage_functions import stage, stage_folder

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
        stages = kept.stages_of(work, settings)
        sizes = dividing.worthwhile(sizes, work.photos, settings)
        kept.announce(stages, timetable, work)
        progress = timetable.stage(Stage.PHOTOS)
        prepared, pictures = aligning.prepared_photos(
            stages, work, settings.max_image_size, progress, part_size=sizes.photos
        )
        return _model(
            Run(work, settings, timetable, stages, prepared, pictures, depths, sizes, divides_depths=divides_depths)
        )


def _without_estimates(report: Report) -> Report:
    """Return what passes on the progress of a helper, which does not go on to the end of the run."""

    def parts_only(step: Step, fraction: float, message: str = "", **_: object) -> None:
        report(step, fraction, message)

    return parts_only


def _model(run: Run) -> Result:
    """Reconstruct the photos; raises as `reconstruct`."""
    sparse = aligning.aligned(run)
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
