"""Admission: which jobs wait for room in the dispatch window or for a worker, and which are admitted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning import places
from reconstruction_operator.planning.quotas import Quotas, Rules
from reconstruction_operator.planning.types import Job, Plan

from tests.support.controller.dispatch import make_admission, read
from tests.support.jobs import make_body, make_job, make_key


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def admission(cache: Cache) -> Admission:
    return make_admission(cache, queue=2)


def wait_for(admission: Admission, *names: str, namespace: str = "default", **spec: Any) -> None:
    for name in names:
        admission.cache.put(make_body(name, namespace=namespace, spec=spec))
        admission.wants(make_key(name, namespace), wants=True)


def test_as_many_jobs_are_admitted_as_the_window_holds(admission: Admission) -> None:
    wait_for(admission, "a", "b", "c")

    assert admission.admit(0.0) == (make_key("a"), make_key("b"))


def test_waiting_messages_take_room_in_the_window(admission: Admission) -> None:
    wait_for(admission, "a", "b")
    read(admission.queues, "celery", celery=1)

    assert admission.admit(0.0) == (make_key("a"),)
    admission.take(make_key("a"))
    read(admission.queues, "celery", celery=2)
    assert admission.admit(10.0) == ()


def test_admitted_jobs_take_room_until_they_are_planned(admission: Admission) -> None:
    """A round plans only a part of them, and no others may be admitted meanwhile."""
    wait_for(admission, "a", "b")
    admission.admit(0.0)
    wait_for(admission, "c", "d")

    assert admission.admit(10.0) == ()


def test_an_admission_is_valid_for_one_plan(admission: Admission) -> None:
    wait_for(admission, "a")
    admission.admit(0.0)

    assert admission.take(make_key("a"))
    assert not admission.take(make_key("a"))
    assert admission.admit(10.0) == (make_key("a"),)


def test_a_job_that_no_longer_wants_dispatch_is_not_admitted(admission: Admission) -> None:
    wait_for(admission, "a", "b")
    admission.wants(make_key("a"), wants=False)
    admission.forget(make_key("b"))

    assert admission.admit(0.0) == ()


def test_a_sent_job_counts_for_its_namespace_before_its_status_is_stored(admission: Admission, cache: Cache) -> None:
    for name in ("sent-1", "sent-2"):
        cache.put(make_body(name, namespace="greedy"))
        admission.sent(make_key(name, "greedy"))
    wait_for(admission, "a", namespace="greedy")
    wait_for(admission, "b", namespace="modest")
    read(admission.queues, "celery", celery=1)

    assert admission.admit(0.0) == (make_key("b", "modest"),)
    for name in ("sent-1", "sent-2"):
        cache.put(make_body(name, version=2, namespace="greedy", phase="Succeeded"))
    admission.take(make_key("b", "modest"))
    admission.wants(make_key("b", "modest"), wants=False)
    assert admission.admit(10.0) == (make_key("a", "greedy"),)


def test_a_job_that_is_sent_again_counts_once_against_its_quota(cache: Cache) -> None:
    cache.put(make_body("lost", phase="Queued"))
    admission = make_admission(cache, rules=Rules(Quotas(running=(("*", 2),))))
    admission.sent(make_key("lost"))  # its status stays as it is
    wait_for(admission, "a", "b")

    assert admission.admit(0.0) == (make_key("a"),)


class CountingCache(Cache):
    """Counts how many jobs were read."""

    read = 0

    def get(self, key: JobKey) -> Job | None:
        self.read += 1
        return super().get(key)


@pytest.mark.parametrize("waiting", [100, 2_000])
def test_a_round_reads_as_many_jobs_as_may_be_sent_however_many_wait(waiting: int) -> None:
    cache = CountingCache()
    admission = make_admission(cache, queue=10)
    wait_for(admission, *(str(number) for number in range(waiting)))

    cache.read = 0
    assert len(admission.admit(0.0)) == 10
    assert cache.read <= 80
    cache.read = 0
    assert admission.admit(1.0) == ()
    assert cache.read <= 80


def test_places_are_given_to_the_first_jobs_without_reading_the_others() -> None:
    cache = CountingCache()
    admission = make_admission(cache, queue=1)
    wait_for(admission, *(str(number) for number in range(places.LISTED + 2_000)))

    cache.read = 0
    assert len(admission.give_places(0.0)) == places.LISTED
    assert cache.read == places.LISTED


def test_many_groups_are_not_visited_in_every_round(cache: Cache) -> None:
    admission = make_admission(cache, queue=200)
    for number in range(100):
        wait_for(admission, f"a-{number}", namespace=f"team-{number}")

    assert admission.admit(0.0) != ()
    wait_for(admission, "b")
    assert admission.admit(0.01) == ()
    assert admission.admit(0.03) == (make_key("b"),)


def test_names_of_queues_cost_no_more_than_jobs() -> None:
    """Tenants choose them: a job in its own queue is handled and forgotten in as many steps as any other."""
    per_job = {number: _lines_run(partial(_wait_and_leave, number)) / number for number in (10, 500)}

    assert per_job[500] <= per_job[10]


def _wait_and_leave(number: int) -> None:
    """Let that many jobs, each in its own queue, wait, and delete them."""
    admission = make_admission(Cache(), queue=2)
    new = [make_job(name=str(index), spec=Spec(queue=f"queue-{index}")) for index in range(number)]
    for job in new:
        admission.cache.put(make_body(job.key.name, spec={"queue": job.queue}))
        assert admission.refusal(job) is None
        admission.wants(job.key, wants=True)
    for job in new:
        admission.forget(job.key)


def _lines_run(work: Callable[[], None]) -> int:
    """Count the lines of Python that `work` executes."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def test_a_new_tenure_starts_with_nothing(admission: Admission) -> None:
    wait_for(admission, "a")
    admission.admit(0.0)
    admission.clear()

    assert not admission.take(make_key("a"))
    assert admission.admit(10.0) == ()


