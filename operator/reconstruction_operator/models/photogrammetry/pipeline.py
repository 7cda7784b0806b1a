"""Pipeline: runs all stages of a reconstruction in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.interface import EARLY_LOOK, Placement, Report, Result, Work
from reconstruction_operator.models.photogrammetry import stage_files
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from reconstruction_operator.models.photogrammetry.dense import depthmaps, fusion, selection, views
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthSource, DepthTask
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.output import camerafiles, early, glb, previews, results
from reconstruction_operator.models.photogrammetry.output.report import page
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings
from reconstruction_operator.models.photogrammetry.placing import georeference, markers, upright
from reconstruction_operator.models.photogrammetry.placing.georeference import Georeference
from reconstruction_operator.models.photogrammetry.placing.upright import Frame
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse import acceptance, features, mapping, pairs, registration
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, reduced_camera
from reconstruction_operator.models.photogrammetry.surface import cleanup, consistency, regions, surface, trimming
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh, extents
from reconstruction_operator.models.photogrammetry.surface.regions import Region
from reconstruction_operator.models.photogrammetry.surface.surface import Samples
from reconstruction_operator.models.photogrammetry.texture import colour, patches, photographs, texture
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph
from reconstruction_operator.models.photogrammetry.timing import costs
from reconstruction_operator.models.photogrammetry.timing.costs import Facts, Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable
from reconstruction_operator.models.stages import Stages


@dataclass(frozen=True, slots=True)
class Run:
    """One reconstruction: what it works on, and where."""

    work: Work
    settings: QualitySettings
    timetable: Timetable
    stages: Stages
    prepared: list[PreparedPhoto]  # the photos, whose files are in `pictures`
    pictures: Path
    depths: DepthSource

    @property
    def sources(self) -> Mapping[str, str]:
        """The name of the user's photo of each prepared photo."""
        return {photo.name: photo.source for photo in self.prepared}


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
    work, settings, timetable, stage = run.work, run.settings, run.timetable, run.timetable.stage
    sparse = stage_files.sparse_model(run.stages, lambda: _aligned(run))
    _show_early(run, sparse)
    timetable.learn(Facts(aligned=len(sparse.photos)))

    checking, straightening = stage(Stage.VIEWS).part(0.0, 0.2), stage(Stage.VIEWS).part(0.2, 1.0)
    used = selection.trusted(sparse, run.pictures, threads=work.threads, progress=checking)

    def undistort(folder: Path) -> None:
        views.undistort(used, run.pictures, folder, threads=work.threads, progress=straightening)

    seen = views.of_model(used, stage_files.files(run.stages, stage_files.VIEWS, undistort), settings.depth_sources)
    cameras = [reduced_camera(view.camera, settings.refined_sizes[-1]) for view in seen]  # of depth maps
    inside = regions.are_inside(cameras, sparse.points)
    find_region = partial(regions.of_interest, cameras) if settings.crop and not inside else lambda _: None
    samples = stage_files.arrays(
        run.stages,
        stage_files.SAMPLES,
        Samples,
        lambda: _samples(run, seen, cameras, sparse.points, find_region),
    )
    region = find_region(samples.spread)
    timetable.learn(Facts(points=len(samples.points), doublings=region.doublings if region else 0))

    def fit() -> Mesh:
        depth = samples.octree_depth
        rough = surface.poisson(samples, work.scratch_dir, octree_depth=depth, progress=stage(Stage.SURFACE))
        trimmed = trimming.trimmed(rough, samples, region, seen, stage(Stage.CLEANING))
        if not settings.refine:
            return trimmed
        return consistency.refined(trimmed, seen, threads=work.threads, progress=stage(Stage.REFINEMENT))

    mesh = stage_files.arrays(run.stages, stage_files.SURFACE, Mesh, fit)
    run.stages.drop_others()
    stage(Stage.TEXTURE)(0.0, f"reducing {len(mesh.faces)} faces")
    mesh = cleanup.decimated(mesh, settings.faces)
    photos = {photo.path.name: photo for photo in work.photos}
    originals = {name: photos[source] for name, source in run.sources.items()}
    mesh, frame, on_earth = _placed(mesh, seen, run.prepared, settings.seed)
    measured = markers.scale(used, run.pictures, settings.marker_size, work.threads) if settings.marker_size else None
    frame = replace(frame, scale=measured.metres) if measured else frame
    pictures = photographs.of_model(used.photos, originals, settings.largest_texture)
    coarseness = region.coarseness if region else lambda places: np.ones(len(places))

    def weigh(mesh: Mesh, progress: StageProgress) -> Singles:
        return colour.view_weights(mesh, trimming.closed(mesh, samples, region), seen, Caster(mesh), progress)

    textured, gains, coverage = _texture(run, mesh, seen, pictures, frame=frame, weigh=weigh, coarseness=coarseness)
    weights = weigh(mesh, stage(Stage.COLOURS).part(0.0, 0.5))
    shares = colour.best_shares(weights)
    colours = colour.vertex_colours(mesh, seen, shares, gains, stage(Stage.COLOURS).part(0.5, 1.0))
    placed = Mesh(frame.apply(mesh.vertices), mesh.faces)
    model = results.Model(
        mesh=placed,
        colours=colours,
        seen_by=np.count_nonzero(weights, axis=1),
        textured=textured,
        cloud=Cloud(frame.apply(samples.points), samples.normals @ frame.rotation.T),
        sparse=camerafiles.placed(sparse, frame, originals),
        subject=previews.subject(placed.vertices, coarseness(mesh.vertices) == 1.0),
        inside=inside,
    )
    results.write_models(work.output_dir, model, settings)
    poster = results.write_previews(work.output_dir, model, settings.turn_frames, stage(Stage.PREVIEWS).part(0.2, 0.8))

    width, height, depth = (float(f"{extent:.4g}") for extent in extents(placed.vertices))
    placement = None if on_earth is None else on_earth.placement(frame)
    result = Result(
        quality={
            **acceptance.quality(sparse, len(run.prepared)),
            "unused": len(sparse.photos) - len(used.photos),
            "densePoints": samples.dense_points,
            "vertices": len(placed.vertices),
            "faces": len(placed.faces),
            "textureCoverage": round(coverage, 3),
            "inventedShare": round(colour.unseen_share(mesh, weights), 3),
            "extentX": width,
            "extentY": height,
            "extentZ": depth,
            **({"markers": measured.markers} if measured else {}),
        },
        warning=_warning(run, sparse, measured),
        size=size_of(placed, measured, placement),
        placement=placement,
    )
    seconds = {step.name.capitalize(): taken for step, taken in timetable.taken_seconds().items()}
    # Last: it has the duration of each step.
    page.write(
        work.output_dir / "report.html", model, result, poster=poster, parameters=work.parameters, seconds=seconds
    )
    stage(Stage.PREVIEWS)(1.0, "report written")
    return result


