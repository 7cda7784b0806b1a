"""Pipeline: runs all stages of a reconstruction in order."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2

from reconstruction_operator.models.interface import EARLY_LOOK, Report, Result, Work
from reconstruction_operator.models.photogrammetry import finishing, stage_files
from reconstruction_operator.models.photogrammetry.arrays import Doubles
from reconstruction_operator.models.photogrammetry.dense import depthmaps, fusion, selection, views
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthSource, DepthTask
from reconstruction_operator.models.photogrammetry.output import early
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings
from reconstruction_operator.models.photogrammetry.placing import upright
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.run import Fit, Run, Scene
from reconstruction_operator.models.photogrammetry.sparse import acceptance, features, pairs, registration
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, reduced_camera
from reconstruction_operator.models.photogrammetry.sparse.mapping import Matched, SparseModel
from reconstruction_operator.models.photogrammetry.stage_files import stage, stage_folder
from reconstruction_operator.models.photogrammetry.surface import consistency, regions, surface, trimming
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh
from reconstruction_operator.models.photogrammetry.surface.regions import Region
from reconstruction_operator.models.photogrammetry.surface.surface import Samples
from reconstruction_operator.models.photogrammetry.timing import costs
from reconstruction_operator.models.photogrammetry.timing.costs import Facts, Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable


def reconstruct(work: Work, settings: QualitySettings, report: Report, depths: DepthSource) -> Result:
    """Write meshes and previews to `work.output_dir`; raises ModelFailure as `PhotogrammetryModel.run`."""
    cv2.setNumThreads(work.threads)
    with Timetable(report, partial(costs.expected_seconds, work.photos, settings, work.threads)) as timetable:
        stages = stage_files.of_run(work, settings)
        stage_files.announce(stages, timetable)
        prepared, pictures = stage_files.prepared_photos(
            stages,
            work.photos,
            settings.max_image_size,
            threads=work.threads,
            progress=timetable.stage(Stage.PHOTOS),
        )
        return _model(Run(work, settings, timetable, stages, prepared, pictures, depths))


def _model(run: Run) -> Result:
    """Reconstruct the photos; raises as `reconstruct`."""
    sparse = _aligned(run)
    _show_early(run, sparse)
    run.timetable.learn(Facts(aligned=len(sparse.photos)))
    scene = _scene(run, sparse)
    samples = _samples(run, scene, sparse.points)
    region = scene.region(samples.spread)
    run.timetable.learn(Facts(points=len(samples.points), doublings=region.doublings))
    mesh = _surface(run, scene, samples, region)
    run.stages.drop_others()
    return finishing.finish(run, scene, Fit(mesh, samples, region))


@stage(stage_files.SPARSE, SparseModel)
def _aligned(run: Run) -> SparseModel:
    """Return the sparse model of the photos."""
    database, count = run.work.scratch_dir / "features.db", len(run.prepared)
    matched = Matched(database, run.pictures, run.work.scratch_dir, count, run.settings.seed, run.work.threads)
    stage_files.matched_database(
        run.stages, database, extract=partial(_extract, run, database), match=partial(_match, run, matched)
    )
    acceptance.check_matches(database, count)
    model = registration.register(matched, run.progress(Stage.ALIGNMENT))
    run.timetable.announce(acceptance.quality(model, count))
    acceptance.check(model, run.sources)
    return model


def _extract(run: Run, database: Path) -> None:
    """Write the features of the photos to `database`."""
    features.extract(
        run.prepared,
        run.pictures,
        database,
        features=run.settings.features,
        threads=run.work.threads,
        progress=run.progress(Stage.FEATURES),
    )


def _match(run: Run, matched: Matched) -> None:
    """Write the matches of the photos to their database, which has their features."""
    chosen = pairs.choose(matched.database, run.settings.seed)
    run.timetable.learn(Facts(features=features.mean(matched.database)))
    registration.match(chosen, matched, run.progress(Stage.MATCHES))


def _show_early(run: Run, sparse: SparseModel) -> None:
    """Report which photos are aligned, with a picture of their cameras, long before the run ends."""
    pitches = {photo.name: photo.pitch_deg for photo in run.prepared}
    held = upright.held([photo.camera for photo in sparse.photos], [pitches[photo.name] for photo in sparse.photos])
    early.write(run.work.scratch_dir / EARLY_LOOK, sparse, held.up, run.pictures)
    run.timetable.announce(acceptance.quality(sparse, len(run.prepared)))


def _scene(run: Run, sparse: SparseModel) -> Scene:
    """Return what the trusted photos of the sparse model show."""
    checking = run.progress(Stage.VIEWS).part(0.0, 0.2)
    straightening = run.progress(Stage.VIEWS).part(0.2, 1.0)
    used = selection.trusted(sparse, run.pictures, threads=run.work.threads, progress=checking)
    seen = views.of_model(used, _undistorted(run, used, straightening), run.settings.depth_sources)
    cameras = [reduced_camera(view.camera, run.settings.refined_sizes[-1]) for view in seen]
    is_around = regions.are_inside(cameras, sparse.points)
    return Scene(sparse, used, seen, cameras, is_around, is_cropped=run.settings.crop and not is_around)


@stage_folder(stage_files.VIEWS)
def _undistorted(run: Run, folder: Path, used: SparseModel, progress: StageProgress) -> None:
    """Write the photos of `used` without lens distortion."""
    views.undistort(used, run.originals, run.pictures, folder, threads=run.work.threads, progress=progress)


@stage(stage_files.SAMPLES, Samples)
def _samples(run: Run, scene: Scene, points: Doubles) -> Samples:
    """Return the points for the surface; the sparse `points` (n, 3) determine how detailed the dense cloud is."""
    octree_depth = run.settings.octree_depth
    region = scene.region(points)
    run.timetable.learn(Facts(doublings=region.doublings))
    cloud = _dense_cloud(run, scene.views, scene.cameras, surface.cell_size(points, region, octree_depth))
    spread = regions.spread(cloud.points)
    region = scene.region(spread)
    thin, cell, octree_depth = surface.thin(surface.crop(cloud, region), region, octree_depth)
    return Samples(thin.points, thin.normals, cell, octree_depth, spread, len(cloud.points))


def _dense_cloud(run: Run, seen: list[views.View], cameras: list[Camera], cell: float) -> Cloud:
    threads, progress = run.work.threads, run.progress
    scratch = run.work.scratch_dir / "depths"
    task = DepthTask(seen, cameras, run.settings, scratch, threads, progress(Stage.DEPTHS))
    depth_map = stage_files.depth_reader(_depth_maps(run, task))
    sources = [view.sources for view in seen]
    return fusion.fuse(cameras, depth_map, sources, cell, threads=threads, progress=progress(Stage.FUSION))


@stage_folder(stage_files.DEPTHS)
def _depth_maps(run: Run, folder: Path, task: DepthTask) -> None:
    """Write the depth map of each view."""
    run.depths(task, lambda at, depth: stage_files.write_depths(folder, at, depthmaps.checked(task, at, depth)))


@stage(stage_files.SURFACE, Mesh)
def _surface(run: Run, scene: Scene, samples: Samples, region: Region) -> Mesh:
    """Return the surface through the `samples`, in the region and as the photos show it."""
    scratch, progress, depth = run.work.scratch_dir, run.progress, samples.octree_depth
    rough = surface.poisson(samples, scratch, octree_depth=depth, progress=progress(Stage.SURFACE))
    trimmed = trimming.trimmed(rough, samples, region, scene.views, progress(Stage.CLEANING))
    if not run.settings.refine:
        return trimmed
    return consistency.refined(trimmed, scene.views, threads=run.work.threads, progress=progress(Stage.REFINEMENT))
