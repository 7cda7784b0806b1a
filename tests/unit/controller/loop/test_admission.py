"""Admission: which jobs wait for room in the dispatch window or for a worker, and which are admitted."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning import places
from reconstruction_operator.planning.places import Place
from reconstruction_operator.planning.quotas import Quotas, Rules
from reconstruction_operator.planning.types import Plan

from tests.support.controller.dispatch import make_admission, read
from tests.support.controller.entries import entry_of, names
from tests.support.jobs import NOON, make_body, make_job, make_key


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def admission(cache: Cache) -> Admission:
    return make_admission(cache, queue=2)


def wait_for(admission: Admission, *names: str, namespace: str = "default", **spec: Any) -> None:
    for name in names:
        admission.cache.put(make_body(name, namespace=namespace, spec=spec))
        admission.wants(entry_of(admission.cache, name))


def plan(admission: Admission, name: str, phase: Phase) -> None:
    """Let a plan give that phase to the job. Its status is not stored."""
    admission.planned(entry_of(admission.cache, name), Plan(Status(phase=phase)))


def admitted(admission: Admission, now: float = 0.0) -> list[str]:
    return names(admission.admit(now))


LIMITED = Rules(Quotas(running=(("*", 2),)))


@pytest.mark.parametrize(
    ("waiting", "limits", "messages", "expected"),
    [
        pytest.param({"celery": "ab"}, {"queue": 2}, {"celery": 1}, "a", id="messages take room"),
        pytest.param({"celery": "abc"}, {"namespace": 2}, {}, "ab", id="the share of the namespace"),
        pytest.param({"celery": "abc"}, {"rules": LIMITED}, {}, "ab", id="the quota of the namespace"),
        pytest.param({"celery": "ab", "gpu": "cd"}, {"total": 3}, {}, "acb", id="messages in all queues"),
        pytest.param({"celery": "ab", "gpu": "cd"}, {"total_bytes": 4_500}, {}, "ac", id="bytes in all queues"),
        pytest.param({"typo": "a", "celery": "b"}, {}, {}, "b", id="a queue without a worker gets nothing"),
        # A pool may be scaled to zero while hundreds of its jobs are deleted.
        pytest.param({"celery": "ab"}, {"total": 2}, {"gone": 500}, "ab", id="orders in a queue without a worker"),
    ],
)
def test_jobs_are_admitted_by_the_rules(
    cache: Cache, waiting: dict[str, str], limits: dict[str, Any], messages: dict[str, int], expected: str
) -> None:
    admission = make_admission(cache, "celery", "gpu", **limits)
    read(admission.queues, "celery", "gpu", **messages)
    for queue, jobs in waiting.items():
        wait_for(admission, *jobs, queue=queue)

    assert admitted(admission) == list(expected)


def test_a_job_that_no_longer_wants_dispatch_is_not_admitted(admission: Admission) -> None:
    wait_for(admission, "a", "b")
    plan(admission, "a", Phase.SUSPENDED)
    admission.discard(entry_of(admission.cache, "b"))
    assert admitted(admission) == []
    wait_for(admission, "c")
    admission.cache.reset()  # a new tenure
    assert admitted(admission) == []


def test_a_dispatch_counts_for_its_namespace_before_its_status_is_stored(cache: Cache) -> None:
    admission = make_admission(cache, queue=1, rules=LIMITED)
    for name in ("sent-1", "sent-2"):
        cache.put(make_body(name, namespace="greedy"))
        plan(admission, name, Phase.QUEUED)
    wait_for(admission, "a", namespace="greedy")
    wait_for(admission, "b", namespace="modest")

    assert admitted(admission) == ["b"]
    for name in ("sent-1", "sent-2"):
        cache.put(make_body(name, version=2, namespace="greedy", phase="Succeeded"))
    assert admitted(admission) == ["a"]


def test_messages_left_in_a_queue_that_lost_its_workers_take_room(cache: Cache) -> None:
    admission = make_admission(cache, total=3)
    for name in ("left-1", "left-2"):
        cache.put(make_body(name, phase="Queued", spec={"queue": "gone"}))
    wait_for(admission, "a", "b")
    read(admission.queues, "celery", gone=500)

    assert admitted(admission) == ["a"]


def test_nothing_is_admitted_before_the_queues_were_read(cache: Cache) -> None:
    admission = Admission(cache, QueueFacts(), make_admission(cache).window)
    wait_for(admission, "a")

    assert admitted(admission) == []
    read(admission.queues, "celery")
    assert admitted(admission) == ["a"]


def test_nothing_is_admitted_while_redis_is_nearly_full(admission: Admission) -> None:
    wait_for(admission, "a")
    read(admission.queues, "celery", memory_share=0.76)

    assert admitted(admission) == []
    read(admission.queues, "celery", memory_share=0.72)  # not as soon as it is below the limit
    assert admitted(admission) == []
    read(admission.queues, "celery", memory_share=0.69)
    assert admitted(admission) == ["a"]


class CountedTime(datetime):
    """Counts comparisons."""

    compared: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        CountedTime.compared += 1
        return super().__eq__(other)

    __hash__ = datetime.__hash__

    def __lt__(self, other: datetime) -> bool:
        CountedTime.compared += 1
        return super().__lt__(other)


def counted_job(cache: Cache, number: int, created: datetime) -> Entry:
    """Return a job that waits, with a time whose comparisons are counted."""
    time = CountedTime.fromtimestamp(created.timestamp(), created.tzinfo)
    return cache.store(replace(make_job(name=f"job-{number:06}"), created=time))


def test_a_change_costs_at_most_one_pass_a_second_over_all_jobs(cache: Cache) -> None:
    jobs = 20_000
    admission, CountedTime.compared = make_admission(cache, queue=10), 0
    for number in range(jobs):
        admission.wants(counted_job(cache, number, NOON + timedelta(seconds=number)))
    assert len(admission.admit(0.0)) == 10

    compared, CountedTime.compared = CountedTime.compared, 0
    for number in range(50):  # older jobs join out of order
        admission.wants(counted_job(cache, jobs + number, NOON - timedelta(seconds=number + 1)))
        assert admission.admit(number / 100)[0].key.name == "job-000000"
    within_a_second, CountedTime.compared = CountedTime.compared, 0
    assert admission.admit(1.0)[0].key.name == f"job-{jobs + 49:06}"
    pass_over_all, CountedTime.compared = CountedTime.compared, 0
    assert admission.admit(2.0)[0].key.name == f"job-{jobs + 49:06}"

    assert compared <= 2 * jobs
    assert within_a_second <= 50 * 20
    assert jobs <= pass_over_all <= 3 * jobs
    assert CountedTime.compared <= 20


def test_names_that_tenants_chose_go_with_their_last_job() -> None:
    admission = make_admission(Cache())
    for number in range(20):
        wait_for(admission, f"a-{number}", namespace=f"team-{number}", queue=f"queue-{number}")
    for number in range(20):
        admission.cache.drop(make_key(f"a-{number}", f"team-{number}"))

    waiting = admission._waiting
    assert (waiting._queues, waiting._in_namespace) == ({}, {})


RULES = Rules(Quotas(waiting=(("default", 2),), high=(("default", 0),)), (("gpu", "maps"),))


def test_a_new_job_is_rejected_when_too_many_of_its_namespace_wait(cache: Cache) -> None:
    admission = make_admission(cache, rules=RULES)
    wait_for(admission, "a", "b", "c")
    plan(admission, "c", Phase.SUSPENDED)
    waits = entry_of(cache, "b")
    new = entry_of(cache, "c")

    assert admission.refusal(waits) is None
    assert (
        admission.refusal(new).message
        == "2 jobs of namespace default wait, and no more than 2 may (NAMESPACE_MAX_WAITING)."
    )
    plan(admission, "a", Phase.SUSPENDED)
    assert admission.refusal(new) is None


def test_jobs_that_wait_for_a_model_count_against_the_quota_of_waiting_jobs(cache: Cache) -> None:
    admission = make_admission(cache, rules=RULES)
    first, second, third = (cache.store(make_job(name=name)) for name in ("first", "second", "third"))
    for entry in (first, second):
        admission.planned(entry, Plan(Status(phase=Phase.PENDING)), held=True)
    assert admission.refusal(third).code == "TOO_MANY_WAITING"
    assert admission.refusal(first) is None

    admission.planned(first, Plan(Status(phase=Phase.QUEUED)))
    assert admission.refusal(third) is None
    assert admitted(admission) == []


def shown(admission: Admission, name: str) -> Place:
    return entry_of(admission.cache, name).place


def test_waiting_jobs_get_their_places_periodically(admission: Admission) -> None:
    wait_for(admission, *(f"job-{number:02}" for number in range(12)))

    changed = admission.give_places(0.0)

    assert len(changed) == 12
    assert shown(admission, "job-00") == Place(1)
    assert shown(admission, "job-11") == Place(20)
    assert admission.give_places(1.0) == []  # too soon
    plan(admission, "job-00", Phase.QUEUED)
    # Places 2 to 11 are shown as before, except where one crosses 1, 2, 5 or 10.
    assert sorted(names(admission.give_places(5.0))) == ["job-01", "job-02", "job-05", "job-10"]


def test_only_the_first_jobs_of_a_queue_get_places(admission: Admission) -> None:
    wait_for(admission, *(f"job-{number:03}" for number in range(places.LISTED + 50)))

    changed = admission.give_places(0.0)

    assert sorted(names(changed)) == [f"job-{number:03}" for number in range(places.LISTED)]
    plan(admission, "job-000", Phase.QUEUED)
    assert [bool(admission.give_places(now)) for now in (5.0, 30.0)] == [False, True]


def test_a_job_whose_queue_has_lost_its_workers_loses_its_place(admission: Admission) -> None:
    wait_for(admission, "a")
    admission.give_places(0.0)

    read(admission.queues, "gpu")

    assert names(admission.give_places(5.0)) == ["a"]
    assert shown(admission, "a") == places.UNKNOWN


def test_a_job_that_a_quota_holds_back_is_over_quota(cache: Cache) -> None:
    admission = make_admission(cache, rules=Rules(Quotas(running=(("*", 1),))))
    wait_for(admission, "a", "b")

    admission.give_places(0.0)

    assert shown(admission, "b") == places.OVER_QUOTA
