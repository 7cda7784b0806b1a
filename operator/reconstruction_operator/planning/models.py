"""Model matching: compares a job's model and parameters with the workers' announcements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
        if not problem:
            return None
        refused.add(id(info))
        version = f" {info.version}" if info.version else ""
        text = f"{spec.model_type}{version} on worker {offer.node}: {problem}"
        first = first or Refusal("INVALID_PARAMETERS", text)
    return first


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
