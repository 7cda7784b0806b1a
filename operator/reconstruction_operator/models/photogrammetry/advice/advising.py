"""Advising: makes the advice of a run. It is extra: an error in it is logged and named, and the result stays."""

from __future__ import annotations

import logging

from reconstruction_operator.models.interface import Placement
from reconstruction_operator.models.photogrammetry.advice import files, standpoints
from reconstruction_operator.models.photogrammetry.advice.files import Advice
from reconstruction_operator.models.photogrammetry.arrays import Mask, Singles
from reconstruction_operator.models.photogrammetry.output.results import Model
from reconstruction_operator.models.photogrammetry.run import Fit, Run, Scene

_MOST_CHARS = 100  # of an error's text, in the status

logger = logging.getLogger(__name__)


def advise(
    run: Run,
    scene: Scene,
    fit: Fit,
    model: Model,
    *,
    weights: Singles,
    subject: Mask,
    metres: float | None,
    placement: Placement | None,
) -> tuple[list[Advice], str]:
    """Write the advice to `work.output_dir`, and return it, and a few words about it for the status.

    `weights` (vertices, views of the scene) are positive where a view shows a vertex of the model, and `subject`
    (vertices,) is where it shows the subject. `metres`: a unit of the model, None: unknown. Raises OSError only.
    """
    try:
        placed = {photo.name: photo for photo in model.sparse.photos}
        names = [view.name for view in scene.views]
        photos = [placed[run.originals[name].path.name] for name in names]
        chosen = standpoints.find(
            model.mesh,
            weights,
            subject,
            [photo.camera for photo in photos],
            is_object=fit.region.about_core,
            is_around=scene.is_around,
        )
        advice = files.described(chosen, photos, [run.pictures / name for name in names], metres)
        if advice:
            files.write(run.work.output_dir, advice, metres=metres, placement=placement)
    except OSError:  # such as a full disk, of which the user must know
        raise
    except Exception as error:
        logger.exception("No advice about more photos could be made")
        return [], f"none: {type(error).__name__}: {error}"[:_MOST_CHARS]
    return advice, files.summary(advice)
