"""Fields of the hashes in Redis: decides which values are present, and reads and writes them.

Nothing that comes from Redis is trusted. Whether record, claim and end are present depends on one or two scalar fields,
by the rules below; `lua/prelude.lua` has the same rules for the scripts. All other fields are read leniently and cut to
size: malformed values are left out. Times are whole milliseconds since 1970, by Redis's clock.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from reconstruction_operator import config
from reconstruction_operator.api import codec
from reconstruction_operator.api.attempt_status import Inputs, Leg, Parts, StepTime, Usage
from reconstruction_operator.api.identity import MAX_ATTEMPT, AttemptRef, JobRef
from reconstruction_operator.api.status import MAX_QUALITY, OutputFile, Outputs
from reconstruction_operator.contract.assessment import Assessment
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import OPERATOR_TOKEN, Claim, End, Record

MESSAGE_CHARS: Final = 1_024
FILES: Final = 16
STEPS: Final = 16
NAME_CHARS: Final = 256  # characters of names, reasons, tokens, and of quality's keys and values
URI_CHARS: Final = 2_048
MAX_VALUE_BYTES: Final = 65_536  # of one value; those that this program writes stay below 20 kB
MAX_AHEAD: Final = 10**6  # attempts by which a record may be ahead of the job's status; as in put_record.lua
_MAX_INT: Final = 2**53  # above this JavaScript loses precision
_MAX_LOGGED: Final = 1_000
# Objects among the details of an end
_NESTED: Final = ("findings", "inputs", "outputs", "usage", "parts", "reusedFrom")

_TEXTS: Final = tuple(part.name for part in dataclasses.fields(Findings) if part.type == "str")  # of findings

_logger = logging.getLogger(__name__)
_logged: set[str] = set()  # keys with malformed values; each is logged once, and the set is bounded

T = TypeVar("T")

JobHash = Mapping[str, str | None]  # the fields of `job:{job_id}`
JOB_FIELDS: Final = (  # as prelude.lua's FIELDS
    *("attempt", "queue", "install_id", "namespace", "name", "sent_at", "orders", "begun", "cleaned", "deleted"),
    *("token", "owner", "claimed_at", "epoch", "stop", "outcome", "ended_at", "ended_by", "details", "lost", "gone"),
    *("leg", "found"),
)


# --- The rules, as in lua/prelude.lua

_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_TOKEN: Final = re.compile(rf"[!-~]{{1,{NAME_CHARS}}}")
_QUEUE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")  # that of the spec, and a suffix
_STAGE: Final = re.compile(r"[a-z][-a-z0-9]{0,31}")
_MAX_LEGS: Final = 999
_LEG_PARTS: Final = 4
_MAX_ORDERS: Final = 999  # as mark_sent.lua counts
_MAX_MS: Final = 7_258_118_400_000  # the year 2200: sums with a time stay valid times


def whole(text: str | None, least: int, most: int) -> int | None:
    """Return the whole number within these bounds; None for any other text."""
    if text is None or not _DIGITS.fullmatch(text):
        return None
    number = int(text)
    return number if least <= number <= most else None


def is_token(text: str | None) -> bool:
    """Return whether a claim or a heartbeat with this token is valid."""
    return text is not None and _TOKEN.fullmatch(text) is not None


def time_of(text: str | None) -> datetime | None:
    """Return milliseconds since 1970 as a datetime; None for any other text."""
    ms = whole(text, 0, _MAX_MS)
    return None if ms is None else moment(ms)


# --- Hashes


def load_job(key: str, values: object) -> JobHash:
    """Return the fields of the hash under `key`, None for each that is missing.

    A hash without a valid attempt is logged once.
    """
    texts = [value if isinstance(value, str) else None for value in values] if isinstance(values, list) else []
    job = dict(zip(JOB_FIELDS, texts, strict=True)) if len(texts) == len(JOB_FIELDS) else dict.fromkeys(JOB_FIELDS)
    if attempt_of(job) is None and job["gone"] is None and any(text is not None for text in texts):
        _log_once(key, f"attempt {job['attempt']!r:.40}")
    return job


def attempt_of(job: JobHash) -> int | None:
    """Return the attempt that a job's hash is about; None if there is none."""
    return whole(job["attempt"], 1, MAX_ATTEMPT)


