"""What is left in Redis, among the files and in the logs, of jobs that are over."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from chaos.evidence import Trace
from chaos.scene import Scene

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_KEY = -2  # PTTL of one that has just gone
_SLACK_SECONDS = 1.0
_LONGEST_PAUSE = timedelta(seconds=30)  # a message without a record comes back after 20 s at most
# By its rules and its schema. One that has just started may not know the roles yet, and says 403 for a moment.
_REFUSED = re.compile(r"The API server refused the status of \S+: 422 ")
_SUCCESS = '"outcome":"Succeeded"'


def look(scene: Scene, uids: set[str]) -> dict[str, list[Trace]]:
    """By job: keys that name it, what names it in the indexes, and its folder. Its messages: `messages`."""
    found: dict[str, list[Trace]] = {}

    def note(text: str, trace: Trace) -> None:
        for uid in set(_UID.findall(text)) & uids:
            found.setdefault(uid, []).append(trace)

    for client, where in ((scene.state, "state"), (scene.broker, "broker")):
        for raw in client.scan_iter(count=1000):
            key = _text(raw)
            ttl = client.pttl(raw)
            if ttl != _NO_KEY:
                note(key, Trace(f"{where}: {key}", None if ttl < 0 else ttl / 1000))
            if client is scene.state and not set(_UID.findall(key)) & uids:
                for member in _members(client, key):
                    note(member, Trace(f"{where}: in {key}"))
    for folder in scene.jobs_dir.iterdir():
        note(folder.name, Trace(str(folder)))
    return found


def messages(broker: redis.Redis) -> dict[str, list[str]]:
    """By job: the queues that hold a message of it, and `unacked` where a worker has taken one and not acknowledged it.

    Not those that a worker whose clock was fast has put back: they wait for as long as it was wrong.
    """
    found: dict[str, list[str]] = {}

    def note(message: dict[str, Any], where: str) -> None:
        for uid in set() if _waits_for_a_wrong_clock(message) else set(_UID.findall(_decoded(message))):
            found.setdefault(uid, []).append(where)

    for raw in broker.scan_iter(count=1000, _type="list"):
        for message in broker.lrange(raw, 0, -1):
            note(json.loads(message), f"the queue {_text(raw)}")
    taken = broker.hgetall("unacked")
    for entry in taken.values():
        note(json.loads(entry)[0], "unacked")
    return found


def untaken(broker: redis.Redis) -> list[str]:
    """What the broker's index of taken messages names, and what is not there."""
    index = {_text(tag) for tag in broker.zrange("unacked_index", 0, -1)}
    return sorted(index - {_text(tag) for tag in broker.hkeys("unacked")})


def compared(
    earlier: Mapping[str, Sequence[Trace]], later: Mapping[str, Sequence[Trace]], seconds: float
) -> dict[str, list[Trace]]:
    """The later look; what lives for as long as it did so many seconds before does not fade.

    Results do: a message that is put back writes its own anew, a few times.
    """
    before = {(uid, one.where): one.ttl_seconds for uid, traces in earlier.items() for one in traces}

    def fades(uid: str, one: Trace) -> bool:
        old = before.get((uid, one.where))
        if old is None or one.ttl_seconds is None or not one.where.startswith("state: "):
            return True
        return one.ttl_seconds <= old - seconds + _SLACK_SECONDS

    return {
        uid: [Trace(one.where, one.ttl_seconds, fades=fades(uid, one)) for one in traces]
        for uid, traces in later.items()
    }


def flags(scene: Scene, uids: Iterable[str]) -> dict[str, list[str]]:
    """The cancel flags of each of these jobs."""
    kinds = ("cancel_request", "cancel")
    return {uid: [f"{kind}:{uid}" for kind in kinds if scene.state.exists(f"{kind}:{uid}")] for uid in uids}


def successes(scene: Scene, uids: set[str]) -> dict[str, int]:
    """How many attempts of each of these jobs have succeeded, by their ends in Redis."""
    found = dict.fromkeys(uids, 0)
    for key in scene.state.scan_iter("end:*", count=1000):
        uid = str(key).removeprefix("end:").rpartition("-")[0]
        if uid in found and _SUCCESS in str(scene.state.get(key)).replace(" ", ""):
            found[uid] += 1
    return found


def refusals(log: str) -> list[str]:
    """The lines on statuses that the API server's own rules refused: a reopened end, an attempt that falls."""
    return [line for line in log.splitlines() if _REFUSED.search(line)]


def _members(client: redis.Redis, key: str) -> Iterator[str]:
    """What is in a key that is not of one job: the indexes of records and of folders."""
    kind = _text(client.type(key))
    read: Any = {
        "set": client.smembers,
        "hash": client.hkeys,
    }.get(kind)
    for member in read(key) if read is not None else ():
        yield _text(member)


def _waits_for_a_wrong_clock(message: dict[str, Any]) -> bool:
    """No worker puts a message back for as long as that by a clock that is right."""
    eta = message["headers"].get("eta")
    return eta is not None and datetime.fromisoformat(eta) - datetime.now(UTC) > _LONGEST_PAUSE


def _decoded(message: dict[str, Any]) -> str:
    """The task id is a header; the arguments stand in the body."""
    body = base64.b64decode(message["body"]).decode()
    return f"{message['headers']} {body}"


def _text(raw: object) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
