"""Spec: what the user wants. The CRD is made from the metadata of its fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconstruction_operator.api.shapes import Rule, member

PRIORITIES = ("low", "normal", "high")
NEVER, IF_UNCHANGED, REQUIRED = REUSES = ("Never", "IfUnchanged", "Required")
DELETE, RETAIN = DELETION_POLICIES = ("Delete", "Retain")

_YEAR_SECONDS = 31_536_000

CONTROL = r"\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
"""Characters that command a terminal or turn the direction of a text, as in a set of Python's `re`."""
_CONTROL = re.sub(r"\\u(.{4})", r"\\x{\1}", CONTROL)  # the same in Go's syntax

_FULL_ADDRESS = Rule(
    rule=(
        rf"self.matches(r'^(file:///|s3://|gs://|az://|https://)[^\x20/{_CONTROL}]([^{_CONTROL}]*[^\x20{_CONTROL}])?$')"
    ),
    message=(
        "write a full address, without a space at its end: file:///photos/banana (three slashes) or, for an input, "
        "https://host/photos.zip"
    ),
)
_NO_CREDENTIALS = Rule(
    rule="!self.matches(r'^[a-z0-9]+://[^/?#]*@')",
    message=(
        "leave user name and password out of the address: everyone who may read the job would see them. "
        "Give the workers the access instead"
    ),
    reason="FieldValueForbidden",  # prints no value, hence no password
)
_NO_WAY_UP = Rule(
    rule=r"!self.matches(r'(^|/)\.\.(/|$)')", message="write the address without '..': name the folder itself"
)
_WEB_INPUT_IS_AN_ARCHIVE = Rule(  # an address that breaks another rule gets only the message of that rule
    rule=(
        "!self.uri.startsWith('https://') || self.uri.matches(r'^https://[^/?#]*@') "
        r"|| self.uri.matches(r'(?i)^https://[^/?#]+/[^?#]*\.(zip|tar|tar\.gz|tgz)([?#].*)?$')"
    ),
    message="https:// takes one archive, whose name ends in .zip, .tar, .tar.gz or .tgz: pack the photos into one",
    field_path=".uri",
)
_OUTPUT_IS_NO_WEB_PAGE = Rule(
    rule="!has(self.uri) || !self.uri.startsWith('https://')",
    message="results cannot be sent to https://: use file:///folder",
    field_path=".uri",
)
_QUEUE = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
STAGE_NAME = r"^[a-z][-a-z0-9]{0,31}$"
MAX_STAGE_QUEUES = 16
RESERVED_QUEUES = ("unacked",)  # Redis keys that Celery's transport uses
_QUEUE_NOT_RESERVED = Rule(
    rule=f"!(self in {list(RESERVED_QUEUES)})",
    message="choose another name for the queue: Celery keeps something else under this one",
)
_QUEUE_WITHOUT_PRIORITY = Rule(
    rule="!self.endsWith('-high') && !self.endsWith('-low') && !self.endsWith('-parts')",
    message="leave -high, -low and -parts out of the queue's name: spec.priority and spec.parts choose these queues",
)


@dataclass(frozen=True, slots=True)
class Location:
    """Source of the photos, or destination of the mesh."""

    uri: str = member(
        "",
        "Address: file:///photos/banana or, for an input, https://host/photos.zip. The workers use it, so a file:// "
        "path is one on the workers. In object storage: s3://, gs:// or az://, a bucket and a folder, as in "
        "s3://bucket/photos/banana/; such a job fails where the operator's settings do not enable that.",
        required=True,
        max_length=2048,
        rules=(_FULL_ADDRESS, _NO_CREDENTIALS, _NO_WAY_UP),
    )


