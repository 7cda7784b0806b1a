"""Shards: each uid belongs to exactly one, by the hash and the ranges of Kubernetes."""

from __future__ import annotations

import itertools
import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.status import InstallationMark
from reconstruction_operator.planning.shards import WHOLE, Shard, of_lease, one_installation, related, uid_hash
from reconstruction_operator.readers import MAX_SHARDS

COUNTS = st.integers(1, MAX_SHARDS)


def shards(count: int) -> list[Shard]:
    return [Shard(number, count) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", 0xCBF29CE484222325, id="nothing"),
        pytest.param("a", 0xAF63DC4C8601EC8C, id="a letter"),
        pytest.param("foobar", 0x85944171F73967E8, id="a word"),
    ],
)
def test_the_hash_is_fnv_1a(text: str, expected: int) -> None:
    assert uid_hash(text) == expected  # of the authors' test vectors


@given(COUNTS, st.uuids().map(str) | st.text())
def test_every_uid_is_in_exactly_one_shard(count: int, uid: str) -> None:
    assert sum(shard.has(uid) for shard in shards(count)) == 1


@given(COUNTS)
def test_the_ranges_follow_each_other_without_a_gap(count: int) -> None:
    ranges = [(shard.first, shard.end) for shard in shards(count)]

    assert (ranges[0][0], ranges[-1][1]) == (0, 1 << 64)
    assert all(end == first for (_, end), (first, _) in itertools.pairwise(ranges))


def test_shards_have_about_as_many_jobs_each() -> None:
    uids = [str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))) for number in range(9_000)]

    numbers = Counter(shard.number for uid in uids for shard in shards(3) if shard.has(uid))

    assert all(2_850 < number < 3_150 for number in numbers.values()), numbers


@pytest.mark.parametrize(
    ("shard", "selector"),
    [
        pytest.param(WHOLE, "", id="all jobs"),
        pytest.param(
            Shard(1, 2),
            "shardRange(object.metadata.uid, '0x0000000000000000', '0x8000000000000000')",
            id="the first half",
        ),
        pytest.param(
            Shard(2, 2),
            "shardRange(object.metadata.uid, '0x8000000000000000', '0x10000000000000000')",
            id="the second half",
        ),
        pytest.param(
            Shard(2, 3),
            "shardRange(object.metadata.uid, '0x5555555555555555', '0xaaaaaaaaaaaaaaaa')",
            id="the middle third",
        ),
    ],
)
def test_the_selector_is_the_range_as_the_api_server_reads_it(shard: Shard, selector: str) -> None:
    assert shard.selector == selector


def test_shards_of_another_count_without_a_common_job_are_ignored() -> None:
    others = list(Shard(1, 3).others())

    assert WHOLE in others
    assert {Shard(1, 2), Shard(1, 4), Shard(2, 4)} < set(others)
    assert not {Shard(2, 2), Shard(3, 4), Shard(1, 3), Shard(2, 3)} & set(others)


@given(COUNTS, st.uuids().map(str))
def test_the_shard_that_had_a_job_is_found_for_any_earlier_count(count: int, uid: str) -> None:
    (mine,) = (shard for shard in shards(3) if shard.has(uid))
    (theirs,) = (shard for shard in shards(count) if shard.has(uid))

    assert theirs in mine.others() or theirs == mine


@pytest.mark.parametrize(
    ("lease", "base", "shard"),
    [
        pytest.param("system/operator", "system/operator", WHOLE, id="no shard"),
        pytest.param("system/operator-2-of-3", "system/operator", Shard(2, 3), id="a shard"),
        pytest.param("system/operator-12-of-32", "system/operator", Shard(12, 32), id="two digits"),
        pytest.param("team-1-of-2/operator-2-of-3", "team-1-of-2/operator", Shard(2, 3), id="a namespace named so"),
        pytest.param("system/operator-4-of-3", "system/operator-4-of-3", WHOLE, id="beyond the last one"),
        pytest.param("system/operator-1-of-1", "system/operator-1-of-1", WHOLE, id="one of one"),
        pytest.param("system/operator-1-of-33", "system/operator-1-of-33", WHOLE, id="too many"),
        pytest.param("system/operator-2-of-3x", "system/operator-2-of-3x", WHOLE, id="not the end of a name"),
    ],
)
def test_the_name_of_a_lease_contains_the_shard(lease: str, base: str, shard: Shard) -> None:
    assert of_lease(lease) == (base, shard)


def test_shards_of_one_installation_are_related() -> None:
    assert related("system/operator-2-of-3", "system/operator-1-of-2")
    assert related("system/operator", "system/operator-1-of-2")
    assert not related("system/operator-2-of-3", "other/operator-2-of-3")


def test_a_job_handed_over_to_a_shard_still_belongs_to_the_other_installation() -> None:
    mine = InstallationMark("mine-1-of-2", "system/operator-1-of-2")
    assert one_installation(mine, InstallationMark("mine-2-of-3", "system/operator-2-of-3"))
    assert one_installation(mine, InstallationMark("mine", "system/operator"))
    assert not one_installation(mine, InstallationMark("theirs", "system/operator-2-of-3"))
    assert not one_installation(mine, InstallationMark("mine-2-of-3", "other/operator-2-of-3"))


@pytest.mark.parametrize(("limit", "share"), [(0, 0), (1, 1), (3, 1), (4, 2), (25, 9)])
def test_a_limit_is_shared_so_that_each_shard_may_have_a_job(limit: int, share: int) -> None:
    assert Shard(2, 3).share(limit) == share
    assert WHOLE.share(limit) == limit
