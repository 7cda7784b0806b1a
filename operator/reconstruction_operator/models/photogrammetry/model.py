"""Photogrammetry model: checks its parameters and its packages, and starts a run."""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from reconstruction_operator.models.interface import HelpOver, ModelFailure, Report, Result, Step, Work
from reconstruction_operator.models.photogrammetry import parameters as parameter_table
from reconstruction_operator.models.photogrammetry import quality_gates

if TYPE_CHECKING:
    from reconstruction_operator.models.photogrammetry.dense.depthmaps import DepthTask, Write

_PACKAGES = {
    "DracoPy": "dracopy",
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "embreex": "embreex",
    "fast_simplification": "fast-simplification",
    "numpy": "numpy",
    "pycolmap": "pycolmap",
    "scipy": "scipy",
    "trimesh": "trimesh",
}
"""Module to import -> package that provides it."""


class PhotogrammetryModel:
    """Structure from motion, plane-sweep stereo and a Poisson surface on the CPU; `high` computes depth maps on a GPU
    if there is one.
    """

    name: ClassVar[str] = "photogrammetry"
    version: ClassVar[str] = "24"
    shared_stages: ClassVar[tuple[str, ...]] = ("photos", "matches")
    stage_names: ClassVar[tuple[str, ...]] = parameter_table.STAGE_NAMES
    packages: ClassVar[tuple[str, ...]] = tuple(sorted(_PACKAGES.values()))
    isolated: ClassVar[bool] = True
    # Measured on the example photos with two cores; see benchmarks/photogrammetry.py.
    step_shares: ClassVar[Mapping[Step, float]] = {
        Step.LOAD: 0.01,
        Step.PREPROCESS: 0.16,
        Step.RECONSTRUCT: 0.55,
        Step.POSTPROCESS: 0.23,
        Step.PREVIEW: 0.04,
        Step.FINALIZE: 0.01,
    }
    parameters_schema: ClassVar[Mapping[str, object]] = parameter_table.schema()
    min_photos: ClassVar[int] = 3
    max_photos: ClassVar[int] = 1000
    max_image_side: ClassVar[int] = parameter_table.MAX_IMAGE_SIDE
    makes_parts: ClassVar[bool] = True

    def __init__(self, part_sizes: parameter_table.PartSizes = parameter_table.PART_SIZES) -> None:
        self.part_sizes = part_sizes

    def unavailable(self) -> str | None:
        """Return which packages are missing and how to install them; None if the model can run."""
        missing = [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]
        if not missing:
            return None
        return f"missing Python packages: {', '.join(missing)} (the extra photogrammetry of reconstruction-operator)"

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """Return all parameters with the defaults filled in; raises as `parameters.check`."""
        return parameter_table.check(parameters)

    def run(self, work: Work, report: Report) -> Result:
        """Write the files that docs/results.md lists to `work.output_dir`: `model.glb` and others.

        Raises ModelFailure: TOO_FEW_IMAGES, CORRUPT_IMAGE, INVALID_PARAMETERS, OUT_OF_MEMORY, or a reason of
        `quality_gates`.
        """
        settings = parameter_table.settings(work.parameters)
        if len(work.photos) < self.min_photos:
            raise ModelFailure(
                "TOO_FEW_IMAGES", f"at least {self.min_photos} photos are needed, and {len(work.photos)} given"
            )
        size = statistics.median(max(photo.width, photo.height) for photo in work.photos)
        if size < quality_gates.SIZE_PX.limit:
            raise ModelFailure(
                quality_gates.SIZE_PX.reason,
                f"half of the {len(work.photos)} photos have at most {size:g} px on their longer side, at least "
                f"{quality_gates.SIZE_PX.limit:g} px are needed",
            )
        _limit_threads(work.threads)
        try:
            # Imported only in the model process: the native libraries take seconds and hundreds of megabytes.
            from reconstruction_operator.models.photogrammetry.pipeline import reconstruct  # noqa: PLC0415

            divides = self.divides_depths(settings)
            return reconstruct(work, settings, report, self.depths, sizes=self.part_sizes, divides_depths=divides)
        except HelpOver:
            return Result()
        except FileNotFoundError:
            if work.helps:  # the run has deleted or moved what the helper read
                return Result()
            raise
        except MemoryError as error:
            raise ModelFailure(
                "OUT_OF_MEMORY", f"not enough memory for {len(work.photos)} photos at {settings.max_image_size} px"
            ) from error

    def depths(self, task: DepthTask, write: Write) -> None:
        """Pass the depth map of each view to `write`, from any thread.

        A model of another package may override this method.
        """
        from reconstruction_operator.models.photogrammetry.dense import depthmaps, patchmatch  # noqa: PLC0415  # as above

        source = depthmaps if self._sweeps_planes(task.settings) else patchmatch
        source.compute(task, write)

    def divides_depths(self, settings: parameter_table.QualitySettings) -> bool:
        """Return whether `depths` computes the depth maps of the wanted views as it computes them among all.

        PatchMatch compares all views. A model that overrides `depths` overrides this method too, if it can.
        """
        return type(self).depths is PhotogrammetryModel.depths and self._sweeps_planes(settings)

    def _sweeps_planes(self, settings: parameter_table.QualitySettings) -> bool:
        from reconstruction_operator.models.photogrammetry.dense import patchmatch  # noqa: PLC0415  # as above

        return not (settings.patch_match and patchmatch.available())


def _limit_threads(threads: int) -> None:
    """Limit the threads of OpenMP, and those of BLAS to one: with two, products of small matrices take several times
    the CPU.

    Both libraries read these variables once, when they are loaded. In a process that has loaded numpy already, nothing
    changes.
    """
    if "numpy" in sys.modules:
        return
    os.environ |= {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