def parse_record(job_id: str, job: JobHash) -> Record | None:
    """Return the record: present if its attempt and its queue are valid."""
    attempt, queue = attempt_of(job), job["queue"]
    if attempt is None or queue is None or not _QUEUE.fullmatch(queue):
        return None
    ref = JobRef(plain(job["namespace"]), plain(job["name"]), job_id, plain(job["install_id"]))
    return Record(
        AttemptRef(ref, attempt, queue),
        sent_at=time_of(job["sent_at"]),
        orders=whole(job["orders"], 0, _MAX_ORDERS) or 0,
        begun=job["begun"] == "1",
        cleaned=job["cleaned"] == "1",
        deleted=job["deleted"] == "1",
        leg=parse_leg(job["leg"]),
        found=load_json(f"job:{job_id}", job["found"], findings),
    )


def parse_leg(text: str | None) -> Leg | None:
    """Return the leg in a text of `dump_leg`; None for any other text."""
    parts = (text or "").split(" ")
    if len(parts) != _LEG_PARTS:
        return None
    number, queue, stage, token = parts
    counted = whole(number, 1, _MAX_LEGS)
    is_valid = _QUEUE.fullmatch(queue) and _STAGE.fullmatch(stage) and is_token(token)
    return Leg(counted, queue, stage) if counted is not None and is_valid else None


def dump_leg(leg: Leg | None, token: str = OPERATOR_TOKEN) -> str:
    """Return the leg as a text of a job's hash; `token` is of the run that ended the leg before."""
    return "" if leg is None else f"{leg.number} {leg.queue} {leg.stage} {token}"


def parse_claim(job: JobHash, now: datetime) -> Claim | None:
    """Return the claim: present if its token is valid. Its time is never after `now`."""
    token = job["token"]
    if token is None or not is_token(token):
        return None
    at = min(time_of(job["claimed_at"]) or now, now)
    return Claim(token, plain(job["owner"]), token == OPERATOR_TOKEN, at, plain(job["epoch"]))


def parse_stop(reason: str | None) -> StopReason | None:
    """Return why an attempt must stop, from its text."""
    return StopReason(reason) if reason in set(StopReason) else None


def load_end(key: str, values: object) -> End | None:
    """Return the end that a script returns as outcome, time and details."""
    texts = [value if isinstance(value, str) else None for value in values] if isinstance(values, list) else []
    return parse_end(
        dict.fromkeys(JOB_FIELDS) | dict(zip(("outcome", "ended_at", "details"), texts, strict=False)), key
    )


def parse_end(job: JobHash, key: str, now: datetime | None = None) -> End | None:
    """Return the end: present if its outcome is valid. Its time is never after `now`; malformed details are left out.

    Without details, its worker is the one that had the claim and recorded the end.
    """
    outcome, token = job["outcome"], job["token"]
    if outcome not in set(Outcome):
        if outcome is not None:
            _log_once(key, f"outcome {outcome!r:.40}")
        return None
    when = time_of(job["ended_at"]) or now
    end = End(Outcome(outcome), at=min(when, now) if when and now else when)
    by_worker = token != OPERATOR_TOKEN and token is not None and job["ended_by"] == token
    end = replace(end, worker=plain(job["owner"]) if by_worker else "")
    return load_json(key, job["details"], lambda data: _with_details(end, data)) or end


def _with_details(end: End, data: Mapping[str, Any]) -> End:
    details = {**_known(data), "outcome": end.outcome.value, "at": None, "findings": None}
    return _cut(replace(codec.decode(End, details), at=end.at, findings=findings(data.get("findings"))))


def _known(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in data.items() if name not in _NESTED or isinstance(value, Mapping)}


def dump_details(end: End) -> str:
    """Return the details of an end, cut to size: all but its outcome and its time, which the script sets."""
    encoded = codec.encode(_cut(replace(end, at=None)))
    return json.dumps({name: value for name, value in encoded.items() if name != "outcome"}, separators=(",", ":"))


def _cut(end: End) -> End:
    """Return the end within the limits of a status; numbers that no photo set can have are left out."""
    return replace(
        end,
        reason=plain(end.reason),
        message=plain(end.message, MESSAGE_CHARS),
        worker=plain(end.worker),
        findings=_cut_findings(end.findings),
        outputs=end.outputs
        and Outputs(
            uri=plain(end.outputs.uri, URI_CHARS),
            bytes=count(end.outputs.bytes) or 0,
            files=tuple(OutputFile(plain(file.name), count(file.bytes) or 0) for file in end.outputs.files[:FILES]),
        ),
        reused_from=end.reused_from
        and replace(end.reused_from, uid=plain(end.reused_from.uid), attempt=count(end.reused_from.attempt)),
    )


