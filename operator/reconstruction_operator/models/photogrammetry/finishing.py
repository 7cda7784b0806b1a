"""Finishing: places, colours and textures the surface, and writes all results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reconstruction_operator.models.interface import Placement, Result
from reconstruction_operator.models.photogrammetry.advice import advising
from reconstruction_operator.models.photogrammetry.arrays import Singles
from reconstruction_operator.models.photogrammetry.dense.clouds import Cloud
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.output import camerafiles, glb, previews, results
from reconstruction_operator.models.photogrammetry.output.report import page
from reconstruction_operator.models.photogrammetry.placing import georeference, markers, upright
from reconstruction_operator.models.photogrammetry.placing.georeference import Georeference
from reconstruction_operator.models.photogrammetry.placing.upright import Frame
from reconstruction_operator.models.photogrammetry.run import Fit, Run, Scene
from reconstruction_operator.models.photogrammetry.sparse import acceptance
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.models.photogrammetry.surface import cleanup
from reconstruction_operator.models.photogrammetry.surface.meshes import Mesh, extents
from reconstruction_operator.models.photogrammetry.texture import colour, patches, photographs, texture
from reconstruction_operator.models.photogrammetry.texture.photographs import Photograph
from reconstruction_operator.models.photogrammetry.timing.costs import Stage


def finish(run: Run, scene: Scene, fit: Fit) -> Result:
    """Place and colour the surface, and write all results to `work.output_dir`."""
    work, settings, timetable, progress, seen = run.work, run.settings, run.timetable, run.progress, scene.views
    sparse, samples, mesh = scene.sparse, fit.samples, fit.mesh
    progress(Stage.TEXTURE)(0.0, f"reducing {len(mesh.faces)} faces")
    mesh = cleanup.decimated(mesh, settings.faces)
    mesh, frame, on_earth = placed(mesh, seen, run.prepared, settings.seed)
    side_m, used = settings.marker_size, scene.used
    measured = markers.scale(used, run.pictures, side_m, work.threads) if side_m else None
    frame = replace(frame, scale=measured.metres) if measured else frame
    pictures = photographs.of_model(used.photos, run.originals, settings.largest_texture)
    textured, gains, coverage = _texture(run, seen, replace(fit, mesh=mesh), pictures, frame)
    weights = fit.view_weights(mesh, seen, progress(Stage.COLOURS).part(0.0, 0.5))
    shares = colour.best_shares(weights)
    colours = colour.vertex_colours(mesh, seen, shares, gains, progress(Stage.COLOURS).part(0.5, 1.0))
    upright_mesh = Mesh(frame.apply(mesh.vertices), mesh.faces)
    model = results.Model(
        mesh=upright_mesh,
        colours=colours,
        seen_by=np.count_nonzero(weights, axis=1),
        textured=textured,
        cloud=Cloud(frame.apply(samples.points), samples.normals @ frame.rotation.T),
        sparse=camerafiles.placed(sparse, frame, run.originals),
        subject=previews.subject(upright_mesh.vertices, fit.region.coarseness(mesh.vertices) == 1.0),
        inside=scene.is_around,
    )
    results.write_models(work.output_dir, model, settings)
    stills = progress(Stage.PREVIEWS).part(0.2, 0.8)
    poster = results.write_previews(work.output_dir, model, settings.turn_frames, stills)

    placement = None if on_earth is None else on_earth.placement(frame)
    advice, words = advising.advise(
        run,
        scene,
        fit,
        model,
        weights=weights,
        subject=fit.region.coarseness(mesh.vertices) == 1.0,
        metres=metres_per_unit(measured, placement),
        placement=placement,
    )
    result = Result(
        quality=quality_of(
            sparse,
            images=len(run.prepared),
            unused=len(sparse.photos) - len(used.photos),
            dense_points=samples.dense_points,
            mesh=upright_mesh,
            coverage=coverage,
            invented=colour.unseen_share(mesh, weights),
            measured=measured,
            advice=words,
        ),
        warning=_warning(run, sparse, measured),
        size=size_of(upright_mesh, measured, placement),
        placement=placement,
        stages=run.stages.digests,
    )
    seconds = {step.name.capitalize(): taken for step, taken in timetable.taken_seconds().items()}
    # Last: it has the duration of each step.
    page.write(
        work.output_dir / "report.html",
        model,
        result,
        advice=advice,
        poster=poster,
        parameters=work.parameters,
        seconds=seconds,
    )
    progress(Stage.PREVIEWS)(1.0, "report written")
    return result


def quality_of(
    sparse: SparseModel,
    *,
    images: int,
    unused: int,
    dense_points: int,
    mesh: Mesh,
    coverage: float,
    invented: float,
    measured: markers.Scale | None,
    advice: str,
) -> dict[str, int | float | str]:
    """Return what the status shows of a finished `mesh`, in the coordinates of the model.

    `images` are all photos, and `unused` the aligned ones that give no surface; `coverage` is a share of the texture,
    and `invented` of the surface. `advice` is about more photos.
    """
    width, height, depth = (float(f"{extent:.4g}") for extent in extents(mesh.vertices))
    scale = {"markers": measured.markers, "scaleUncertainty": float(f"{measured.uncertainty:.2g}")} if measured else {}
    return {
        **acceptance.quality(sparse, images),
        "unused": unused,
        "densePoints": dense_points,
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "textureCoverage": round(coverage, 3),
        "inventedShare": round(invented, 3),
        "extentX": width,
        "extentY": height,
        "extentZ": depth,
        **scale,
        **({"advice": advice} if advice else {}),
    }


def size_of(mesh: Mesh, measured: markers.Scale | None, placement: Placement | None) -> str:
    """Return width, height and depth, such as "1.2 x 0.8 x 0.4 m".

    It is empty if neither markers nor positions give the scale.
    """
    metres = metres_per_unit(measured, placement)
    if metres is None:
        return ""
    return " x ".join(f"{float(f'{extent:.3g}'):g}" for extent in extents(mesh.vertices) * metres) + " m"


def metres_per_unit(measured: markers.Scale | None, placement: Placement | None) -> float | None:
    """Return how many metres a unit of the model is; None if neither markers nor positions give the scale."""
    if measured:
        return 1.0  # in metres already
    return placement.metres_per_unit if placement else None


def placed(
    mesh: Mesh, seen: list[View], prepared: list[PreparedPhoto], seed: int
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


def _warning(run: Run, sparse: SparseModel, measured: markers.Scale | None) -> str:
    """Return what reduces the quality of the result; empty if nothing does."""
    texts = [
        acceptance.warning(sparse, run.sources),
        acceptance.focal_warning(sparse) if any(photo.focal_px is None for photo in run.prepared) else "",
        scale_warning(measured) if run.settings.marker_size else "",
    ]
    return "; ".join(filter(None, texts))


def scale_warning(measured: markers.Scale | None) -> str:
    """Return why the scale by markers is missing or uncertain; empty if it is firm."""
    if measured is None:
        known = ", ".join(markers.DICTIONARIES)
        return f"no marker of {known} was seen sharply by photos from two sides: the mesh is not in metres"
    if measured.is_firm:
        return ""
    return (
        f"the markers are {measured.side_px:.0f} px wide, in {measured.photos} photos: lengths may be off by "
        f"{100 * measured.uncertainty:.2g} %; larger markers ({markers.FIRM_PX} px or more in {markers.FIRM_PHOTOS} "
        "photos or more) are safer"
    )


def _texture(
    run: Run, seen: list[View], fit: Fit, pictures: list[Photograph], frame: Frame
) -> tuple[glb.Textured, Singles, float]:
    """Return the textured mesh in model coordinates, the photos' gains, and the share of the
    texture that they cover.
    """
    settings, progress = run.settings, run.progress(Stage.TEXTURE)
    reduced = cleanup.decimated(fit.mesh, settings.texture_faces)
    weights = fit.view_weights(reduced, seen, progress.part(0.0, 0.1))
    paint = texture.mix(reduced, weights, *colour.surroundings(reduced, seen, progress.part(0.1, 0.2)))
    atlas = patches.make(
        reduced,
        paint.labels,
        pictures,
        fit.region.coarseness(reduced.middles()),
        size=settings.texture_size,
        largest=settings.largest_texture,
    )
    picture, coverage = texture.bake(
        atlas,
        pictures,
        paint,
        threads=run.work.threads,
        progress=progress.part(0.6, 1.0),
    )
    model = Mesh(frame.apply(atlas.mesh.vertices), atlas.mesh.faces)
    normals = reduced.normals()[atlas.original] @ frame.rotation.T
    return glb.Textured(model, normals, atlas.uv, picture), paint.gains, coverage
