"""Between the protocol's types and the JSON under its keys.

Nothing that comes from Redis is trusted: every field is checked for its type and its size, and what cannot be
understood is logged once and read as absent. Times are whole milliseconds since the epoch, by Redis's clock.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from reconstruction_operator.api import codec
from reconstruction_operator.api.status import Inputs, OutputFile, Outputs
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import Claim, End, Record

MESSAGE_CHARS: Final = 1_024
FILES: Final = 16
QUALITY_ENTRIES: Final = 16
NAME_CHARS: Final = 256  # names, reasons, tokens, queues, quality's keys and values
URI_CHARS: Final = 2_048
MAX_VALUE_BYTES: Final = 65_536  # of one value; ours stay below 20 kB
_MAX_INT: Final = 2**53  # above it neither Lua nor JavaScript counts exactly
_MAX_ATTEMPT: Final = 10**9  # as the envelope's
MAX_AHEAD: Final = 10**6  # attempts by which a record may be ahead of the job's status; as in put_record.lua
_MAX_MS: Final = 7_258_118_400_000  # the year 2200, as in prelude.lua: what is added to a time stays one
_MAX_DIGITS: Final = 40  # of a number, with its sign and all
_MAX_BRACKETS: Final = 100  # opening ones; ours have no more than 25

_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_QUEUE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")  # as in a spec, with its priority

_logger = logging.getLogger(__name__)
_logged: set[str] = set()  # keys whose values were malformed; once each, and not for ever many
_MAX_LOGGED: Final = 1_000

T = TypeVar("T")


class MalformedError(ValueError):
    """A value that is not what its key should hold."""


def load(key: str, text: object, parse: Callable[[Mapping[str, Any]], T], *, judged: bool = True) -> T | None:
    """What the value `text` of `key` says, or None if it is absent ("" and None) or malformed.

    `judged`: by the scripts as well, which read it with cjson. It must be what both of them take then.
    """
    if text is None or text == "":
        return None
    try:
        return parse(_object(text, judged=judged))
    except Exception as error:  # noqa: BLE001  # whatever a value has made of it, one value never stops the others
        _log_once(key, error)
        return None


def _object(text: object, *, judged: bool) -> Mapping[str, Any]:
    if not isinstance(text, str):
        raise MalformedError("no text")
    data = _decode_as_the_scripts(text) if judged else json.loads(text)
    if not isinstance(data, Mapping):
        raise MalformedError("no JSON object")
    return data


def _decode_as_the_scripts(text: str) -> Any:
    """JSON that prelude.lua's `object_at` takes, too.

    Raises:
        ValueError: it is none, or has what the two would read differently.

    """
    if _CONTROL.search(text):
        raise MalformedError("a control character")
    data = _DECODER.decode(text)
    if "\\u" in text:
        json.dumps(data, ensure_ascii=False).encode()  # half a character, which cjson refuses, cannot be encoded
    if sum(map(text.count, "[{")) > _MAX_BRACKETS and sum(map(_QUOTED.sub("", text).count, "[{")) > _MAX_BRACKETS:
        raise MalformedError("too many values within each other")
    return data


def _int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise MalformedError("a number with too many digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if len(digits) > _MAX_DIGITS or not math.isfinite(value):
        raise MalformedError("a number with too many digits")
    return value


def _no_constant(name: str) -> None:
    raise MalformedError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(parse_int=_int, parse_float=_float, parse_constant=_no_constant)


def _log_once(key: str, error: Exception) -> None:
    if key in _logged:
        return
    if len(_logged) >= _MAX_LOGGED:
        _logged.clear()
    _logged.add(key)
    _logger.warning("the value of Redis key %s is malformed (%.200s), and is read as absent", key, error)


def moment(value: object) -> datetime:
    """The time of a number of milliseconds.

    Raises:
        MalformedError: none that makes sense.

    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_MS:
        raise MalformedError(f"{value!r:.40} is no time in ms")
    return datetime.fromtimestamp(value / 1000, UTC)


def plain(text: str, limit: int = NAME_CHARS) -> str:
    """Cut, on one line, and without what terminals obey and encoders trip over: it becomes part of statuses and logs."""
    cut = text[:limit]
    if cut.isprintable():
        return cut
    return "".join(" " if one.isspace() else one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in cut)


