"""Shards: operators that share the jobs of one installation. Each manages the jobs whose uid hashes into its range.

Hash and ranges are those of Kubernetes' sharded list and watch (KEP-5866), so an API server that supports it sends a shard only the
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
    """Return the 64-bit FNV-1a hash."""
    value, prime, all_bits = _OFFSET, _PRIME, _HASHES - 1
    for byte in uid.encode():
        value = (value ^ byte) * prime & all_bits
    return value


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `number` of `count`. Shard 1 of 1 manages all jobs, and its names have no suffix."""

    number: int = 1
    count: int = 1

    @classmethod
    def of(cls, setting: str) -> Shard:
        """Return the shard that a valid value of the setting SHARD names; empty: all jobs."""
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
        """Return whether the job with that uid belongs to this shard."""
        return self.count == 1 or self.first <= uid_hash(uid) < self.end

    def overlaps(self, other: Shard) -> bool:
        """Return whether a job may belong to both shards."""
        return self.first < other.end and other.first < self.end

    def share(self, limit: int) -> int:
        """Return the shard's share of a limit, rounded up: only a limit of 0 may become 0, which forbids all jobs."""
        return -(-limit // self.count)

    @property
    def suffix(self) -> str:
        """The end of the names of its Lease and records."""
        return "" if self.count == 1 else f"-{self.number}-of-{self.count}"

    @property
    def selector(self) -> str:
        """`shardSelector` of its lists and watches; empty: all jobs. An API server that does not know it ignores it."""
        if self.count == 1:
            return ""
        return f"shardRange(object.metadata.uid, '{self.first:#018x}', '{self.end:#018x}')"

    def others(self) -> Iterator[Shard]:
        """Yield the shards of other counts that may have had this shard's jobs."""
        for count in range(1, MAX_SHARDS + 1):
            shards = (Shard(number, count) for number in range(1, count + 1))
            yield from (one for one in shards if count != self.count and self.overlaps(one))


WHOLE: Final = Shard()


def of_lease(lease: str) -> tuple[str, Shard]:
    """Return the base of a Lease's name, which all shards of an installation share, and the shard that holds the Lease."""
    found = _SUFFIX.search(lease)
    if found is None or not 1 < int(found[2]) <= MAX_SHARDS or int(found[1]) > int(found[2]):
        return lease, WHOLE
    return lease[: found.start()], Shard(int(found[1]), int(found[2]))


def related(lease: str, other: str) -> bool:
    """Return whether both are Leases of shards of one installation."""
    return of_lease(lease)[0] == of_lease(other)[0]


def one_installation(mark: InstallationMark, other: InstallationMark) -> bool:
    """Return whether both are marks of shards of one installation, which has one Redis: a handover changes the Lease, not the id."""
    return related(mark.lease, other.lease) and _base_id(mark) == _base_id(other)


def _base_id(mark: InstallationMark) -> str:
    return mark.id.removesuffix(of_lease(mark.lease)[1].suffix)
