"""Sharded lists and watches of the API server (KEP-5866, alpha in 1.36): its hash and its ranges are the same as ours."""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from reconstruction_operator.planning.shards import Shard

from devcluster import Cluster, Redis
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import JOBS, System

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARDS = [Shard(number, 3) for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def sharding(control_plane_programs: None) -> Iterator[Cluster]:
    """A cluster that has the feature, with 24 jobs."""
    gate = ["--feature-gates=ShardedListAndWatch=true"]
    with Cluster(apiserver_arguments=gate) as cluster, Redis() as server, System(cluster, server) as system:
        system.install()
        for _ in range(24):
            Jobs(system, "default").create()
        yield cluster


def query(shard: Shard, **more: str) -> str:
    return f"{JOBS}?{urllib.parse.urlencode({'shardSelector': shard.selector, **more})}"


def test_a_list_has_only_the_jobs_of_the_shard(sharding: Cluster) -> None:
    uids = {one["metadata"]["uid"] for one in sharding.api.get(JOBS)["items"]}

    for shard in SHARDS:
        found = sharding.api.get(query(shard))["items"]
        assert {one["metadata"]["uid"] for one in found} == {uid for uid in uids if shard.has(uid)}


def test_a_watch_has_only_the_jobs_of_the_shard(sharding: Cluster) -> None:
    uids = {one["metadata"]["uid"] for one in sharding.api.get(JOBS)["items"]}

    for shard in SHARDS:
        lines = sharding.kubectl("get", "--raw", query(shard, watch="1", timeoutSeconds="2")).stdout.splitlines()
        seen = {json.loads(line)["object"]["metadata"]["uid"] for line in lines}
        assert seen == {uid for uid in uids if shard.has(uid)}
