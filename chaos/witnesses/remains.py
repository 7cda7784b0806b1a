"""Leftovers: what finished and deleted jobs leave in Redis, among the files and in logs."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from chaos.judge.evidence import Leftover
from chaos.system.scene import Scene

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NO_KEY = -2  # PTTL of a missing key
_SLACK_SECONDS = 1.0
_LONGEST_PAUSE = timedelta(seconds=30)  # a message without a record is requeued with a delay of at most 20 s
# 422 is a rejection by schema or rules. 403 is expected: a fresh API server may not have loaded the roles yet.
_REFUSED = re.compile(r"The API server rejected the status of \S+: 422 ")


def read(scene: Scene, uids: set[str]) -> dict[str, list[Leftover]]:
    """Return by job the keys and index entries that contain its uid, and its folder. For messages see `messages`."""
    leftovers: dict[str, list[Leftover]] = {}

    def note(text: str, leftover: Leftover) -> None:
        for uid in set(_UID.findall(text)) & uids:
            leftovers.setdefault(uid, []).append(leftover)

    for client, where in ((scene.state, "state"), (scene.broker, "broker")):
        for raw in client.scan_iter(count=1000):
            key = _text(raw)
            ttl = client.pttl(raw)
            seconds = None if ttl < 0 else ttl / 1000
            if ttl != _NO_KEY:
                note(key, Leftover(f"{where}: {key}", seconds))
            if client is scene.state and not set(_UID.findall(key)) & uids:
                for member in _members(client, key):
                    note(member, Leftover(f"{where}: in {key}", seconds))
    for folder in (*scene.jobs_dir.iterdir(), *scene.jobs_dir.glob(".deleted/*"), *scene.jobs_dir.glob(".stages/*")):
        note(folder.name, Leftover(str(folder)))
    return leftovers


def messages(broker: redis.Redis, ended: float) -> dict[str, list[str]]:
    """Return by job the queues with its messages, and `unacked` for one that a worker took before `ended` (seconds
    since 1970).

    Messages that a worker with a fast clock requeued, or took before it died, are skipped: they wait for as long as it
    was wrong.
    """
    by_job: dict[str, list[str]] = {}

    def note(message: dict[str, Any], where: str) -> None:
        for uid in set() if _waits_for_a_wrong_clock(message) else set(_UID.findall(_decoded(message))):
            by_job.setdefault(uid, []).append(where)

    for raw in broker.scan_iter(count=1000, _type="list"):
        for message in broker.lrange(raw, 0, -1):
            note(json.loads(message), f"the queue {_text(raw)}")
    later = broker.zrangebyscore("unacked_index", f"({ended}", "+inf")
    for tag, entry in broker.hgetall("unacked").items():
        if tag not in later:
            note(json.loads(entry)[0], "unacked")
    return by_job


def dangling_tags(broker: redis.Redis) -> list[str]:
    """Return entries of the broker's index of unacknowledged messages whose message does not exist."""
    index = {_text(tag) for tag in broker.zrange("unacked_index", 0, -1)}
    return sorted(index - {_text(tag) for tag in broker.hkeys("unacked")})


def compared(
    earlier: Mapping[str, Sequence[Leftover]], later: Mapping[str, Sequence[Leftover]], seconds: float
) -> dict[str, list[Leftover]]:
    """Return the later leftovers. A state key whose TTL did not fall in `seconds` gets `expires=False`.

    Celery's results are not compared: each requeue of a message writes its result again.
    """
    before = {
        (uid, leftover.where): leftover.ttl_seconds for uid, leftovers in earlier.items() for leftover in leftovers
    }

    def expires(uid: str, leftover: Leftover) -> bool:
        old = before.get((uid, leftover.where))
        if old is None or leftover.ttl_seconds is None or not leftover.where.startswith("state: "):
            return True
        return leftover.ttl_seconds <= old - seconds + _SLACK_SECONDS

    return {
        uid: [Leftover(leftover.where, leftover.ttl_seconds, expires=expires(uid, leftover)) for leftover in leftovers]
        for uid, leftovers in later.items()
    }


def flags(scene: Scene, uids: Iterable[str]) -> dict[str, list[str]]:
    """Return the cancel flags by job."""
    kinds = ("cancel_request", "cancel")
    return {uid: [f"{kind}:{uid}" for kind in kinds if scene.state.exists(f"{kind}:{uid}")] for uid in uids}


def refusals(log: str) -> list[str]:
    """Return the log lines on statuses that the CRD's rules rejected, such as a reopened job or a falling attempt."""
    return [line for line in log.splitlines() if _REFUSED.search(line)]


def _members(client: redis.Redis, key: str) -> Iterator[str]:
    """Yield the members of a key that is not of one job, such as the indexes of records and folders."""
    kind = _text(client.type(key))
    read: Any = {"set": client.smembers, "hash": client.hkeys}.get(kind)
    for member in read(key) if read is not None else ():
        yield _text(member)


def _waits_for_a_wrong_clock(message: dict[str, Any]) -> bool:
    """Return whether the message waits longer than the delay of any worker with a correct clock."""
    eta = message["headers"].get("eta")
    return eta is not None and datetime.fromisoformat(eta) - datetime.now(UTC) > _LONGEST_PAUSE


def _decoded(message: dict[str, Any]) -> str:
    """Return headers (with the task id) and body (with the arguments) as text."""
    body = base64.b64decode(message["body"]).decode()
    return f"{message['headers']} {body}"


def _text(raw: object) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
