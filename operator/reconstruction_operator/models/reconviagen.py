"""ReconViaGen model (github.com/GAP-LAB-CUHK-SZ/ReconViaGen): runs where its packages, its weights and a GPU are
available.

It invents surfaces that no photo shows, so the quality of the result has `generative`. Its packages are imported only
when a run starts.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from reconstruction_operator.models.interface import PHOTO_FORMATS, ModelFailure, Report, Result, Step, Work

_MODULES = ("torch", "trellis", "spconv", "nvdiffrast", "PIL")
_WEIGHTS = "Stable-X/trellis-vggt-v0-2"
_SIMPLIFY = 0.95  # share of the triangles to remove, as in the project's own app
_TEXTURE_PIXELS = 1024
_PREVIEW_FRAMES = 8
_MAX_SEED = 2**31 - 1
_DEFAULT_SEED = 0


class ReconViaGenModel:
    """Accepts the parameter `seed` (a whole number from 0, default 0)."""

    name: ClassVar[str] = "reconviagen"
    isolated: ClassVar[bool] = True
    network: ClassVar[bool] = True  # it downloads its weights
    step_shares: ClassVar[Mapping[Step, float]] = MappingProxyType(
        {
            Step.LOAD: 0.02,
            Step.PREPROCESS: 0.33,  # the weights are loaded here
            Step.RECONSTRUCT: 0.40,
            Step.POSTPROCESS: 0.20,
            Step.PREVIEW: 0.04,
            Step.FINALIZE: 0.01,
        }
    )
    min_photos: ClassVar[int] = 1
    max_photos: ClassVar[int] = 32  # 16 need 18 GB of GPU memory

    def unavailable(self) -> str | None:
        """Return which packages are missing and where to get them; None if there are none."""
        missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
        if not missing:
            return None
        return f"missing Python modules: {', '.join(missing)} (see github.com/GAP-LAB-CUHK-SZ/ReconViaGen; needs a GPU)"

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """Return the seed, or its default. Raises ModelFailure (INVALID_PARAMETERS)."""
        unknown = sorted(set(parameters) - {"seed"})
        if unknown:
            raise ModelFailure("INVALID_PARAMETERS", f"parameter {unknown[0]!r:.80} is not known; allowed is seed")
        seed = parameters.get("seed", _DEFAULT_SEED)
        if type(seed) is not int or not 0 <= seed <= _MAX_SEED:
            raise ModelFailure(
                "INVALID_PARAMETERS", f"parameter seed is {seed!r:.80}; allowed are whole numbers from 0 to {_MAX_SEED}"
            )
        return {"seed": seed}

    def run(self, work: Work, report: Report) -> Result:
        """Write `model.glb` and the previews.

        Raises ModelFailure: BACKEND_UNAVAILABLE without a GPU, OUT_OF_MEMORY if the GPU has too little memory.
        """
        os.environ.setdefault("SPCONV_ALGO", "native")  # read on import; the default runs a benchmark first
        torch = importlib.import_module("torch")
        if not torch.cuda.is_available():
            raise ModelFailure("BACKEND_UNAVAILABLE", "reconviagen needs a CUDA GPU, and this worker sees none")
        try:
            return _reconstruct(work, report)
        except torch.cuda.OutOfMemoryError as error:
            total = torch.cuda.get_device_properties(0).total_memory / 1024**3
            raise ModelFailure(
                "OUT_OF_MEMORY",
                f"the GPU's {total:.0f} GB are not enough for {len(work.photos)} photos (16 need about 18 GB)",
            ) from error


def _reconstruct(work: Work, report: Report) -> Result:
    pipelines = importlib.import_module("trellis.pipelines")
    render_utils = importlib.import_module("trellis.utils.render_utils")
    postprocessing = importlib.import_module("trellis.utils.postprocessing_utils")
    image_class = importlib.import_module("PIL.Image")

    report(Step.PREPROCESS, 0.0, "loading the weights")
    pipeline = pipelines.TrellisVGGTTo3DPipeline.from_pretrained(_WEIGHTS)
    pipeline.cuda()
    images: list[Any] = []
    for count, photo in enumerate(work.photos, start=1):
        with image_class.open(photo.path, formats=PHOTO_FORMATS) as image:
            images.append(pipeline.preprocess_image(image.convert("RGBA")))
        report(Step.PREPROCESS, 0.5 + 0.5 * count / len(work.photos), f"background {count}/{len(work.photos)}")

    report(Step.RECONSTRUCT, 0.0)
    outputs, _, _ = pipeline.run(
        image=images,
        seed=work.parameters["seed"],
        formats=["gaussian", "mesh"],
        preprocess_image=False,
        sparse_structure_sampler_params={"steps": 30, "cfg_strength": 7.5},
        slat_sampler_params={"steps": 12, "cfg_strength": 7.5},
        mode="multidiffusion",
    )
    report(Step.POSTPROCESS, 0.0)
    gaussian, mesh = outputs["gaussian"][0], outputs["mesh"][0]
    textured = postprocessing.to_glb(gaussian, mesh, simplify=_SIMPLIFY, texture_size=_TEXTURE_PIXELS)
    textured.export(str(work.output_dir / "model.glb"))

    report(Step.PREVIEW, 0.0)
    frames = render_utils.render_video(gaussian, num_frames=_PREVIEW_FRAMES)["color"]
    for index, frame in enumerate(frames[:: _PREVIEW_FRAMES // 4]):
        image_class.fromarray(frame).save(work.output_dir / f"preview_{index}.png")
    return Result(quality={"faces": len(textured.faces), "generative": "true"})
