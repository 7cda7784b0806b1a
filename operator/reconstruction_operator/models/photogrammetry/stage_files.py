"""Stage files: saves finished pipeline stages, from which the next attempt or another job resumes.

The stages are the prepared photos, the database of features, the database with matches, the sparse model, the undistorted photos, the depth
maps, the points for the surface and the refined surface. What is read back equals what was written, so a resumed run makes the same result
as an uninterrupted run.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import lru_cache, wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np

from reconstruction_operator.models.interface import Photo, Work
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthMap
from reconstruction_operator.models.photogrammetry.input import backgrounds
from reconstruction_operator.models.photogrammetry.input import photos as preparing
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.parameters import QualitySettings
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera, pinhole
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto, LeftOut, SparseModel, Why
from reconstruction_operator.models.photogrammetry.timing.costs import Stage
from reconstruction_operator.models.photogrammetry.timing.timetable import Timetable
from reconstruction_operator.models.stages import Stages

PHOTOS, FEATURES, MATCHES, SPARSE = "photos", "features", "matches", "sparse-model"
VIEWS, DEPTHS, SAMPLES, SURFACE = "views", "depth-maps", "surface-points", "surface"

# The name of each kept stage, in order -> the last pipeline stage that it contains, and the settings that it reads in addition to
# those of the stages before it
_KEPT: Mapping[str, tuple[Stage, tuple[str, ...]]] = MappingProxyType(
    {
        PHOTOS: (Stage.PHOTOS, ("max_image_size",)),
        FEATURES: (Stage.FEATURES, ("features",)),
        MATCHES: (Stage.MATCHES, ("seed",)),
        SPARSE: (Stage.ALIGNMENT, ()),
        VIEWS: (Stage.VIEWS, ()),
        DEPTHS: (
            Stage.DEPTHS,
            ("depth_size", "depth_planes", "depth_sources", "refined_sizes", "diagonal_paths", "patch_match"),
        ),
        SAMPLES: (Stage.FUSION, ("crop", "octree_depth")),
        SURFACE: (Stage.REFINEMENT, ("refine",)),
    }
)
NAMES = tuple(_KEPT)

# A kept stage -> the stages that it makes unnecessary
_REPLACED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {MATCHES: (FEATURES,), SPARSE: (FEATURES, MATCHES), SAMPLES: (DEPTHS,)}
)

_PHOTOS = "photos.json"
_DATABASE = "features.db"
_SPARSE = "sparse.npz"
_ARRAYS = "arrays.npz"
_MAPS_HELD = 32  # cached depth maps: enough for the neighbours of the views that all threads work on

logger = logging.getLogger(__name__)


class HasStages(Protocol):
    """A run: what a function with a stage gets first."""

    @property
    def stages(self) -> Stages:
        """The stages of the run."""


_Run = TypeVar("_Run", bound=HasStages)
_Made = TypeVar("_Made")
_Rest = ParamSpec("_Rest")
_Make = Callable[Concatenate[_Run, _Rest], _Made]
_Fill = Callable[Concatenate[_Run, Path, _Rest], None]


def stage(name: str, kind: type[_Made]) -> Callable[[_Make[_Run, _Rest, _Made]], _Make[_Run, _Rest, _Made]]:
    """Decorate a function of a run: what it returns is kept as the stage of that name.

    With the stage, it is only read back. `kind` is what the function returns: a sparse model, or a data class of arrays and numbers.
    """

    def decorate(make: _Make[_Run, _Rest, _Made]) -> _Make[_Run, _Rest, _Made]:
        @wraps(make)
        def kept(run: _Run, /, *args: _Rest.args, **options: _Rest.kwargs) -> _Made:
            found = run.stages.find(name)
            if found is not None:
                with contextlib.suppress(ValueError):  # the process of a model made the stage and its seal
                    read: _Made = _read(found.path, kind)
                    return read
            made = make(run, *args, **options)
            _keep(run.stages, name, lambda folder: _write(folder, made))
            if name == SPARSE:
                run.stages.rest_on(SPARSE)
            return made

        return kept

    return decorate


def stage_folder(name: str) -> Callable[[_Fill[_Run, _Rest]], _Make[_Run, _Rest, Path]]:
    """Decorate a function that gets a run and an empty folder, and fills the folder: it is the stage of that name.

    The decorated function is called without the folder, and returns it. With the stage, nothing is written.
    """

    def decorate(fill: _Fill[_Run, _Rest]) -> _Make[_Run, _Rest, Path]:
        @wraps(fill)
        def kept(run: _Run, /, *args: _Rest.args, **options: _Rest.kwargs) -> Path:
            return _files(run.stages, name, lambda folder: fill(run, folder, *args, **options))

        return kept

    return decorate


def of_run(work: Work, settings: QualitySettings) -> Stages:
    """Return the stages of the run. Another job uses one if it has the same photos and the settings that the stage reads."""

    def reads(name: str) -> list[object]:
        return [getattr(settings, read) for kept in NAMES[: NAMES.index(name) + 1] for read in _KEPT[kept][1]]

    return Stages.of(work, reads)


def announce(stages: Stages, timetable: Timetable) -> None:
    """Report the stage after which the run resumes, if an earlier attempt or another job has finished one."""
    finished = []
    for name in NAMES:
        if (stage := stages.find(name)) is not None:
            finished.append(stage)
            if name == SPARSE:
                stages.rest_on(SPARSE)
    if finished:
        timetable.resume(_KEPT[finished[-1].name][0], str(finished[-1]))


def prepared_photos(
    stages: Stages, photos: Sequence[Photo], max_size: int, *, threads: int, progress: StageProgress
) -> tuple[list[PreparedPhoto], Path]:
    """Return the prepared photos, and the folder of their files; raises as `photos.prepare`."""

    def prepare(folder: Path) -> None:
        prepared = preparing.prepare(photos, folder, max_size, threads=threads, progress=progress)
        prepared = backgrounds.masked(prepared, folder)
        (folder / _PHOTOS).write_text(json.dumps([asdict(photo) for photo in prepared]))

    folder = _files(stages, PHOTOS, prepare)
    entries = json.loads((folder / _PHOTOS).read_text())
    places = [entry["place"] and tuple(entry["place"]) for entry in entries]  # JSON has lists
    return [PreparedPhoto(**entry | {"place": place}) for entry, place in zip(entries, places, strict=True)], folder


def _files(stages: Stages, name: str, write: Callable[[Path], None]) -> Path:
    """Return the folder of the stage of that name. Without the stage, `write` fills a new folder."""
    stage = stages.find(name)
    if stage is not None:
        return stage.path
    folder = stages.begin(name)
    write(folder)
    return stages.seal(name, folder)


def matched_database(stages: Stages, database: Path, *, extract: Callable[[], None], match: Callable[[], None]) -> None:
    """Fill `database` with features and matches, from stages or else by `extract` and `match`."""

    def copy(folder: Path) -> None:
        shutil.copyfile(database, folder / _DATABASE)

    stage = stages.find(MATCHES) or stages.find(FEATURES)
    if stage is not None:
        # A copy: COLMAP writes to a database that it opens.
        shutil.copyfile(stage.path / _DATABASE, database)
    else:
        extract()
        _keep(stages, FEATURES, copy)
    if stage is None or stage.name == FEATURES:
        match()
        _keep(stages, MATCHES, copy)


def write_depths(folder: Path, index: int, depth: DepthMap) -> None:
    """Write the depth map of the view with that number."""
    np.savez(_depths_file(folder, index), depths=depth.depths, sure=depth.sure)


def depth_reader(folder: Path) -> Callable[[int], DepthMap]:
    """Return a function that reads the depth map of a view by its number.

    It caches a few: those of a large set do not fit into memory.
    """

    @lru_cache(_MAPS_HELD)
    def read(index: int) -> DepthMap:
        with np.load(_depths_file(folder, index)) as file:
            return DepthMap(file["depths"], file["sure"])

    return read


def _write(folder: Path, made: Any) -> None:
    if isinstance(made, SparseModel):
        write_sparse(folder / _SPARSE, made)
    else:
        np.savez(folder / _ARRAYS, **{field.name: getattr(made, field.name) for field in fields(made)})


def _read(folder: Path, kind: type[Any]) -> Any:
    """Return what `_write` has written; raises ValueError for a damaged sparse model."""
    if issubclass(kind, SparseModel):
        return read_sparse(folder / _SPARSE)
    with np.load(folder / _ARRAYS) as file:
        columns = {field.name: file[field.name] for field in fields(kind)}
    return kind(**{name: column if column.ndim else column.item() for name, column in columns.items()})


def _depths_file(folder: Path, index: int) -> Path:
    return folder / f"{index:04d}.npz"


def write_sparse(path: Path, model: SparseModel) -> None:
    """Write the model in numpy's format, without pickles."""
    photos = model.photos
    np.savez(
        path,
        names=np.array([photo.name for photo in photos]),
        sizes=np.array([[photo.camera.width, photo.camera.height] for photo in photos]),
        intrinsics=np.array([[*photo.camera.lens, photo.radial] for photo in photos]),
        rotations=np.stack([photo.camera.rotation for photo in photos]),
        translations=np.stack([photo.camera.translation for photo in photos]),
        seen=np.concatenate([photo.seen for photo in photos]),
        seen_counts=np.array([len(photo.seen) for photo in photos]),
        pixels=np.concatenate([photo.pixels for photo in photos]),
        points=model.points,
        reprojection_error_px=np.array(model.reprojection_error_px),
        left_out=np.array([[photo.name, photo.why.name] for photo in model.left_out], dtype=np.str_).reshape(-1, 2),
    )


