"""Shards: operators that share the jobs of one installation. Each has the jobs whose uid hashes into its range.

Hash and ranges are those of Kubernetes' sharded list and watch (KEP-5866), so an API server that has it sends a shard only the
shard's own jobs: FNV-1a, 64 bits, of `metadata.uid`; shard i of n has the hashes from 2^64 (i - 1) / n, included, to
2^64 i / n, excluded, both rounded down. The names of a shard's Lease and records end in `-i-of-n`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconstruction_operator.api.status import InstallationMark
from reconstruction_operator.readers import MAX_SHARDS

_HASHES: Final = 1 << 64
_OFFSET: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_SUFFIX: Final = re.compile(r"-([1-9][0-9]?)-of-([1-9][0-9]?)\Z")


def uid_hash(uid: str) -> int:
    """FNV-1a, 64 bits."""
    value, prime, all_bits = _OFFSET, _PRIME, _HASHES - 1
    for byte in uid.encode():
        value = (value ^ byte) * prime & all_bits
    return value


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `number` of `count`. One of one has all jobs, and adds nothing to names."""

    number: int = 1
    count: int = 1

    @classmethod
    def of(cls, setting: str) -> Shard:
        """The shard that a valid value of the setting SHARD names; empty: all jobs."""
        number, _, count = setting.partition("/")
        return cls(int(number), int(count)) if setting else WHOLE

    @property
    def first(self) -> int:
        """The first hash of its range."""
        return _HASHES * (self.number - 1) // self.count

    @property
    def end(self) -> int:
        """The first hash after its range."""
        return _HASHES * self.number // self.count

    def has(self, uid: str) -> bool:
        """Whether the job with that uid is one of its jobs."""
        return self.count == 1 or self.first <= uid_hash(uid) < self.end

    def overlaps(self, other: Shard) -> bool:
        """Whether a job may be of both."""
        return self.first < other.end and other.first < self.end

    def share(self, limit: int) -> int:
        """The shard's share of a limit, rounded up: only a limit of 0 may become 0, which forbids all jobs."""
        return -(-limit // self.count)

    @property
    def suffix(self) -> str:
        """What its names end in."""
        return "" if self.count == 1 else f"-{self.number}-of-{self.count}"

    @property
    def selector(self) -> str:
        """`shardSelector` of its lists and watches; empty: all jobs. An API server that does not know it ignores it."""
        if self.count == 1:
            return ""
        return f"shardRange(object.metadata.uid, '{self.first:#018x}', '{self.end:#018x}')"

    def others(self) -> Iterator[Shard]:
        """The shards of other counts that may have had its jobs."""
        for count in range(1, MAX_SHARDS + 1):
            shards = (Shard(number, count) for number in range(1, count + 1))
            yield from (one for one in shards if count != self.count and self.overlaps(one))


WHOLE: Final = Shard()


def of_lease(lease: str) -> tuple[str, Shard]:
    """The base of a Lease's name, which the shards of an installation have in common, and the shard that has the Lease."""
    found = _SUFFIX.search(lease)
    if found is None or not 1 < int(found[2]) <= MAX_SHARDS or int(found[1]) > int(found[2]):
        return lease, WHOLE
    return lease[: found.start()], Shard(int(found[1]), int(found[2]))


def related(lease: str, other: str) -> bool:
    """Whether both are Leases of shards of one installation."""
    return of_lease(lease)[0] == of_lease(other)[0]


def one_installation(mark: InstallationMark, other: InstallationMark) -> bool:
    """Whether both are marks of shards of one installation, which has one Redis: a handover changes the Lease, not the id."""
    return related(mark.lease, other.lease) and _base_id(mark) == _base_id(other)


def _base_id(mark: InstallationMark) -> str:
    return mark.id.removesuffix(of_lease(mark.lease)[1].suffix)