def test_nothing_is_admitted_before_the_queues_were_read(cache: Cache) -> None:
    admission = Admission(cache, QueueFacts(), make_admission(cache).window)
    wait_for(admission, "a")

    assert admission.admit(0.0) == ()
    read(admission.queues, "celery")
    assert admission.admit(1.0) == (make_key("a"),)


def test_a_queue_without_a_worker_gets_nothing(admission: Admission) -> None:
    wait_for(admission, "a", queue="typo")
    wait_for(admission, "b")

    assert admission.admit(0.0) == (make_key("b"),)
    read(admission.queues, "celery", "typo")
    assert admission.admit(1.0) == (make_key("a"),)


def test_jobs_beyond_the_share_of_their_namespace_cost_nothing_in_a_round(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    admission = make_admission(cache, namespace=1)
    wait_for(admission, *(f"a-{number}" for number in range(50)))
    admission.admit(0.0)
    looked_at: list[JobKey] = []
    get = cache.get
    monkeypatch.setattr(cache, "get", lambda key: looked_at.append(key) or get(key))

    assert admission.admit(1.0) == ()
    assert set(looked_at) == {make_key("a-0")}  # the one that is admitted


def test_nothing_is_admitted_while_redis_is_nearly_full(admission: Admission) -> None:
    wait_for(admission, "a")
    read(admission.queues, "celery", memory_share=0.76)

    assert admission.admit(0.0) == ()
    read(admission.queues, "celery", memory_share=0.72)  # not as soon as it is below the limit
    assert admission.admit(1.0) == ()
    read(admission.queues, "celery", memory_share=0.69)
    assert admission.admit(2.0) == (make_key("a"),)


@pytest.mark.parametrize(
    ("window", "text", "admitted"),
    [
        pytest.param({"total": 3}, "", 3, id="messages"),
        pytest.param({"total_bytes": 50_000}, "x" * 15_000, 2, id="bytes"),
    ],
)
def test_the_window_over_all_queues_holds(cache: Cache, window: dict[str, int], text: str, admitted: int) -> None:
    admission = make_admission(cache, "celery", "gpu", **window)
    for queue in ("celery", "gpu"):
        wait_for(admission, f"{queue}-1", f"{queue}-2", queue=queue, parameters={"text": text})

    assert len(admission.admit(0.0)) == admitted


def test_orders_that_wait_for_a_worker_take_no_room_of_other_queues(cache: Cache) -> None:
    """A pool may be scaled to zero while hundreds of its jobs are deleted."""
    admission = make_admission(cache, total=3)
    wait_for(admission, "a", "b", "c")
    read(admission.queues, "celery", gone=500)

    assert len(admission.admit(0.0)) == 3


def test_messages_left_in_a_queue_that_lost_its_workers_take_room(cache: Cache) -> None:
    admission = make_admission(cache, "celery", "gone", total=3)
    for name in ("left-1", "left-2"):
        cache.put(make_body(name, phase="Queued", spec={"queue": "gone"}))
    admission.clear()
    wait_for(admission, "a", "b")
    read(admission.queues, "celery", gone=500)

    assert len(admission.admit(0.0)) == 1


def test_a_namespace_with_a_hundred_jobs_does_not_fill_the_window(cache: Cache) -> None:
    admission = make_admission(cache, namespace=25)
    wait_for(admission, *(f"a-{number}" for number in range(100)), namespace="greedy")

    for key in admission.admit(0.0):
        admission.take(key)
        admission.wants(key, wants=False)
        cache.put(make_body(key.name, version=2, namespace="greedy", phase="Queued"))
    admission.clear()  # another leader takes over, and knows these jobs from the stored statuses
    wait_for(admission, *(f"a-{number}" for number in range(50, 100)), namespace="greedy")
    wait_for(admission, "b", namespace="modest")
    read(admission.queues, "celery", celery=25)

    assert admission.admit(10.0) == (make_key("b", "modest"),)


RULES = Rules(Quotas(waiting=(("default", 2),), high=(("default", 0),)), (("gpu", "maps"),))


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        pytest.param({}, None, id="allowed"),
        pytest.param({"queue": "gpu"}, "QUEUE_REFUSED", id="a-pool-of-another-namespace"),
        pytest.param({"priority": "high"}, "PRIORITY_REFUSED", id="a-priority-that-it-may-not-use"),
    ],
)
def test_a_job_is_rejected_by_the_rules_of_its_namespace(cache: Cache, spec: dict[str, str], code: str | None) -> None:
    admission = make_admission(cache, rules=RULES)
    cache.put(make_body("a", spec=spec))

    refusal = admission.refusal(cache.get(make_key("a")))

    assert (refusal.code if refusal else None) == code