def size_of(placed: Mesh, measured: markers.Scale | None, placement: Placement | None) -> str:
    """Return width, height and depth, such as "1.2 x 0.8 x 0.4 m"; empty if neither markers nor positions give the scale."""
    if not (measured or placement):
        return ""
    metres_per_unit = placement.metres_per_unit if placement and not measured else 1.0  # measured: in metres already
    return " x ".join(f"{float(f'{extent:.3g}'):g}" for extent in extents(placed.vertices) * metres_per_unit) + " m"


def _aligned(run: Run) -> mapping.SparseModel:
    """Return the sparse model of the photos."""
    settings, stage, threads = run.settings, run.timetable.stage, run.work.threads
    database, count = run.work.scratch_dir / "features.db", len(run.prepared)
    matched = mapping.Matched(database, run.pictures, run.work.scratch_dir, count, settings.seed, threads)

    def match() -> None:
        chosen = pairs.choose(database, settings.seed)
        run.timetable.learn(Facts(features=features.mean(database)))
        registration.match(chosen, matched, stage(Stage.MATCHES))

    stage_files.matched_database(
        run.stages,
        database,
        extract=lambda: features.extract(
            run.prepared,
            run.pictures,
            database,
            features=settings.features,
            threads=threads,
            progress=stage(Stage.FEATURES),
        ),
        match=match,
    )
    acceptance.check_matches(database, count)
    model = registration.register(matched, stage(Stage.ALIGNMENT))
    run.timetable.announce(acceptance.quality(model, count))
    acceptance.check(model, run.sources)
    return model


def _show_early(run: Run, sparse: mapping.SparseModel) -> None:
    """Report which photos are aligned, with a picture of their cameras, long before the run ends."""
    pitches = {photo.name: photo.pitch_deg for photo in run.prepared}
    held = upright.held([photo.camera for photo in sparse.photos], [pitches[photo.name] for photo in sparse.photos])
    early.write(run.work.scratch_dir / EARLY_LOOK, sparse, held.up, run.pictures)
    run.timetable.announce(acceptance.quality(sparse, len(run.prepared)))


