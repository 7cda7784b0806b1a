"""Which model runs a job, and whether it only pretends to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconstruction_operator import config
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import Model

PLACEHOLDER = "placeholder"


@dataclass(frozen=True, slots=True)
class Choice:
    """`parameters` are checked and complete."""

    model: Model
    parameters: Mapping[str, object]
    simulated: bool

    @property
    def pace_seconds(self) -> float | None:
        """How long each step of a simulated run takes."""
        if not self.simulated:
            return None
        seconds = self.parameters.get("stepSeconds", config.settings.PLACEHOLDER_STEP_SECONDS)
        return float(seconds) if isinstance(seconds, int | float) else config.settings.PLACEHOLDER_STEP_SECONDS


def choose(model_type: str, parameters: Mapping[str, object]) -> Choice:
    """The model of that name; the placeholder for one that cannot run here, where the setting says so.

    Raises:
        ModelFailure: BACKEND_UNAVAILABLE or INVALID_PARAMETERS.

    """
    try:
        model = registry.find(model_type)
    except registry.UnavailableModelError:
        if config.settings.RECONSTRUCTION_SIMULATE != "unavailable":
            raise
        model = registry.find(PLACEHOLDER)
    return Choice(model, model.check_parameters(parameters), model.name == PLACEHOLDER)