def test_a_new_job_is_rejected_when_too_many_of_its_namespace_wait(cache: Cache) -> None:
    admission = make_admission(cache, rules=RULES)
    wait_for(admission, "a", "b", "c")
    admission.wants(make_key("c"), wants=False)
    waits, new = cache.get(make_key("b")), cache.get(make_key("c"))

    assert admission.refusal(waits) is None
    assert (
        admission.refusal(new).message
        == "2 jobs of namespace default wait, and no more than 2 may (NAMESPACE_MAX_WAITING)."
    )
    admission.wants(make_key("a"), wants=False)
    assert admission.refusal(new) is None


def test_messages_of_waiting_jobs_get_their_places_periodically(admission: Admission) -> None:
    wait_for(admission, *(f"job-{number:02}" for number in range(12)))

    changed = admission.give_places(0.0)

    assert len(changed) == 12
    assert (
        admission.wait_of(make_key("job-00")).text
        == "Waiting for room in queue celery: place 1 or better, of at most 20"
    )
    assert (
        admission.wait_of(make_key("job-11")).text
        == "Waiting for room in queue celery: place 20 or better, of at most 20"
    )
    assert admission.give_places(1.0) == []  # too soon
    admission.wants(make_key("job-00"), wants=False)
    # Places 2 to 11 are shown as before, except where one crosses 1, 2, 5 or 10.
    assert sorted(key.name for key in admission.give_places(60.0)) == ["job-01", "job-02", "job-05", "job-10"]


def test_jobs_that_wait_for_a_model_count_against_the_quota_of_waiting_jobs(cache: Cache) -> None:
    admission = make_admission(cache, rules=RULES)
    for name in ("first", "second"):
        admission.planned(make_job(name=name), Plan(Status(phase=Phase.PENDING)), held=True)
    third = make_job(name="third")
    assert admission.refusal(third).code == "TOO_MANY_WAITING"
    assert admission.refusal(make_job(name="first")) is None

    admission.planned(make_job(name="first"), Plan(Status(phase=Phase.QUEUED)))
    assert admission.refusal(third) is None
    admission.forget(make_key("second"))
    assert admission.refusal(third) is None


def test_the_message_of_a_job_names_the_quota_that_holds_it_back(cache: Cache) -> None:
    admission = make_admission(cache, rules=Rules(Quotas(running=(("*", 1),))))
    wait_for(admission, "a", "b")

    admission.give_places(0.0)

    assert "namespace default has as many jobs in flight as it may" in admission.wait_of(make_key("b")).text


def test_the_cause_of_a_pause_is_logged_once_for_each_backlog(
    admission: Admission, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for at in (0.0, 100.0):
        wait_for(admission, "a")
        for pause, waiting in enumerate((2, 1, 2)):  # a worker takes a message, and the next message takes its place
            read(admission.queues, "celery", celery=waiting)
            admission.admit(at + pause)
        admission.forget(make_key("a"))

    line = "Queue celery: further jobs wait in the API server: as many messages as DISPATCH_WINDOW allows wait in it"
    assert caplog.messages == [line] * 2
