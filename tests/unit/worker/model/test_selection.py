"""Model selection: which model runs a job, and when a run is simulated."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.models.placeholder import PlaceholderModel
from reconstruction_operator.worker.model import selection

from tests.support.settings import configure


@pytest.mark.parametrize(
    ("model_type", "simulate", "expected"),
    [
        pytest.param("placeholder", "unavailable", ("placeholder", True), id="a simulation is requested"),
        pytest.param("placeholder", "never", ("placeholder", True), id="also where others are not simulated"),
        pytest.param("reconviagen", "unavailable", ("placeholder", True), id="its packages are missing"),
        pytest.param("rough-broken", "unavailable", ("placeholder", True), id="it cannot be imported"),
        pytest.param("rough-good", "unavailable", ("rough-good", False), id="it can run"),
        pytest.param("rough-good", "never", ("rough-good", False), id="it can run and others are not simulated"),
    ],
)
@pytest.mark.usefixtures("rough_models")
def test_a_model_that_cannot_run_is_simulated_if_allowed(
    model_type: str, simulate: str, expected: tuple[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, RECONSTRUCTION_SIMULATE=simulate)
    choice = selection.choose(model_type, {})

    assert (choice.model.name, choice.simulated) == expected


@pytest.mark.parametrize(
    ("model_type", "simulate", "problem"),
    [
        pytest.param("photogrametry", "unavailable", "photogrametry", id="an unknown model is never simulated"),
        pytest.param("reconviagen", "never", "missing Python modules: torch", id="no simulation allowed"),
    ],
)
def test_a_model_that_cannot_run_is_refused(
    model_type: str, simulate: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, RECONSTRUCTION_SIMULATE=simulate)
    with pytest.raises(ModelFailure, match=problem) as caught:
        selection.choose(model_type, {})
    assert caught.value.reason == "BACKEND_UNAVAILABLE"


def test_parameters_are_checked_by_the_model_that_runs() -> None:
    assert selection.choose("reconviagen", {"seed": 7, "stepSeconds": 0.5}).parameters == {"stepSeconds": 0.5}
    for wrong in ({"stepSeconds": "slow"}, {"seed": 7}):
        with pytest.raises(ModelFailure, match="INVALID_PARAMETERS"):
            selection.choose("placeholder", wrong)


@pytest.mark.parametrize(
    ("model_type", "parameters", "expected"),
    [
        pytest.param("placeholder", {}, 1.5, id="the setting"),
        pytest.param("placeholder", {"stepSeconds": 4}, 4.0, id="the job's"),
        pytest.param("rough-good", {"stepSeconds": 4}, None, id="a real run has no pace"),
    ],
)
@pytest.mark.usefixtures("rough_models")
def test_the_pace_of_a_simulation_comes_from_job_or_setting(
    model_type: str, parameters: dict[str, Any], expected: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, PLACEHOLDER_STEP_SECONDS=1.5)

    assert selection.choose(model_type, parameters).pace_seconds == expected


def test_the_announced_models_are_those_that_would_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, RECONSTRUCTION_SIMULATE="never")
    real = selection.announced_models()
    assert real.keys() == {"photogrammetry", "placeholder"}
    assert real["photogrammetry"].reads_photos
    assert real["placeholder"].parameters == PlaceholderModel.parameters_schema
    assert (real["placeholder"].simulated, real["placeholder"].reads_photos) == (True, False)

    configure(monkeypatch, RECONSTRUCTION_SIMULATE="unavailable")
    simulated = selection.announced_models()["reconviagen"]
    assert simulated.simulated
    others = {**PlaceholderModel.parameters_schema, "additionalProperties": True}
    assert simulated.parameters == others, "the parameters of the simulated model are not known"


def test_the_key_of_stages_depends_on_photos_model_and_packages_but_not_on_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fast = selection.choose("photogrammetry", {"quality": "fast"})
    key = fast.stages_key("sha256:1")
    assert selection.choose("photogrammetry", {"quality": "standard"}).stages_key("sha256:1") == key
    assert fast.stages_key("sha256:2") != key
    assert selection.choose("placeholder", {}).stages_key("sha256:1") != key
    monkeypatch.setattr(type(fast.model), "packages", ("pycolmap",))
    assert fast.stages_key("sha256:1") != key
