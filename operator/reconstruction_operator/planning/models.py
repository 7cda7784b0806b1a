"""Model matching: compares a job's model and parameters with the workers' announcements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from reconstruction_operator.api.spec import Spec
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.pools import pool_of
from reconstruction_operator.planning import parameters
from reconstruction_operator.planning.quotas import Refusal

_SHOWN: Final = 5  # names in a message


@dataclass(frozen=True, slots=True)
class Offer:
    """The queues and models of one live worker. `models` is None for a worker whose announcement cannot be read."""

    node: str
    queues: frozenset[str]
    models: Mapping[str, ModelInfo] | None


def refusal(spec: Spec, offers: Iterable[Offer]) -> Refusal | None:
    """Return why every worker of the job's queue would refuse its parameters; None if one may accept them.

    `offers`: of all workers of the queue. Nothing is refused if none has the model: a worker that has it may start
    later.
    """
    first: Refusal | None = None
    refused: set[int] = set()  # workers with the same announcement share its parts
    for offer in offers:
        if offer.models is None:
            return None
        info = offer.models.get(spec.model_type)
        if info is None or id(info) in refused:
            continue
        problem = "" if info.parameters is None else parameters.problem(info.parameters, spec.parameters)
        wrong_stage = stages_problem(spec.stage_queues, info.stages) if info.stages else ""
        if not problem and not wrong_stage:
            return None
        refused.add(id(info))
        version = f" {info.version}" if info.version else ""
        text = f"{spec.model_type}{version} on worker {offer.node}: {problem or wrong_stage}"
        first = first or Refusal("INVALID_PARAMETERS" if problem else "INVALID_SPEC", text)
    return first


def stages_problem(queues: Iterable[str], stages: Sequence[str]) -> str:
    """Return which stage of spec.stageQueues a model with these stages does not have; empty if it has all."""
    unknown = sorted(set(queues) - set(stages))
    if not unknown:
        return ""
    if not stages:
        return "spec.stageQueues: the model has no stages that other workers can run"
    meant = "".join(f"did you mean {other}? " for other in get_close_matches(unknown[0], stages, 1))
    return f"spec.stageQueues: no stage is called {unknown[0]!r:.80}: {meant}The stages are {', '.join(stages)}"


def missing(spec: Spec, queue: str, offers: Sequence[Offer], others: Sequence[Offer]) -> str:
    """Return what the job waits for if no worker of its queue has its model.

    Empty if a worker has or may have it, or if the queue has no worker. `others`: workers of all queues; the queues
    with the model are named.
    """
    model = spec.model_type
    if not offers or any(info is None or model in info for info in (offer.models for offer in offers)):
        return ""
    have = sorted({name for offer in offers for name in offer.models or ()})
    text = f"Waiting for a worker with model {model}: those of queue {queue} have {_list(have) or 'no model'}"
    having = (offer.queues for offer in others if offer.models and model in offer.models)
    queues = sorted({pool_of(name) for names in having for name in names})
    return f"{text}; queue {_list(queues)} has it (spec.queue)" if queues else text


def reads_photos(model: str, offers: Iterable[Offer]) -> bool:
    """Return whether a worker that has announced the model would read the job's input."""
    infos = (offer.models.get(model) for offer in offers if offer.models is not None)
    return any(info is not None and info.reads_photos and not info.simulated for info in infos)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
