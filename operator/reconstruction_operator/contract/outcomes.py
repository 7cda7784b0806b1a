"""Outcomes and reasons of attempts, in one table: retriable or not, counted as a failure or not, and the advice to
users.
"""

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


# By code, the advice. The photos, the parameters, or a limit: a retry changes nothing.
_FINAL = {
    "INPUT_NOT_FOUND": "Check spec.input.uri, and that the workers mount that folder.",
    "INPUT_REFUSED": "Use a location that the workers' settings allow.",
    "TOO_FEW_IMAGES": "Add photos: 20 to 60 all around the object give good results.",
    "TOO_MANY_IMAGES": "Leave out photos, or split the set.",
    "CORRUPT_IMAGE": "Copy or export the named file again, or leave it out.",
    "UNSUPPORTED_FORMAT": (
        "Export the photos as JPEG, PNG, TIFF, WebP or HEIC with 8 or 16 bits a channel, and a video as MP4 or MOV."
    ),
    "IMAGE_TOO_LARGE": "Reduce the named photo, or cut the video.",
    "IMAGE_TOO_SMALL": "Use the photos as the camera made them, and no previews or icons.",
    "NOT_ENOUGH_OVERLAP": (
        "Take more photos, closer together (10 to 15 degrees between neighbours), around the object "
        "and not straight towards it."
    ),
    "NO_PARALLAX": (
        "Walk around the object, a step aside for each photo: photos taken from one place, by turning "
        "the camera, show no depth."
    ),
    "NO_DENSE_SURFACE": (
        "Take sharper photos from more directions, in even light, of a surface that is not glossy or transparent."
    ),
    "LOW_TEXTURE": (
        "Take sharp photos with more light, and put something with a pattern below the object, such as newspaper."
    ),
    "RESULT_NOT_FOUND": (
        "Create the job with spec.reuse IfUnchanged to run it: results of deleted jobs are kept for a time only."
    ),
    "INVALID_PARAMETERS": "Correct spec.parameters in a new job.",
    "OUTPUT_REFUSED": "Use a spec.output.uri that the workers' settings allow, of a folder that is new or empty.",
    "QUEUE_REFUSED": "Use a spec.queue that is open to the job's namespace.",
    "PRIORITY_REFUSED": "Use another spec.priority.",
    "TOO_MANY_WAITING": "Create the job again when others of its namespace have started.",
    "TIMEOUT": "Raise spec.activeDeadlineSeconds, or use a faster quality.",
    "QUEUE_TIMEOUT": "Raise spec.queueDeadlineSeconds, or add workers to the queue.",
    "INVALID_STATUS": "Create the job again under a new name: the status of this one was changed by hand.",
    "INVALID_SPEC": "Correct the manifest and apply it under a new name.",
}
# The machine: another attempt, perhaps on another worker, may succeed.
_RETRIED = {
    "INPUT_UNREACHABLE": "Check that the server of spec.input.uri answers the workers.",
    "OUT_OF_MEMORY": "Use quality fast, a lower maxImageSize or fewer photos, or give the workers more memory.",
    "BACKEND_UNAVAILABLE": (
        "Give all workers of the queue the model and what it needs, or choose a modelType that they have."
    ),
    "BACKEND_CRASHED": "See the worker's log; if it happens again, report it with the photos.",
    "DISK_FULL": "Free space on the workers' job volume.",
    "VOLUME_QUOTA": (
        "Delete jobs of the namespace whose results are no longer needed, with deletionPolicy Delete, "
        "or ask the administrator."
    ),
    "OUTPUT_UPLOAD_FAILED": (
        "Check that the server or disk of spec.output.uri answers the workers and has space; "
        "a finished result is kept, and only its delivery is repeated."
    ),
    "WORKER_ERROR": "See the worker's log: a defect, a wrong setting, or a machine that was paused or overloaded.",
    "WORKER_LOST": "Find out why the worker stopped: node failure, out of memory, or killed.",
}
# Not failures: these lead to another attempt that is not counted, or to no attempt at all.
_CONTINUED = {
    "SUSPENDED": "Set spec.suspend to false to continue.",
    "DRAINED": "The worker was shut down; another attempt follows.",
    "WORKER_EXHAUSTED": (
        "The worker could start no thread or process: raise its container's limit of "
        "processes; another attempt follows."
    ),
    "REDIS_LOST": "Redis lost the attempt; another attempt follows.",
    "SUPERSEDED": "A newer attempt has taken over.",
}
_OVER = {
    "DELETED": "The job's object was deleted.",
    "CANCELLED": "The job was cancelled in two steps.",
}

REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        code: Reason(code, retriable, counts, advice)
        for table, retriable, counts in (
            (_FINAL, False, True),
            (_RETRIED, True, True),
            (_CONTINUED, True, False),
            (_OVER, False, False),
        )
        for code, advice in table.items()
    }
)


def reason(code: str) -> Reason:
    """Return the reason of that code.

    An unknown code (of a newer worker) counts as WORKER_ERROR, under its own name.
    """
    row = REASONS.get(code)
    if row is not None:
        return row
    fallback = REASONS["WORKER_ERROR"]
    return Reason(code, fallback.retriable, fallback.counts, fallback.advice)
