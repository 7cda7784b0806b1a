"""Run: what one reconstruction works on, and what it has found so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.models.interface import Photo, Work
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Singles
from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthSource
from reconstruction_operator.models.photogrammetry.dense.views import View
from reconstruction_operator.models.photogrammetry.input.photos import PreparedPhoto
from reconstruction_operator.models.photogrammetry.parameters import PART_SIZES, PartSizes, QualitySettings
from reconstruction_operator.models.photogrammetry.progress import StageProgress
from reconstruction_operator.models.photogrammetry.sparse.cameras import Camera
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.models.photogrammetry.surface import regions, trimming
from reconstruction_operator.models.photogrammetry.surface.meshes import Caster, Mesh
from reconstruction_operator.models.photogrammetry.surface.regions import Region
from reconstruction_operator.models.photogrammetry.surface.surface import Samples
from reconstruction_operator.models.photogrammetry.texture import colour
from reconstruction_operator.models.photogrammetry.timing.costs import Stage
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
    sizes: PartSizes = PART_SIZES
    divides_depths: bool = False  # whether `depths` computes some of the views alone as it computes them among all

    @property
    def sources(self) -> Mapping[str, str]:
        """The name of the user's photo of each prepared photo."""
        return {photo.name: photo.source for photo in self.prepared}

    @property
    def originals(self) -> Mapping[str, Photo]:
        """The user's photo of each prepared photo, by the name of the latter."""
        photos = {photo.path.name: photo for photo in self.work.photos}
        return {name: photos[source] for name, source in self.sources.items()}

    def progress(self, stage: Stage) -> StageProgress:
        """Return where that stage reports its progress."""
        return self.timetable.stage(stage)


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """What the photos of good quality show, undistorted, before there is a surface."""

    sparse: SparseModel
    used: SparseModel  # without photos of poor quality
    views: list[View]
    cameras: list[Camera]  # of the depth maps
    is_around: bool  # around the cameras, as in a room
    is_cropped: bool

    def region(self, points: Doubles) -> Region:
        """Return what of the scene is reconstructed, by its `points` (n, 3)."""
        return regions.of_interest(self.cameras, points) if self.is_cropped else Region.everywhere()


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """The surface of a scene, in the coordinates of its cameras."""

    mesh: Mesh
    samples: Samples  # to which it is fitted
    region: Region  # whose part it is

    def view_weights(self, mesh: Mesh, seen: Sequence[View], progress: StageProgress) -> Singles:
        """(n, views): how well each view sees each vertex of `mesh`, which is this surface with fewer faces."""
        closed = trimming.closed(mesh, self.samples, self.region)
        return colour.view_weights(mesh, closed, seen, Caster(mesh), progress)
