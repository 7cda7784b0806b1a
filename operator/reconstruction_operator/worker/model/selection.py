"""Model selection: which model runs a job, and whether the run is simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconstruction_operator import config
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import Model, ModelFailure, Step

PLACEHOLDER = "placeholder"


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that can run here, with checked and complete parameters."""

    model: Model
    parameters: Mapping[str, object]
    simulated: bool

    @property
    def pace_seconds(self) -> float | None:
        """How long each step of a simulated run takes; None: the run is real."""
        if not self.simulated:
            return None
        seconds = self.parameters.get("stepSeconds", config.settings.PLACEHOLDER_STEP_SECONDS)
        return float(seconds) if isinstance(seconds, int | float) else config.settings.PLACEHOLDER_STEP_SECONDS


def choose(model_type: str, parameters: Mapping[str, object]) -> Choice:
    """The model of that name. If it cannot run here, the placeholder, provided that the settings allow simulation.

    Raises ModelFailure: BACKEND_UNAVAILABLE or INVALID_PARAMETERS.
    """
    try:
        model = registry.find(model_type)
    except registry.UnavailableModelError:
        if config.settings.RECONSTRUCTION_SIMULATE != "unavailable":
            raise
        model = registry.find(PLACEHOLDER)
    choice = Choice(model, model.check_parameters(parameters), model.name == PLACEHOLDER)
    _check_duration(choice)
    return choice


def _check_duration(choice: Choice) -> None:
    """A simulation occupies a worker for as long as it was asked to."""
    asked, most = choice.parameters.get("stepSeconds"), config.settings.PLACEHOLDER_MAX_SECONDS
    if choice.simulated and isinstance(asked, int | float) and asked * len(Step) > most:
        raise ModelFailure(
            "INVALID_PARAMETERS",
            f"parameter stepSeconds is {asked:g}, for each of {len(Step)} steps; together they may take {most:g} s "
            "(PLACEHOLDER_MAX_SECONDS)",
        )