def _text(data: Mapping[str, Any], name: str, limit: int = NAME_CHARS) -> str:
    value = data.get(name, "")
    if not isinstance(value, str):
        raise MalformedError(f"{name} is no text")
    return plain(value, limit)


def _any_text(data: Mapping[str, Any], name: str, limit: int = NAME_CHARS) -> str:
    value = data.get(name)
    return plain(value, limit) if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """A number of photos or bytes, or None for what cannot be one."""
    return value if type(value) is int and 0 <= value <= _MAX_INT else None


def parse_record(data: Mapping[str, Any]) -> Record:
    """Of `job:{job_id}`."""
    attempt = data.get("attempt")
    if (
        isinstance(attempt, bool)
        or not isinstance(attempt, int | float)
        or not 1 <= attempt < _MAX_ATTEMPT
        or attempt % 1
    ):
        raise MalformedError(f"attempt {attempt!r:.40} is no whole number from 1")
    queue = _text(data, "queue")
    if queue and not _QUEUE.fullmatch(queue):
        raise MalformedError(f"queue {queue!r:.60} is no queue of a job")
    return Record(
        install_id=_text(data, "install_id"),
        namespace=_text(data, "namespace"),
        name=_text(data, "name"),
        attempt=int(attempt),
        queue=queue,
        sent_at=moment(data["sent_at"]) if data.get("sent_at") is not None else None,
    )


def parse_claim(data: Mapping[str, Any]) -> Claim:
    """Of `claim:{task_id}`."""
    token = _text(data, "token")
    if not token:
        raise MalformedError("no token")
    return Claim(
        token=token,
        owner=_any_text(data, "owner"),
        by_operator=data.get("by_operator") is True,
        at=moment(data.get("at")),
    )


def parse_token(data: Mapping[str, Any]) -> str:
    """Of `alive:{task_id}`: whose heartbeat it is."""
    return _text(data, "token")


def parse_stop(data: Mapping[str, Any]) -> StopReason:
    """Of `stop:{task_id}`."""
    return StopReason(_text(data, "reason"))


def dump_end(token: str, end: End) -> str:
    """For `end:{task_id}`, cut to size; the time is put in front by the script."""
    kept = cut_end(replace(end, at=None))
    return json.dumps({"token": token, **codec.encode(kept)}, separators=(",", ":"))


def parse_end(data: Mapping[str, Any]) -> End:
    """Of `end:{task_id}`."""
    outputs = data.get("outputs")
    inputs = data.get("inputs")
    quality = data.get("quality")
    end = End(
        outcome=Outcome(_text(data, "outcome")),
        # The scripts take it for an end by its outcome and time alone, and so must this.
        reason=_any_text(data, "reason"),
        message=_any_text(data, "message", MESSAGE_CHARS),
        at=moment(data.get("at")),
        worker=_any_text(data, "worker"),
        simulated=data.get("simulated") is True,
        inputs=codec.decode(Inputs, inputs) if isinstance(inputs, Mapping) else None,
        outputs=codec.decode(Outputs, outputs) if isinstance(outputs, Mapping) else None,
        quality=quality if isinstance(quality, Mapping) else {},
        files_left=data.get("filesLeft") is True,
    )
    return cut_end(end)


def cut_end(end: End) -> End:
    """The same within the limits of a status; numbers that no photo set has are left out."""
    return replace(
        end,
        reason=plain(end.reason),
        message=plain(end.message, MESSAGE_CHARS),
        worker=plain(end.worker),
        inputs=end.inputs and Inputs(images=count(end.inputs.images), bytes=count(end.inputs.bytes)),
        outputs=end.outputs
        and Outputs(
            uri=plain(end.outputs.uri, URI_CHARS),
            bytes=count(end.outputs.bytes) or 0,
            files=tuple(OutputFile(plain(one.name), count(one.bytes) or 0) for one in end.outputs.files[:FILES]),
        ),
        quality=_quality(end.quality),
    )


def _quality(values: Mapping[Any, Any]) -> Mapping[str, str]:
    pairs = (
        (plain(name), plain(str(value)))
        for name, value in values.items()
        if isinstance(name, str) and isinstance(value, str | int | float)
    )
    return dict(list(pairs)[:QUALITY_ENTRIES])
