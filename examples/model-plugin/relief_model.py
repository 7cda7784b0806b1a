"""Model `relief`: the brightness of the first photo as heights.

An example of a plug-in; docs/model-plugin.md explains it.
"""

import numpy as np
import trimesh
from PIL import Image
from reconstruction_operator.models.interface import PHOTO_FORMATS, ModelFailure, Result, Step

MOST_POINTS = 200  # along a side


class Relief:
    name = "relief"  # spec.modelType, and the name of the entry point
    version = "1"  # change it when the same photos and parameters give another result
    isolated = True  # in a separate process, which may crash
    step_shares = {step: 1 / len(Step) for step in Step}  # of the run's time, for the ETA
    min_photos, max_photos = 1, 200
    parameters_schema = {
        "type": "object",
        "properties": {"points": {"type": "integer", "minimum": 2, "maximum": MOST_POINTS}},
        "additionalProperties": False,
    }

    def unavailable(self):
        return None  # or a text: why it cannot run on this machine

    def check_parameters(self, parameters):
        points = parameters.get("points", 64)
        if type(points) is not int or not 2 <= points <= MOST_POINTS:
            raise ModelFailure("INVALID_PARAMETERS", f"points is {points!r}; allowed are 2 to {MOST_POINTS}")
        return {"points": points}

    def run(self, work, report):
        points = work.parameters["points"]
        with Image.open(work.photos[0].path, formats=PHOTO_FORMATS) as photo:
            grey = photo.convert("L").resize((points, points))
            photo.thumbnail((256, 256))
            photo.save(work.output_dir / "preview_0.png")
        report(Step.PREPROCESS, 1.0, "photo read")

        rows, columns = np.mgrid[:points, :points]
        vertices = np.stack([columns, np.asarray(grey) / 255 * points / 4, rows], axis=-1).reshape(-1, 3) / points
        at = (rows * points + columns)[:-1, :-1].reshape(-1, 1)
        faces = np.vstack([np.add(at, (0, points, 1)), np.add(at, (1, points, points + 1))])
        report(Step.RECONSTRUCT, 1.0, f"{len(faces)} faces")  # raises where the job was cancelled

        trimesh.Trimesh(vertices, faces, process=False).export(work.output_dir / "model.glb")
        grey.resize((256, 256)).save(work.output_dir / "preview_1.png")
        report(Step.PREVIEW, 1.0)
        return Result(quality={"faces": len(faces)})
