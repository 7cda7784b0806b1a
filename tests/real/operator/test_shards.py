"""Shards: three operators share the jobs, one that is down delays no other, and a smaller number takes over all jobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import redis
from reconstruction_operator.planning.shards import Shard

from devcluster import wait_until
from devcluster.harness.jobs import Jobs, condition, is_true, phase
from devcluster.harness.replicas import Replica
from devcluster.harness.system import OPERATOR_NAMESPACE, System
from tests.real.chart.release import rendered
from tests.support.systems import Worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from devcluster import Cluster
    from tests.support.systems import SharedSystems

LEASES: Final = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases"
THREE: Final = [Shard(number, 3) for number in (1, 2, 3)]
TWO: Final = [Shard(number, 2) for number in (1, 2)]
SECONDS: Final = 120.0


class Shards:
    """A system whose operators are shards, with the permissions that the chart gives them."""

    def __init__(self, system: System, namespace: str) -> None:
        self.system, self.cluster, self.jobs = system, system.cluster, Jobs(system, namespace)

    def permit(self, count: int) -> None:
        """Apply the role, as an upgrade of the release does before it starts other pods."""
        objects = rendered(OPERATOR_NAMESPACE, operator={"shards": count})
        (role,) = [
            one for one in objects if (one["kind"], one["metadata"]["name"]) == ("Role", "reconstruction-operator")
        ]
        role["metadata"].pop("labels")
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps(role))

    def start(self, *shards: Shard) -> None:
        for shard in shards:
            self.system.start_operator(name(shard), SHARD=f"{shard.number}/{shard.count}")
        for shard in shards:
            Replica(self.system, name(shard)).wait_ready()

    def stop(self, *shards: Shard) -> None:
        for shard in shards:
            self.system.processes.pop(name(shard)).stop()

    def create(self, count: int, **spec: Any) -> list[str]:
        """Create jobs; return their uids."""
        names = [self.jobs.create(**spec) for _ in range(count)]
        return [str(self.jobs.get(one)["metadata"]["uid"]) for one in names]

    def all(self) -> dict[str, dict[str, Any]]:
        """The jobs by uid."""
        found = self.cluster.api.get(
            f"/apis/reconstruction.dev/v1alpha1/namespaces/{self.jobs.namespace}/reconstructionjobs"
        )
        return {str(one["metadata"]["uid"]): one for one in found["items"]}

    def wait_finished(self, uids: Iterable[str]) -> list[dict[str, Any]]:
        wanted = set(uids)

        def finished() -> bool:
            found = self.all()
            return all(is_true(found[uid], "Finished") for uid in wanted)

        wait_until(finished, "the jobs to finish", timeout_seconds=SECONDS, seen=self._account)
        return [job for uid, job in self.all().items() if uid in wanted]

    def dispatched(self, *shards: Shard, again: str) -> float:
        """How many messages those operators have sent."""
        metric = "reconstruction_dispatched_total"
        counts = [Replica(self.system, name(one)).metric(metric, again=again, queue="celery") for one in shards]
        return sum(one or 0.0 for one in counts)

    def _account(self) -> object:
        return [(uid, job.get("status")) for uid, job in self.all().items() if not is_true(job, "Finished")], [
            process.log_end() for process in self.system.processes.values()
        ]


def name(shard: Shard) -> str:
    return f"operator{shard.suffix}"


def outcome(job: dict[str, Any]) -> tuple[str, int, str]:
    return phase(job), job["status"]["attempt"], job["status"]["installation"]["lease"].rpartition("/")[2]


def expected(uids: Iterable[str], shards: list[Shard]) -> dict[str, tuple[str, int, str]]:
    """The outcomes if the shard of each job runs it once."""
    return {
        uid: ("Succeeded", 1, f"reconstruction-operator{shard.suffix}")
        for uid in uids
        for shard in shards
        if shard.has(uid)
    }


def outcomes(jobs: Iterable[dict[str, Any]]) -> dict[str, tuple[str, int, str]]:
    return {str(job["metadata"]["uid"]): outcome(job) for job in jobs}


@pytest.fixture
def shards(start_system: SharedSystems, namespace: str) -> Shards:
    worker = Worker(concurrency=6, settings={"PLACEHOLDER_STEP_SECONDS": "0.05"})
    # On a busy machine a message may wait for seconds; sent again, it would look like a second dispatch.
    return Shards(start_system(worker, operator=False, fresh=True, RESEND_SECONDS="120"), namespace)


def test_three_shards_run_each_job_once_and_a_stopped_one_delays_no_others(shards: Shards, cluster: Cluster) -> None:
    shards.permit(3)
    shards.start(*THREE)
    uids = shards.create(36)

    assert outcomes(shards.wait_finished(uids)) == expected(uids, THREE)
    assert (shards.dispatched(*THREE, again="false"), shards.dispatched(*THREE, again="true")) == (36, 0)
    held = {one["metadata"]["name"]: one["spec"].get("holderIdentity") for one in cluster.api.get(LEASES)["items"]}
    holders = {held[f"reconstruction-operator{shard.suffix}"] for shard in THREE} - {"", None}
    assert len(holders) == len(THREE)

    shards.system.processes.pop(name(THREE[1])).kill()
    more = shards.create(18)
    waiting = [uid for uid in more if THREE[1].has(uid)]
    others = [uid for uid in more if uid not in waiting]
    assert outcomes(shards.wait_finished(others)) == expected(others, THREE)
    assert [shards.all()[uid].get("status", {}).get("phase") for uid in waiting] == [None] * len(waiting)

    shards.start(THREE[1])
    assert outcomes(shards.wait_finished(more)) == expected(more, THREE)


def test_two_shards_take_over_from_three_without_a_loss(shards: Shards) -> None:
    system, jobs = shards.system, shards.jobs
    shards.permit(3)
    shards.start(*THREE)
    finished = shards.create(12)
    shards.wait_finished(finished)
    running = shards.create(12, parameters={"stepSeconds": 2})
    wait_until(lambda: any(phase(shards.all()[uid]) == "Running" for uid in running), "a job to run")
    sent = len(finished) + len(running)
    wait_until(lambda: shards.dispatched(*THREE, again="false") == sent, "every job to be sent")
    shards.stop(*THREE)
    gone = finished[0]
    jobs.delete(shards.all()[gone]["metadata"]["name"])

    shards.permit(2)
    shards.start(*TWO)
    new = shards.create(6)

    ended = shards.wait_finished([*running, *new])
    assert outcomes(ended) == expected([*running, *new], TWO)
    assert not [job for job in ended if condition(job, "Contested")]
    assert shards.dispatched(*TWO, again="true") == 0
    wait_until(
        lambda: not (system.jobs_dir / gone).exists(),
        "the files of the job that was deleted meanwhile to be deleted",
        timeout_seconds=SECONDS,
        seen=system.log_ends,
    )
    left = [*finished[1:], *running, *new]
    wait_until(
        lambda: _recorded(system) == {shard.suffix: {uid for uid in left if shard.has(uid)} for shard in TWO},
        "each record to be in the index of its shard",
        timeout_seconds=SECONDS,
        seen=lambda: (_recorded(system), left),
    )
    assert all((system.jobs_dir / uid / "output").exists() for uid in left)

    shards.stop(*TWO)
    shards.permit(1)
    system.start_operator()
    last = shards.create(3)
    assert {phase(job) for job in shards.wait_finished(last)} == {"Succeeded"}
    wait_until(
        lambda: _recorded(system) == {"": {*left, *last}},
        "one operator to have every record",
        timeout_seconds=SECONDS,
        seen=lambda: (_recorded(system), left),
    )


def _recorded(system: System) -> dict[str, set[str]]:
    """The indexes of records in Redis, by the suffixes of their names."""
    with redis.Redis.from_url(system.redis.url(1), decode_responses=True) as client:
        found = {str(key): set(map(str, client.smembers(key))) for key in client.keys("records:*")}  # type: ignore[arg-type]
    endings = {shard.suffix for shard in (*THREE, *TWO)}
    return {next((one for one in endings if key.endswith(one)), ""): ids for key, ids in found.items()}
