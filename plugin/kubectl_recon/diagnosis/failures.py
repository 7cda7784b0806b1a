"""Kinds of failures: the table of what each reason means, and what to do. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from kubectl_recon.diagnosis import retries
from kubectl_recon.diagnosis.facts import Facts

Advice: TypeAlias = "str | Callable[[Facts], str | None]"
"""What to do, with {name}, {queue} and {model} of the job; or a function that returns it, or None if it cannot help."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of failure: an identifier for programs, what it means, and what to do."""

    situation: str
    text: str
    advice: tuple[Advice, ...]

    def actions(self, facts: Facts) -> tuple[str, ...]:
        """Return what to do about this job, as far as it can help."""
        job = facts.job
        every = [
            advice.format(name=job.name, queue=job.queue, model=job.model) if isinstance(advice, str) else advice(facts)
            for advice in self.advice
        ]
        return retries.listed(*every)


def kind_of(reason: str) -> Kind:
    """Return the kind of a failure with that reason."""
    return _KINDS.get(reason, _OTHER)


def _again(facts: Facts) -> str | None:
    return retries.again(facts, "then run it again")


def _edit(text: str) -> Advice:
    return lambda facts: retries.advised(facts, text, "--edit")


_LOGS: Final = "an administrator can read the log: kubectl recon logs {name}"
_KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(
        ("TOO_FEW_IMAGES", "NOT_ENOUGH_OVERLAP", "NO_DENSE_SURFACE", "LOW_TEXTURE"),
        Kind(
            "photos-insufficient",
            "the photos do not show the object well enough",
            (
                "take 20 or more photos, sharp and closer together, each overlapping most of the next",
                retries.NEW_PHOTOS,
            ),
        ),
    ),
    "NO_PARALLAX": Kind(
        "photos-from-one-place",
        "the photos were taken from one place, so they contain no depth",
        ("walk around the object: a step aside for each photo, instead of turning the camera", retries.NEW_PHOTOS),
    ),
    **dict.fromkeys(
        (
            "CORRUPT_IMAGE",
            "IMAGE_TOO_LARGE",
            "IMAGE_TOO_SMALL",
            "TOO_MANY_IMAGES",
            "UNSUPPORTED_FORMAT",
            "UNSUPPORTED_IMAGE",
        ),
        Kind(
            "photos-unreadable",
            "some of the photos cannot be used",
            ("export the photos in the message again as JPEG, or remove them", retries.NEW_PHOTOS),
        ),
    ),
    **dict.fromkeys(
        ("INPUT_NOT_FOUND", "INPUT_REFUSED"),
        Kind(
            "input-address",
            "the workers cannot read the photos at that address",
            (
                "give kubectl recon retry {name} as --input an address that the workers can read, see the message",
                _edit("or correct spec.input.uri in an editor"),
                "or upload a folder of this machine by kubectl recon submit",
            ),
        ),
    ),
    "INPUT_UNREACHABLE": Kind(
        "input-unreachable",
        "the server of the photos did not respond to the workers",
        ("check that server and its address", _again),
    ),
    "OUTPUT_REFUSED": Kind(
        "output-refused",
        "the result may not be written to spec.output.uri",
        (
            "give kubectl recon retry {name} as --output a new or empty folder that the namespace may use",
            _edit("or correct or remove spec.output in an editor"),
        ),
    ),
    "OUTPUT_UPLOAD_FAILED": Kind(
        "output-unreachable",
        "the result could not be delivered to spec.output.uri",
        ("check the server or disk there, its free space and the workers' rights", _again),
    ),
    "RESULT_NOT_FOUND": Kind(
        "result-not-found",
        "it should take over an earlier result of its name, but there is none",
        (lambda facts: retries.again(facts, "run it instead, from its photos"),),
    ),
    "INVALID_PARAMETERS": Kind(
        "spec-invalid",
        "its parameters are invalid",
        (
            lambda facts: retries.without_mistakes(facts, "run it without the wrong ones"),
            _edit("correct spec.parameters in an editor"),
        ),
    ),
    "INVALID_SPEC": Kind("spec-invalid", "its spec is invalid", (_edit("correct it in an editor"),)),
    "INVALID_STATUS": Kind(
        "status-invalid",
        "its status was changed by hand",
        (lambda facts: retries.again(facts, "run it again, under a new name"),),
    ),
    "BACKEND_UNAVAILABLE": Kind(
        "model-missing",
        "no worker of its queue has the model",
        (
            lambda facts: retries.elsewhere(facts, f"use a queue whose workers have {facts.job.model}"),
            lambda facts: retries.other_model(facts, "choose another model"),
            "ask an administrator for workers of queue {queue} that have {model}: kubectl recon models",
        ),
    ),
    **dict.fromkeys(
        ("OUT_OF_MEMORY", "DISK_FULL"),
        Kind(
            "out-of-room",
            "the worker ran out of memory or disk",
            (
                lambda facts: retries.lighter(facts, "reduce the work"),
                "use fewer photos, submitted by kubectl recon submit",
                "or ask an administrator to give the workers of queue {queue} more",
            ),
        ),
    ),
    "VOLUME_QUOTA": Kind(
        "volume-quota",
        "the jobs of the namespace take as much of the workers' job volume as they may",
        (
            "delete jobs whose results are no longer needed: kubectl recon list, kubectl delete recon NAME",
            "or ask the administrator for more (NAMESPACE_VOLUME_BYTES)",
            _again,
        ),
    ),
    **dict.fromkeys(
        ("WORKER_LOST", "BACKEND_CRASHED", "WORKER_ERROR"),
        Kind(
            "worker-trouble",
            "its worker was lost or failed, or the model crashed",
            (
                _LOGS,
                lambda facts: retries.lighter(facts, "if it lacked memory, which is the usual cause"),
                _again,
            ),
        ),
    ),
    "TIMEOUT": Kind(
        "timed-out",
        "it took longer than spec.activeDeadlineSeconds",
        (
            lambda facts: retries.longer(facts, "raise the deadline"),
            lambda facts: retries.advised(facts, "run it without a deadline", "--deadline none"),
        ),
    ),
    "QUEUE_TIMEOUT": Kind(
        "waited-too-long",
        "it waited for a worker longer than spec.queueDeadlineSeconds",
        (
            lambda facts: retries.advised(facts, "let it wait for as long as it takes", "--queue-deadline none"),
            "or ask an administrator for more workers of queue {queue}",
        ),
    ),
    "PRIORITY_REFUSED": Kind(
        "not-granted",
        "the administrator's rules do not allow that priority in the namespace",
        (lambda facts: retries.advised(facts, "use another priority", "--priority normal"),),
    ),
    "QUEUE_REFUSED": Kind(
        "not-granted",
        "the administrator's rules do not open that queue to the namespace",
        ("give kubectl recon retry {name} as --queue one that is open to the namespace, or ask the administrator",),
    ),
    "TOO_MANY_WAITING": Kind(
        "not-granted",
        "as many jobs of the namespace wait as the administrator allows",
        ("wait until others of its namespace have started, or ask the administrator for more", _again),
    ),
}
_OTHER: Final = Kind("failed", "see its message", (_LOGS, _again))
