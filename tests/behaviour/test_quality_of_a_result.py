"""The numbers about a result on their way from the model's process to the status."""

from __future__ import annotations

import numpy as np
from reconstruction_operator.api import fitting
from reconstruction_operator.api.status import Status
from reconstruction_operator.models import exchange
from reconstruction_operator.models.interface import Result
from reconstruction_operator.models.photogrammetry import finishing
from reconstruction_operator.models.photogrammetry.placing.markers import Scale
from reconstruction_operator.models.photogrammetry.sparse.mapping import SparseModel
from reconstruction_operator.state import fields

from tests.support.engine import scenes
from tests.support.engine.geometry import photo_of, sphere


def test_a_status_shows_all_numbers_of_a_result_that_has_each_of_them() -> None:
    photos = tuple(photo_of(camera, "0.jpg", np.arange(1)) for camera in scenes.around(4))
    quality = finishing.quality_of(
        SparseModel(photos, np.zeros((1, 3)), 0.5),
        images=4,
        unused=1,
        dense_points=100,
        mesh=sphere(0),
        coverage=0.9,
        invented=0.1,
        measured=Scale(1.0, 3, 5, 90.0, 0.0123),
        advice="6 more photos",
    )

    message = exchange.decode(exchange.encode(Result(quality=quality)))
    assert isinstance(message, Result)
    status = fitting.fit(Status(quality=fields.quality(message.quality)))

    assert list(status.quality) == list(quality)
    assert status.quality["scaleUncertainty"] == "0.012"
    assert status.quality["advice"] == "6 more photos"
