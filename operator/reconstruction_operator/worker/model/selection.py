"""Model selection: decides which model runs a job, and whether the run is simulated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reconstruction_operator import config
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.fingerprint import recipe
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import Model, ModelFailure
from reconstruction_operator.planning import parameters as parameter_check

PLACEHOLDER = "placeholder"


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that can run here, with checked and complete parameters."""

    model: Model
    parameters: Mapping[str, object]
    simulated: bool

    @property
    def pace_seconds(self) -> float | None:
        """The duration of each step of a simulated run; None: the run is real."""
        if not self.simulated:
            return None
        seconds = self.parameters.get("stepSeconds", config.settings.PLACEHOLDER_STEP_SECONDS)
        return float(seconds) if isinstance(seconds, int | float) else config.settings.PLACEHOLDER_STEP_SECONDS

    @property
    def shared_stages(self) -> tuple[str, ...]:
        """The stages of which a run with some of the same photos uses parts."""
        return tuple(getattr(self.model, "shared_stages", ()))

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages that may run on workers of another queue each."""
        return tuple(getattr(self.model, "stage_names", ()))

    @property
    def makes_parts(self) -> bool:
        """Whether the model makes stages in parts, so that other workers can help."""
        return self.model.isolated and getattr(self.model, "makes_parts", False) is True

    def stages_key(self, input_digest: str) -> str:
        """Return the key of the model's stages: the digest of the input (empty for a simulation, and for what stages of
        all inputs have in common) and of what computes them.
        """
        return recipe(self.model.name, made_by(self.model), {"input": input_digest})


def made_by(model: Model) -> str:
    """Return what computes a model's stages here: its version, and the packages that it computes with."""
    installed = registry.versions(model.name)
    packages = [f"{package}=={installed.get(package, '')}" for package in sorted(getattr(model, "packages", ()))]
    return " ".join([registry.version(model.name), *packages])


def choose(model_type: str, parameters: Mapping[str, object]) -> Choice:
    """Return the model of that name; or the placeholder, if the model cannot run here and the settings allow
    simulation.

    Raises ModelFailure: BACKEND_UNAVAILABLE or INVALID_PARAMETERS (by the model's schema, then by the model).
    """
    model = _find(model_type)
    schema = _schema(model_type, model)
    # The operator checks this for queued jobs, but not for bare tasks and local runs.
    if problem := parameter_check.problem(schema, parameters):
        raise ModelFailure("INVALID_PARAMETERS", problem)
    if model.name != model_type:
        known = _properties(schema)
        parameters = {name: value for name, value in parameters.items() if name in known}
    return Choice(model, model.check_parameters(parameters), model.name == PLACEHOLDER)


def announced_models() -> dict[str, ModelInfo]:
    """Return the models that `choose` accepts here, by name."""
    choices = {}
    for name in registry.names():
        try:
            model = _find(name)
        except ModelFailure:
            continue
        choices[name] = ModelInfo(
            version=registry.version(model.name),
            parameters=_schema(name, model) or None,
            simulated=model.name == PLACEHOLDER,
            stages=tuple(getattr(model, "stage_names", ())) if model.name == name else (),
            reads_photos=model.max_photos > 0,
        )
    return choices


def _schema(name: str, model: Model) -> Mapping[str, object]:
    """Return the schema of the parameters of `name`, which `model` runs; empty without one.

    In the place of another model, the placeholder accepts all parameters: those of that model are not known here.
    """
    schema = registry.schema(model.name) or {}
    return schema if model.name == name else {**schema, "additionalProperties": True}


def _properties(schema: Mapping[str, object]) -> Collection[str]:
    properties = schema.get("properties")
    return properties.keys() if isinstance(properties, Mapping) else ()


def _find(name: str) -> Model:
    try:
        return registry.find(name)
    except registry.UnavailableModelError:
        if config.settings.RECONSTRUCTION_SIMULATE != "unavailable":
            raise
        return registry.find(PLACEHOLDER)
