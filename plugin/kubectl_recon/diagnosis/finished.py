"""Diagnosis of finished jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconstruction_operator.api.verdict import Verdict

from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.jobs.times import duration_text, seconds_between


def succeeded(facts: Facts) -> Answer:
    """Explain a succeeded job: with a good result, a poor one, or a simulation."""
    job = facts.job
    took = duration_text(seconds_between(job.time("startTime"), job.time("completionTime")))
    details = tuple(filter(None, (f"it took {took}" if took else "", _expiry(facts))))
    if job.verdict == Verdict.SIMULATED:
        cause = (
            "the model placeholder simulates" if job.model == "placeholder" else f"model {job.model} is not installed"
        )
        return Answer(
            "simulated",
            f"It succeeded, but the result is a simulation, not made from the photos: {cause}.",
            details=details,
            actions=("use modelType photogrammetry, or workers that have the model (RECONSTRUCTION_SIMULATE=never)",),
        )
    if job.verdict == Verdict.WARNING:
        return Answer(
            "poor-result",
            f"It succeeded, but the result is of poor quality; it is at {job.output_uri or 'the workers volume'}.",
            details=(job.message, *details),
            actions=(f"check whether it is usable: kubectl recon results {job.name}", _AGAIN_PHOTOS),
        )
    return Answer(
        "succeeded",
        f"It succeeded; the result is at {job.output_uri or 'the workers volume'}.",
        details=details,
        actions=(f"download it: kubectl recon results {job.name}",),
        well=True,
    )


def cancelled(facts: Facts) -> Answer:
    """Explain a cancelled job."""
    by = tuple(event.text for event in facts.events if event.reason == "CancelConfirmed")[-1:]
    return Answer(
        "cancelled",
        "It was cancelled in two steps, and its files are deleted.",
        details=by or tuple(filter(None, (_ended_ago(facts),))),
        actions=(f"run it again: kubectl recon retry {facts.job.name}",),
    )


def failed(facts: Facts) -> Answer:
    """Explain a failed job. The reason determines the advice."""
    job = facts.job
    kind, text, actions = _KINDS.get(job.failure_reason, _OTHER)
    attempts = f" after {job.attempt} attempts" if job.attempt > 1 else ""
    details = [f"{text[0].upper()}{text[1:]}", _ended_ago(facts)] if job.failure_message else []
    if job.output_uri:
        details.append(f"the result exists, at {job.output_uri}")
    return Answer(
        kind,
        f"It failed{attempts} with {job.failure_reason or 'no reason'}: {(job.failure_message or text).rstrip('.')}.",
        details=tuple(filter(None, details)),
        actions=tuple(action.format(name=job.name, queue=job.queue, model=job.model) for action in actions),
        more={"reason": job.failure_reason, "attempts": job.attempt},
    )


def _expiry(facts: Facts) -> str:
    ttl, ended = facts.job.spec.get("ttlSecondsAfterFinished"), facts.job.time("completionTime")
    if not isinstance(ttl, int) or ended is None:
        return ""
    return f"it will be deleted with its files in {duration_text(max(0, ttl - facts.seconds_since(ended)))}"


def _ended_ago(facts: Facts) -> str:
    ended = facts.job.time("completionTime")
    return f"it ended {facts.ago(ended)} ago" if ended else ""


_AGAIN: Final = "then run it again: kubectl recon retry {name}"
_AGAIN_PHOTOS: Final = "then submit the new set by kubectl recon submit; with --dry-run it only checks a folder"
_LOGS: Final = "an administrator can read the log: kubectl recon logs {name}"

_KINDS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    **dict.fromkeys(
        ("TOO_FEW_IMAGES", "NOT_ENOUGH_OVERLAP", "NO_DENSE_SURFACE", "LOW_TEXTURE"),
        (
            "photos-insufficient",
            "the photos do not show the object well enough",
            ("take 20 or more photos, sharp and closer together, each overlapping most of the next", _AGAIN_PHOTOS),
        ),
    ),
    "NO_PARALLAX": (
        "photos-from-one-place",
        "the photos were taken from one place, so they contain no depth",
        ("walk around the object: a step aside for each photo, instead of turning the camera", _AGAIN_PHOTOS),
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
        (
            "photos-unreadable",
            "some of the photos cannot be used",
            ("export the photos in the message again as JPEG, or remove them", _AGAIN_PHOTOS),
        ),
    ),
    **dict.fromkeys(
        ("INPUT_NOT_FOUND", "INPUT_REFUSED"),
        (
            "input-address",
            "the workers cannot read the photos at that address",
            (
                "use an address that the workers can read and that the namespace may use; see the message",
                "or upload a folder of this machine by kubectl recon submit",
            ),
        ),
    ),
    "INPUT_UNREACHABLE": (
        "input-unreachable",
        "the server of the photos did not respond to the workers",
        ("check that server and its address", _AGAIN),
    ),
    "OUTPUT_REFUSED": (
        "output-refused",
        "the result may not be written to spec.output.uri",
        ("give kubectl recon retry {name} as --output a new or empty folder that the namespace may use",),
    ),
    "OUTPUT_UPLOAD_FAILED": (
        "output-unreachable",
        "the result could not be delivered to spec.output.uri",
        ("check the server or disk there, its free space and the workers' rights", _AGAIN),
    ),
    "RESULT_NOT_FOUND": (
        "result-not-found",
        "it should take over an earlier result of its name, but there is none",
        ("run it instead, from its photos: kubectl recon retry {name}",),
    ),
    **dict.fromkeys(
        ("INVALID_PARAMETERS", "INVALID_SPEC"),
        (
            "spec-invalid",
            "its spec is invalid",
            ("correct it in a new job, by --quality, --param or --model of kubectl recon retry {name}",),
        ),
    ),
    "BACKEND_UNAVAILABLE": (
        "model-missing",
        "no worker of its queue has the model",
        (
            "choose another model: kubectl recon retry {name} --model photogrammetry",
            "or use the queue of workers that have {model}: kubectl recon models",
        ),
    ),
    **dict.fromkeys(
        ("OUT_OF_MEMORY", "DISK_FULL"),
        (
            "out-of-room",
            "the worker ran out of memory or disk",
            (
                "use fewer photos, or reduce the work: kubectl recon retry {name} --quality fast",
                "or ask an administrator to give the workers of queue {queue} more",
            ),
        ),
    ),
    **dict.fromkeys(
        ("WORKER_LOST", "BACKEND_CRASHED", "WORKER_ERROR"),
        (
            "worker-trouble",
            "its worker was lost or failed, or the model crashed",
            (_LOGS, "if it lacked memory, which is the usual cause: kubectl recon retry {name} --quality fast", _AGAIN),
        ),
    ),
    "TIMEOUT": (
        "timed-out",
        "it took longer than spec.activeDeadlineSeconds",
        ("raise the deadline in a new job, or reduce the work: kubectl recon retry {name} --quality fast",),
    ),
    "QUEUE_TIMEOUT": (
        "waited-too-long",
        "it waited for a worker longer than spec.queueDeadlineSeconds",
        ("raise the deadline in a new job, or ask an administrator for more workers",),
    ),
    **dict.fromkeys(
        ("QUEUE_REFUSED", "PRIORITY_REFUSED", "TOO_MANY_WAITING"),
        (
            "not-granted",
            "the administrator's rules do not allow such a job in the namespace now",
            ("use one of the values in the message, or ask the administrator", _AGAIN),
        ),
    ),
}
_OTHER: Final[tuple[str, str, tuple[str, ...]]] = ("failed", "see its message", (_LOGS, _AGAIN))