def read_sparse(path: Path) -> SparseModel:
    """Return the model that `write_sparse` has written. Raises ValueError for any other file."""
    try:
        with path.open("rb") as content, np.load(content) as file:
            return _sparse(file)
    except Exception as error:  # zipfile and numpy raise almost anything for hostile bytes
        raise ValueError(f"{path.name} is damaged: {error}") from error


def _sparse(file: Mapping[str, Any]) -> SparseModel:
    ends = np.cumsum(file["seen_counts"])[:-1]
    columns = [file[name] for name in ("names", "sizes", "intrinsics", "rotations", "translations")]
    rows = zip(*columns, np.split(file["seen"], ends), np.split(file["pixels"], ends), strict=True)
    photos = tuple(
        AlignedPhoto(
            name=str(name),
            camera=Camera(pinhole(*lens), rotation, translation, int(width), int(height)),
            radial=float(radial),
            seen=seen,
            pixels=pixels,
        )
        for name, (width, height), (*lens, radial), rotation, translation, seen, pixels in rows
    )
    left_out = tuple(LeftOut(str(name), Why[str(why)]) for name, why in file["left_out"])
    return SparseModel(photos, file["points"], float(file["reprojection_error_px"]), left_out)


def _keep(stages: Stages, name: str, write: Callable[[Path], None]) -> None:
    """Save a stage that the run itself does not need, and delete what it makes unnecessary. Failures are logged."""
    try:
        folder = stages.begin(name)
        write(folder)
        if stages.seal(name, folder) == folder:
            shutil.rmtree(folder)
        else:
            stages.drop(*_REPLACED.get(name, ()))
    except OSError as error:  # a full disk fails the run elsewhere; a superseded run fails at its end
        logger.warning("stage %s is not kept: %s", name, error)