def findings(data: object) -> Findings:
    """Return what a run found, from its JSON, within the limits of a status."""
    return _cut_findings(codec.decode(Findings, _known(data) if isinstance(data, Mapping) else {}))


def dump_findings(found: Findings) -> str:
    """Return what a run found as JSON, within the limits of a status."""
    return json.dumps(codec.encode(_cut_findings(found)), separators=(",", ":"))


def assessed(found: Findings, assessment: Assessment) -> Findings:
    """Return what a run found, with what its model says of the result, within the limits of a status."""
    said = {part.name: getattr(assessment, part.name) for part in dataclasses.fields(Assessment)}
    return _cut_findings(replace(found, **said))


def _cut_findings(found: Findings) -> Findings:
    steps = (StepTime(plain(step.name), count(step.seconds) or 0) for step in found.steps[:STEPS] if step.name)
    return replace(
        found,
        **{name: plain(getattr(found, name), MESSAGE_CHARS) for name in _TEXTS},
        inputs=found.inputs and Inputs(images=count(found.inputs.images), bytes=count(found.inputs.bytes)),
        steps=tuple(steps),
        parts=found.parts
        and Parts(*(count(number) or 0 for number in (found.parts.total, found.parts.done, found.parts.running))),
        usage=found.usage and Usage(*(count(getattr(found.usage, part.name)) for part in dataclasses.fields(Usage))),
        quality=quality(found.quality),
    )


def quality(values: object) -> dict[str, str]:
    """Return a model's numbers about a result as texts, within the limits of a status."""
    pairs = (
        (plain(name), plain(f"{value:.6g}" if isinstance(value, float) else str(value)))
        for name, value in (values.items() if isinstance(values, Mapping) else ())
        if isinstance(name, str) and isinstance(value, str | int | float)
    )
    return dict(list(pairs)[:MAX_QUALITY])


# --- JSON that no script parses: details, registrations, reports of folders, Celery's results


def load_json(key: str, text: object, parse: Callable[[Mapping[str, Any]], T | None]) -> T | None:
    """Return what `parse` makes of the JSON object `text`, or None if it is absent ("" and None) or malformed."""
    if text is None or text == "":
        return None
    try:
        return parse(_object(text))
    except Exception as error:  # noqa: BLE001  # any parser error: one bad value must not stop the others
        _log_once(key, error)
        return None


def _object(text: object) -> Mapping[str, Any]:
    data = json.loads(text) if isinstance(text, str) else None
    if not isinstance(data, Mapping):
        raise TypeError("not a JSON object")
    return data


def _log_once(key: str, why: object) -> None:
    if key in _logged:
        return
    if len(_logged) >= _MAX_LOGGED:
        _logged.clear()
    _logged.add(key)
    _logger.warning("the value of Redis key %s is malformed (%.200s), and is read as absent", key, why)


# --- Single values


def milliseconds(seconds: float) -> int:
    """Return seconds of the settings as a TTL. At least 1: Redis refuses a TTL of 0."""
    return max(1, round(seconds * 1000))


def retention_ms() -> int:
    """Return the TTL of what no record keeps: bare tasks, ends without a record, forgotten jobs."""
    return milliseconds(config.settings.PROTOCOL_RETENTION_SECONDS)


def moment(value: object) -> datetime:
    """Return the time of a number of milliseconds. Raises ValueError if it is not a number, or out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_MS:
        raise ValueError(f"{value!r:.40} is not a time in ms")
    return datetime.fromtimestamp(value / 1000, UTC)


def plain(text: str | None, limit: int = NAME_CHARS) -> str:
    """Return text for statuses and logs: truncated, on one line, without control characters and unpaired surrogates."""
    cut = (text or "")[:limit]
    if cut.isprintable():
        return cut
    return "".join(
        " " if char.isspace() else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in cut
    )


def text_of(data: Mapping[str, Any], name: str, limit: int = NAME_CHARS) -> str:
    """Return a text member of a JSON object; empty if it is missing or of another type."""
    value = data.get(name)
    return plain(value, limit) if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """Return a number of photos, bytes or seconds; None if the value cannot be one."""
    return value if type(value) is int and 0 <= value <= _MAX_INT else None