@dataclass(frozen=True, slots=True)
class Spec:
    """The spec as the API server admitted it. Defaults are those of the CRD."""

    model_type: str = member(
        "photogrammetry",
        "The model that reconstructs: photogrammetry (real, on a CPU), reconviagen (needs a GPU worker), "
        "placeholder (a simulation), or another that the workers have installed.",
        stored_default=True,
        immutable=True,
        max_length=63,
        pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$",
        pattern_message="a model's name has lower-case letters, digits, dots, dashes and underscores, with a letter or "
        "digit at both ends, such as photogrammetry",
    )
    input: Location = member(
        Location,
        "Where the photos are: a folder, or one .zip or .tar archive. At least 3 photos, better 20 or more.",
        required=True,
        immutable=True,
        rules=(_WEB_INPUT_IS_AN_ARCHIVE,),
    )
    output: Location | None = member(
        None,
        "Where the result is copied, in addition to the workers' job folder.",
        absent="not copied",
        immutable=True,
        rules=(_OUTPUT_IS_NO_WEB_PAGE,),
    )
    parameters: Mapping[str, Any] = member(
        dict,
        "The model's own settings, which the model checks. photogrammetry: quality (preview, fast, standard or high).",
        absent="the model's own defaults",
        immutable=True,
        free_form=True,
        max_properties=32,
    )
    queue: str = member(
        "celery",
        "Celery queue of the workers that are to run the job. Fixed once the job has been dispatched.",
        stored_default=True,
        max_length=40,
        pattern=_QUEUE,
        pattern_message="a queue's name has lower-case letters, digits and dashes, with a letter or digit at both "
        "ends, such as celery or gpu-large",
        rules=(_QUEUE_WITHOUT_PRIORITY, _QUEUE_NOT_RESERVED),
    )
    stage_queues: Mapping[str, str] = member(
        dict,
        "Queues of stages that run on other workers than the rest of the job: the stage and a queue, such as "
        "{depth: gpu}. The job continues there when the stage begins, as the same attempt, and returns to spec.queue "
        "for the stages that are not named. photogrammetry has the stages photos, features, matches, alignment, "
        "views, depth, fusion, surface and texture.",
        absent="as the pool of spec.queue says (POOL_STAGE_QUEUES); otherwise all stages run on spec.queue",
        immutable=True,
        max_properties=MAX_STAGE_QUEUES,
        max_length=40,
        rules=(
            Rule(
                rule=f"self.all(stage, self[stage].matches(r'{_QUEUE}'))",
                message="a queue's name has lower-case letters, digits and dashes, with a letter or digit at both "
                "ends, such as gpu",
            ),
            Rule(
                rule="self.all(stage, !self[stage].matches('-(high|low|parts)$'))",
                message="leave -high, -low and -parts out of the queues' names: spec.priority counts for them too",
            ),
            Rule(
                rule=f"self.all(stage, !(self[stage] in {list(RESERVED_QUEUES)}))",
                message="choose another name for the queue: Celery keeps something else under this one",
            ),
            Rule(
                rule=f"self.all(stage, stage.matches(r'{STAGE_NAME}'))",
                message="a stage's name has lower-case letters, digits and dashes, such as depth",
            ),
        ),
    )
    parts: int | None = member(
        None,
        "Largest number of workers that make the job's long stages together. Others of the job's queue help while no "
        "job waits for them. The result is the same as that of one worker.",
        unit="workers",
        absent="one worker runs the whole job",
        immutable=True,
        minimum=1,
        maximum=64,
    )
    priority: str = member(
        "normal",
        "low, normal or high: workers consume <queue>-high before <queue>, and that before <queue>-low. "
        "A running job is never stopped for another. Fixed once the job has been dispatched.",
        stored_default=True,
        choices=PRIORITIES,
    )
    reuse: str = member(
        IF_UNCHANGED,
        "Whether the job takes over the result of an earlier job of its namespace and name, deleted or not, instead of "
        "running. IfUnchanged: if photos, model, version and parameters are the same; simulations are not taken over. "
        "Required: always the newest result; the job fails if there is none. Never: the job runs.",
        stored_default=True,
        choices=REUSES,
    )
    suspend: bool = member(
        False,
        "While true, the job is not dispatched. A running job is stopped; once this is false, it continues as another "
        "attempt, from the last stage that its model has finished.",
        stored_default=True,
    )
    cancel_requested: bool = member(
        False,
        "Step one of a cancel: requests it, and stops nothing. Set it back to false to withdraw it. Only in an "
        "existing job.",
        stored_default=True,
    )
    cancel_confirmed: bool = member(
        False,
        "Step two of a cancel, final: the job is stopped and its files are deleted. Accepted only when "
        "cancelRequested is already stored as true.",
        stored_default=True,
    )
    cancel_reason: str = member(
        "",
        "Why the job is to be cancelled, in one line, for people. Only together with cancelRequested: true, so a "
        "withdrawal removes it as well; fixed once the cancel is confirmed.",
        absent="no reason is given",
        max_length=256,
        pattern=f"^[^{_CONTROL}]*$",
        pattern_message="a reason is one line of text, without tabs and control characters",
    )
    backoff_limit: int = member(
        2,
        "How many failures are retried before the job fails, with a backoff that doubles each time. A suspension, a "
        "worker's graceful shutdown and a loss of data in Redis do not count. Failures that another attempt cannot "
        "fix (too few photos) are not retried.",
        unit="failed attempts",
        stored_default=True,
        minimum=0,
        maximum=100,
    )
    active_deadline_seconds: int | None = member(
        None,
        "Time that the job may take from its first start, over all attempts; then it fails with TIMEOUT. "
        "Starts anew after a suspension.",
        unit="seconds",
        absent="no limit",
        minimum=1,
        maximum=_YEAR_SECONDS,
    )
    queue_deadline_seconds: int | None = member(
        None,
        "Time that the job may wait for its first start, from its creation or the end of a suspension; then it "
        "fails with QUEUE_TIMEOUT.",
        unit="seconds",
        absent="no limit",
        minimum=1,
        maximum=_YEAR_SECONDS,
    )
    ttl_seconds_after_finished: int | None = member(
        None,
        "Time after the job's end at which the job and its files in the workers' job folder are deleted, whatever its "
        "outcome. What was copied to spec.output stays. 0 deletes at once.",
        unit="seconds",
        absent="kept until you delete the job",
        minimum=0,
        maximum=_YEAR_SECONDS,
    )
    deletion_policy: str | None = member(
        None,
        "What happens to the result in the workers' job folder when the job is deleted. Retain: it is "
        "kept for some days, "
        "and a job of the same name may take it over (reuse). Delete: it is deleted at once. The result of a cancelled "
        "job is always deleted; what was copied to spec.output stays.",
        absent="as in the operator's settings; Retain, unless they were changed",
        choices=DELETION_POLICIES,
    )
    managed_by: str | None = member(
        None,
        "Another controller that manages this job, as a domain and a name. The operator ignores the job unless this "
        "is reconstruction.dev/operator.",
        absent="the operator",
        immutable=True,
        max_length=63,
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$",
        pattern_message="a controller's name is a domain, a slash and a name, such as example.com/my-controller",
    )
