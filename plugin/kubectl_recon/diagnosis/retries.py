"""Advice to run a finished job again: only options of `kubectl recon retry` that can help this job. No I/O."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, Final

from reconstruction_operator.planning import parameters

from kubectl_recon.diagnosis.facts import Facts
from kubectl_recon.jobs.times import duration_text
from kubectl_recon.kube.manifests import UNKNOWN_PHOTOS

NEW_PHOTOS: Final = "then submit the new set by kubectl recon submit; with --dry-run it only checks a folder"

_QUALITIES: Final = ("preview", "fast", "standard", "high")  # of photogrammetry, the least work first
_USUAL_MODEL: Final = "photogrammetry"
_USUAL_QUALITY: Final = "standard"
_ADVISED_QUALITY: Final = "fast"
_SIZES: Final = ("maxImageSize", "textureSize")  # parameters in px: half of them is less work
_ENOUGH_PERCENT: Final = 10  # from there on the time of the rest can be estimated
_MOST_SECONDS: Final = 31_536_000  # of a deadline


def listed(*actions: str | None) -> tuple[str, ...]:
    """Return the actions that there are."""
    return tuple(filter(None, actions))


def again(facts: Facts, text: str) -> str:
    """Return the advice to run the same job again."""
    return advised(facts, text, "") or f"{text} with its photos: submit them by kubectl recon submit"


def advised(facts: Facts, text: str, options: str) -> str | None:
    """Return the advice to run the job again with these options; None if it names no photos, so that it cannot."""
    if facts.job.spec.get("input", {}).get("uri") == UNKNOWN_PHOTOS and not options.startswith("--edit"):
        return None
    return f"{text}: kubectl recon retry {facts.job.name} {options}".rstrip()


def lighter(facts: Facts, text: str) -> str | None:
    """Return the advice to run the job with less work: with a lower quality, and half of the sizes that its author
    wrote.
    """
    schema = _schema(facts)
    given = facts.job.spec.get("parameters") or {}
    options = []
    qualities = [name for name in _QUALITIES if name in schema.get("quality", {}).get("enum", ())]
    quality = given.get("quality", schema.get("quality", {}).get("default"))
    if quality in qualities:
        lower = qualities[: qualities.index(quality)]
        if lower:
            options.append(f"--quality {_ADVISED_QUALITY if _ADVISED_QUALITY in lower else lower[-1]}")
    for name in _SIZES:
        value = given.get(name)
        least = schema.get(name, {}).get("minimum", 1)
        if name in schema and type(value) is int and value // 2 >= least:
            options.append(f"--param {name}={value // 2}")
    return advised(facts, text, " ".join(options)) if options else None


def longer(facts: Facts, text: str) -> str | None:
    """Return the advice to raise the job's deadline to twice the time that it needs; None if that time is unknown."""
    limit, percent = facts.job.spec.get("activeDeadlineSeconds"), facts.job.percent
    if type(limit) is not int or percent < _ENOUGH_PERCENT:
        return None
    wanted = min(_MOST_SECONDS, 2 * limit * 100 // percent)
    return advised(facts, text, f"--deadline {duration_text(wanted)}")


def without_mistakes(facts: Facts, text: str) -> str | None:
    """Return the advice to leave out the parameters that the model refuses; None if they are unknown."""
    given = facts.job.spec.get("parameters") or {}
    schema = {name: rule for name, rule in _schema(facts, whole=True).items() if name != "required"}
    wrong = [name for name, value in given.items() if parameters.problem(schema, {name: value})]
    options = " ".join(f"--param {shlex.quote(f'{name}=null')}" for name in wrong)
    return advised(facts, text, options) if wrong else None


def elsewhere(facts: Facts, text: str) -> str | None:
    """Return the advice to use a queue whose workers have the model; None if there is no other."""
    job, installation = facts.job, facts.installation
    have = [queue for queue in installation.served if any(job.model in models for models in installation.models(queue))]
    others = [queue for queue in have if queue != job.queue]
    return advised(facts, text, f"--queue {others[0]}") if others else None


def other_model(facts: Facts, text: str) -> str | None:
    """Return the advice to use the usual model; None if the job has it, or if its queue is known to lack it."""
    groups = facts.installation.models(facts.job.full_queue)
    if facts.job.model == _USUAL_MODEL or (groups and not any(_USUAL_MODEL in models for models in groups)):
        return None
    return advised(facts, text, f"--model {_USUAL_MODEL}")


def _schema(facts: Facts, *, whole: bool = False) -> Mapping[str, Any]:
    """Return the schema of each parameter of the job's model, as its workers announce them; or `whole`, with its other
    rules.
    """
    model = facts.job.model
    for queue in (facts.job.full_queue, *facts.installation.queues):
        for models in facts.installation.models(queue):
            if model in models:
                schema = models[model].parameters or {}
                properties = schema.get("properties")
                return schema if whole else properties if isinstance(properties, Mapping) else {}
    usual = {"quality": {"enum": _QUALITIES, "default": _USUAL_QUALITY}} | {name: {} for name in _SIZES}
    return usual if model == _USUAL_MODEL and not whole else {}