def _placed(
    mesh: Mesh, seen: list[views.View], prepared: list[PreparedPhoto], seed: int
) -> tuple[Mesh, Frame, Georeference | None]:
    """Return the mesh without parts below the ground, its frame, and its georeference, if the photos determine one."""
    photos = {photo.name: photo for photo in prepared}
    cameras, ordered = [view.camera for view in seen], [photos[view.name] for view in seen]
    on_earth = georeference.find(cameras, [photo.place for photo in ordered])
    held = upright.held(cameras, [photo.pitch_deg for photo in ordered])
    by_gps = on_earth is not None and (on_earth.is_wide or not held.is_determined)
    if on_earth is not None and by_gps:
        held = on_earth.held
    ground = upright.ground(mesh.vertices, held, seed)
    if ground is not None:
        mesh = cleanup.above(mesh, ground.normal, ground.height)
    up = held.up if by_gps or ground is None else ground.normal
    front = upright.front(mesh, up, cameras[0].centre)
    return mesh, upright.frame(mesh.vertices, up, front), on_earth


def _warning(run: Run, sparse: mapping.SparseModel, measured: markers.Scale | None) -> str:
    """Return what reduces the quality of the result; empty if nothing does."""
    unscaled = bool(run.settings.marker_size) and measured is None
    text = f"no marker of {', '.join(markers.DICTIONARIES)} was seen sharply by photos from two sides: the mesh is not in metres"
    return "; ".join(filter(None, [acceptance.warning(sparse, run.sources), text if unscaled else ""]))


def _samples(
    run: Run,
    seen: list[views.View],
    cameras: list[Camera],
    points: Doubles,
    find_region: Callable[[Doubles], Region | None],
) -> Samples:
    """Return the points for the surface; the sparse `points` (n, 3) determine how detailed the dense cloud is."""
    octree_depth = run.settings.octree_depth
    region = find_region(points)
    run.timetable.learn(Facts(doublings=region.doublings if region else 0))
    cloud = _dense_cloud(run, seen, cameras, surface.cell_size(points, region, octree_depth))
    spread = regions.spread(cloud.points)
    region = find_region(spread)
    thin, cell, octree_depth = surface.thin(surface.crop(cloud, region), region, octree_depth)
    return Samples(thin.points, thin.normals, cell, octree_depth, spread, len(cloud.points))


def _dense_cloud(run: Run, seen: list[views.View], cameras: list[Camera], cell: float) -> Cloud:
    settings, threads = run.settings, run.work.threads
    task = DepthTask(
        seen, cameras, settings, run.work.scratch_dir / "depths", threads, run.timetable.stage(Stage.DEPTHS)
    )
    depth_map = stage_files.depth_maps(
        run.stages, lambda write: run.depths(task, lambda at, depth: write(at, depthmaps.checked(task, at, depth)))
    )
    sources = [view.sources for view in seen]
    return fusion.fuse(cameras, depth_map, sources, cell, threads=threads, progress=run.timetable.stage(Stage.FUSION))


def _texture(
    run: Run,
    mesh: Mesh,
    seen: list[views.View],
    pictures: list[Photograph],
    *,
    frame: Frame,
    weigh: Callable[[Mesh, StageProgress], Singles],
    coarseness: Callable[[Doubles], Doubles],
) -> tuple[glb.Textured, Singles, float]:
    """Return the textured mesh in model coordinates, the gains of the photos, and the share of the texture that they cover."""
    settings, stage = run.settings, run.timetable.stage
    reduced = cleanup.decimated(mesh, settings.texture_faces)
    weights = weigh(reduced, stage(Stage.TEXTURE).part(0.0, 0.1))
    paint = texture.mix(reduced, weights, *colour.surroundings(reduced, seen, stage(Stage.TEXTURE).part(0.1, 0.2)))
    atlas = patches.make(
        reduced,
        paint.labels,
        pictures,
        coarseness(reduced.middles()),
        size=settings.texture_size,
        largest=settings.largest_texture,
    )
    picture, coverage = texture.bake(
        atlas,
        pictures,
        paint,
        threads=run.work.threads,
        progress=stage(Stage.TEXTURE).part(0.6, 1.0),
    )
    model = Mesh(frame.apply(atlas.mesh.vertices), atlas.mesh.faces)
    normals = reduced.normals()[atlas.original] @ frame.rotation.T
    return glb.Textured(model, normals, atlas.uv, picture), paint.gains, coverage
