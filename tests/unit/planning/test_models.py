"""Models that workers announce: which jobs wait for one, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.planning import models
from reconstruction_operator.planning.models import Offer
from reconstruction_operator.planning.quotas import Refusal

STRICT = ModelInfo("2.0", {"properties": {"quality": {"enum": ["fast"]}}})
LAX = ModelInfo("3.0", {})
SILENT = ModelInfo("1.0", None)


def offer(node: str, models: dict[str, ModelInfo] | None, queue: str = "celery") -> Offer:
    return Offer(node, frozenset({f"{queue}-high", queue, f"{queue}-low"}), models)


CPU = offer("cpu@a", {"photogrammetry": STRICT, "placeholder": LAX})
GPU = offer("gpu@b", {"reconviagen": LAX}, "gpu")
UNANNOUNCED = offer("new@c", None)


def missing(model: str, *offers: Offer, others: tuple[Offer, ...] = ()) -> str:
    return models.missing(Spec(model_type=model), "celery", offers, (*offers, *others))


def test_a_job_waits_for_a_worker_with_its_model() -> None:
    assert missing("photogrametry", CPU) == (
        "Waiting for a worker with model photogrametry: those of queue celery have photogrammetry, placeholder"
    )


def test_workers_of_other_queues_with_the_model_are_named() -> None:
    assert missing("reconviagen", CPU, others=(GPU,)).endswith("; queue gpu has it (spec.queue)")


@pytest.mark.parametrize(
    "offers",
    [
        pytest.param((), id="no worker at all"),
        pytest.param((CPU, GPU), id="one of two has it"),
        pytest.param((CPU, UNANNOUNCED), id="a worker without an announcement may have it"),
    ],
)
def test_a_job_does_not_wait_if_a_worker_may_have_its_model(offers: tuple[Offer, ...]) -> None:
    assert missing("reconviagen", *offers) == ""


def refusal(*offers: Offer, **parameters: Any) -> Refusal | None:
    return models.refusal(Spec(parameters=parameters), offers)


def test_parameters_that_every_worker_refuses_are_refused_as_the_first_does() -> None:
    assert refusal(CPU, offer("cpu@d", {"photogrammetry": STRICT}), quality="best") == (
        "INVALID_PARAMETERS",
        "photogrammetry 2.0 on worker cpu@a: parameter quality: 'best' was given, allowed is one of fast",
    )


@pytest.mark.parametrize(
    "offers",
    [
        pytest.param((), id="no worker"),
        pytest.param((GPU,), id="none with the model"),
        pytest.param((CPU, UNANNOUNCED), id="a worker without an announcement"),
        pytest.param((CPU, offer("cpu@d", {"photogrammetry": LAX})), id="one accepts them"),
        pytest.param((CPU, offer("cpu@d", {"photogrammetry": SILENT})), id="one has no schema"),
    ],
)
def test_parameters_that_a_worker_may_accept_are_not_refused(offers: tuple[Offer, ...]) -> None:
    assert refusal(*offers, quality="best") is None


def test_a_worker_without_the_model_does_not_count() -> None:
    assert refusal(CPU, offer("gpu@b", {"reconviagen": LAX}), quality="best") is not None


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        pytest.param(LAX, True, id="real"),
        pytest.param(ModelInfo(simulated=True), False, id="simulated"),
        pytest.param(ModelInfo(reads_photos=False), False, id="without photos"),
    ],
)
def test_inputs_are_checked_only_for_models_that_read_them(info: ModelInfo, expected: bool) -> None:
    assert models.reads_photos("m", [offer("w", {"m": info}), UNANNOUNCED]) is expected


STAGED = offer("cpu@a", {"photogrammetry": ModelInfo("2.0", {}, stages=("alignment", "depth"))})


@pytest.mark.parametrize(
    ("stage", "offers", "is_refused"),
    [
        pytest.param("depth", (STAGED,), False, id="known"),
        pytest.param("dept", (STAGED,), True, id="unknown"),
        pytest.param("dept", (STAGED, UNANNOUNCED), False, id="a-worker-without-an-announcement-may-know-it"),
        pytest.param("dept", (CPU,), False, id="an-older-worker-announces-no-stages"),
    ],
)
def test_a_job_with_an_unknown_stage_is_refused(stage: str, offers: tuple[Offer, ...], is_refused: bool) -> None:
    spec = Spec(model_type="photogrammetry", parameters={"quality": "fast"}, stage_queues={stage: "gpu"})

    assert (models.refusal(spec, offers) is not None) == is_refused


@pytest.mark.parametrize(
    ("stages", "text"),
    [
        (("depth", "texture"), "no stage is called 'dept': did you mean depth? The stages are depth, texture"),
        ((), "the model has no stages that other workers can run"),
    ],
)
def test_the_refusal_of_a_stage_names_those_that_there_are(stages: tuple[str, ...], text: str) -> None:
    assert models.stages_problem(["dept"], stages) == f"spec.stageQueues: {text}"
