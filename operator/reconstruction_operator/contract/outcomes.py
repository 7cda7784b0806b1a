"""Outcomes and reasons of attempts, in one table: retriable or not, counted as a failure or not, and the advice to users."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


class Outcome(enum.StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    STOPPED = "Stopped"  # given up without failure: suspended, drained, deleted, superseded


class StopReason(enum.StrEnum):
    """Why the operator stops an attempt. Final for that attempt."""

    SUSPEND = "Suspend"
    DEADLINE = "Deadline"
    DELETED = "Deleted"
    SUPERSEDED = "Superseded"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `advice` is what the user can do; it follows the worker's message, which has the numbers."""

    code: str  # in .status.failure.reason
    retriable: bool  # another attempt may end differently
    counts: bool  # counts against spec.backoffLimit
    advice: str

    @property
    def condition_reason(self) -> str:
        """The code in CamelCase, as the API conventions require of a condition's reason."""
        return "".join(part.capitalize() for part in self.code.split("_"))


_TABLE = (
    # The photos and the parameters: a retry changes nothing.
    Reason("INPUT_NOT_FOUND", False, True, "Check spec.input.uri, and that the workers mount that folder."),
    Reason("INPUT_REFUSED", False, True, "Use a location that the workers' settings allow."),
    Reason("INPUT_UNREACHABLE", True, True, "Check that the server of spec.input.uri answers the workers."),
    Reason("TOO_FEW_IMAGES", False, True, "Add photos: 20 to 60 all around the object give good results."),
    Reason("TOO_MANY_IMAGES", False, True, "Leave out photos, or split the set."),
    Reason("CORRUPT_IMAGE", False, True, "Copy or export the named photo again, or leave it out."),
    Reason(
        "UNSUPPORTED_FORMAT",
        False,
        True,
        "Export the photos as JPEG, PNG, TIFF, WebP or HEIC with 8 or 16 bits a channel, and of a video single frames.",
    ),
    Reason("IMAGE_TOO_LARGE", False, True, "Reduce the named photo."),
    Reason("IMAGE_TOO_SMALL", False, True, "Use the photos as the camera made them, and no previews or icons."),
    Reason(
        "NOT_ENOUGH_OVERLAP",
        False,
        True,
        "Take more photos, closer together (10 to 15 degrees between neighbours), around the object and not straight towards it.",
    ),
    Reason(
        "NO_PARALLAX",
        False,
        True,
        "Walk around the object, a step aside for each photo: photos taken from one place, by turning the camera, show no depth.",
    ),
    Reason(
        "NO_DENSE_SURFACE",
        False,
        True,
        "Take sharper photos from more directions, in even light, of a surface that is not glossy or transparent.",
    ),
    Reason(
        "LOW_TEXTURE",
        False,
        True,
        "Take sharp photos with more light, and put something with a pattern below the object, such as newspaper.",
    ),
    Reason(
        "RESULT_NOT_FOUND",
        False,
        True,
        "Create the job with spec.reuse IfUnchanged to run it: results of deleted jobs are kept for a time only.",
    ),
    Reason("INVALID_PARAMETERS", False, True, "Correct spec.parameters in a new job."),
    # The machine: another attempt, perhaps on another worker, may succeed.
    Reason("OUT_OF_MEMORY", True, True, "Use quality fast, a lower maxImageSize, fewer photos, or larger workers."),
    Reason("BACKEND_CRASHED", True, True, "See the worker's log; if it happens again, report it with the photos."),
    Reason("BACKEND_UNAVAILABLE", False, True, "Choose a modelType that the workers of this queue have."),
    Reason("DISK_FULL", True, True, "Free space on the workers' job volume."),
    Reason("OUTPUT_REFUSED", False, True, "Use a spec.output.uri that the workers' settings allow, new or empty."),
    Reason(
        "OUTPUT_UPLOAD_FAILED",
        True,
        True,
        "Check that the server or disk of spec.output.uri answers the workers and has space; a finished result is kept, and only its delivery is repeated.",
    ),
    Reason("QUEUE_REFUSED", False, True, "Use a spec.queue that is open to the job's namespace."),
    Reason("PRIORITY_REFUSED", False, True, "Use another spec.priority."),
    Reason("TOO_MANY_WAITING", False, True, "Create the job again when others of its namespace have started."),
    Reason("WORKER_ERROR", True, True, "See the worker's log: a defect, a wrong setting, or an overloaded machine."),
    Reason("WORKER_LOST", True, True, "Find out why the worker stopped: node failure, out of memory, or killed."),
    # Decided by the operator.
    Reason("TIMEOUT", False, True, "Raise spec.activeDeadlineSeconds, or use a faster quality."),
    Reason("QUEUE_TIMEOUT", False, True, "Raise spec.queueDeadlineSeconds, or add workers to the queue."),
    Reason("INVALID_SPEC", False, True, "Correct the manifest and apply it under a new name."),
    # Not failures: these lead to another attempt that is not counted, or to no attempt at all.
    Reason("SUSPENDED", True, False, "Set spec.suspend to false to continue."),
    Reason("DRAINED", True, False, "The worker was shut down; another attempt follows."),
    Reason("REDIS_LOST", True, False, "Redis lost the attempt; another attempt follows."),
    Reason("HANDED_OVER", True, False, "Another installation has taken over; another attempt follows."),
    Reason("SUPERSEDED", True, False, "A newer attempt has taken over."),
    Reason("DELETED", False, False, "The job's object was deleted."),
    Reason("CANCELLED", False, False, "The job was cancelled in two steps."),
)

REASONS: Mapping[str, Reason] = MappingProxyType({reason.code: reason for reason in _TABLE})


def reason(code: str) -> Reason:
    """Return the reason of that code. An unknown code (of a newer worker) counts as WORKER_ERROR, under its own name."""
    row = REASONS.get(code)
    if row is not None:
        return row
    fallback = REASONS["WORKER_ERROR"]
    return Reason(code, fallback.retriable, fallback.counts, fallback.advice)
