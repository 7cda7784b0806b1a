"""Sweeper: what is listed and when, and which jobs are enqueued or orphaned."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.controller.entry import PendingWrite, Urgency
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.brake import Brake
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.releases import Releases
from reconstruction_operator.controller.loop.sweeper import RestoredError, Sweeper
from reconstruction_operator.controller.redis_view.connection import ResyncRequests
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.installations import management
from reconstruction_operator.state import calls, operator_calls, reads, releases, worker_calls
from reconstruction_operator.state.replies import HeldCounts

from tests.support.controller.entries import entry_of, names
from tests.support.jobs import make_body, make_key
from tests.support.refs import make_attempt

_INSTALL = "install"
_LIMIT = 3
DAY_SECONDS = 86_400.0


class Requests(ResyncRequests):
    """Requests for a resync; the event is set when the sweeper waits for the next."""

    def __init__(self) -> None:
        super().__init__()
        self.swept = asyncio.Event()

    async def wait(self, timeout_seconds: float) -> None:
        self.swept.set()
        await super().wait(timeout_seconds)


class World:
    """An API server with some objects, and a sweeper that knows them. `pass_time` sweeps every 30 s."""

    def __init__(self, *namespaces: str) -> None:
        self.keys = Keys(prefix="")
        self.objects: list[dict[str, Any]] = []
        self.version, self.lists, self.time = 1_000, 0, 0.0
        self.refuses = False
        nothing: Any = None
        installation = Installation(_INSTALL, namespaces, "here/operator")
        self.cache = Cache(management=partial(management, mine=installation.mark), monotonic=lambda: self.time)
        self.orphans = Orphans(nothing, nothing, installation, timing=nothing)
        self.epoch_age = 1e6
        self.requests = Requests()
        connection = SimpleNamespace(resync=self.requests, epoch_age_seconds=lambda _: self.epoch_age)
        view: Any = SimpleNamespace(state=None, keys=self.keys, connection=connection)
        self.sweeper = Sweeper(
            self,
            view,
            self.cache,
            self.orphans,
            brake := Brake(at_once=_LIMIT, share=0.1),
            Releases(view, brake, _INSTALL),
            election=SimpleNamespace(fence=1),
            installation=installation,
            sweep_seconds=30.0,
            list_seconds=600.0,
            details_seconds=DAY_SECONDS,
            monotonic=lambda: self.time,
        )

    async def get(self, _path: str, **_: str) -> dict[str, Any]:
        if self.refuses:
            raise ApiError(503, "ServiceUnavailable", "busy")
        return {"metadata": {"resourceVersion": str(self.version)}}

    async def read(self, path: str, _query: object, _max_bytes: int, _accept: str) -> bytes:
        listed = {**await self.get(path), "items": self.objects}
        self.lists += 1
        return json.dumps(listed).encode()

    def add(self, *names: str, **status: Any) -> None:
        for name in names:
            self.version += 1
            body = make_body(name, version=self.version, **status)
            self.objects.append(body)
            self.cache.put(body)

    async def lead(self, fence: int = 1) -> None:
        """Begin a tenure, and sweep once."""
        self.sweeper.election = SimpleNamespace(fence=fence)  # type: ignore[assignment]  # all that is read
        running = asyncio.create_task(self.sweeper.run())
        self.requests.swept.clear()
        await self.requests.swept.wait()
        running.cancel()

    async def record(self, *names: str, namespace: str = "default") -> None:
        nothing: Any = None
        leader: operator_calls.Leader = {"fence": 1, "install_id": _INSTALL}
        for name in names:
            attempt = AttemptRef(make_key(name, namespace), 1, "celery")
            await calls.arun(nothing, operator_calls.put_record(self.keys, attempt, **leader))

    async def clean_up(self, *names: str) -> None:
        """Let the clean-up of these jobs end."""
        nothing: Any = None
        for name in names:
            call = operator_calls.forget(self.keys, job_id=f"uid-{name}", fence=1, install_id=_INSTALL)
            await calls.arun(nothing, call)
        self.orphans.clear()

    async def sweep(self, cause: str = "period") -> None:
        await self.sweeper.sweep(cause, 1)

    async def release(self, *namespaces: str) -> HeldCounts:
        nothing: Any = None
        return await calls.arun(nothing, releases.release_held(self.keys, _INSTALL, namespaces=namespaces))

    async def pass_time(self, seconds: int) -> None:
        for _ in range(seconds // 30):
            await self.sweep()
            self.time += 30.0


@pytest.fixture(autouse=True)
def _redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis of this process, in place of a server."""
    redis = fakeredis.FakeRedis(decode_responses=True)

    async def arun(_client: object, call: calls.Call[Any]) -> Any:
        return calls.run(redis, call)

    monkeypatch.setattr(calls, "arun", arun)


@pytest.fixture
def world() -> World:
    return World()


async def test_records_of_namespaces_that_are_not_watched_cost_no_further_lists() -> None:
    world = World("watched")
    await world.record("a", "b", "c", "d", "e", namespace="no-longer-watched")

    await world.pass_time(600)

    assert (world.lists, len(world.orphans)) == (1, 0)
    assert not world.sweeper.brake.holds


async def test_too_many_orphans_are_held_and_cost_no_further_lists(world: World) -> None:
    names = ["a", "b", "c", "d"]
    world.add(*names)
    await world.record(*names)
    world.objects.clear()

    await world.pass_time(600)

    assert (len(world.orphans), len(world.cache), world.cache.take_deleted()) == (0, 0, [])
    assert (world.lists, world.sweeper.brake.holds) == (1, True)
    world.objects.append(make_body("a", version=2_000))  # one of them was restored
    await world.sweep()
    assert ("uid-a" in world.orphans, "uid-b" in world.orphans) == (False, True)
    assert not world.sweeper.brake.holds


async def test_held_orphans_of_a_namespace_are_cleaned_up_at_the_next_sweep_after_their_release(world: World) -> None:
    await world.record("a", "b", "c")
    await world.record("d", "e", namespace="team-b")
    await world.pass_time(60)
    assert await world.release() == HeldCounts({"default": 3, "team-b": 2}, {})

    counts = await world.release("default", "unknown")
    assert counts == HeldCounts({"team-b": 2}, {"default": 3})
    await world.sweep()

    assert sorted(world.orphans._orphans) == ["uid-a", "uid-b", "uid-c"]
    await world.clean_up(*"abc")  # they are cleaned up: two are left, fewer than the limit
    await world.pass_time(1200)
    assert (len(world.orphans), world.sweeper.brake.holds) == (0, True)

    await world.release("team-b")
    await world.sweep()
    assert sorted(world.orphans._orphans) == ["uid-d", "uid-e"]
    assert not world.sweeper.brake.holds


async def test_a_new_leader_holds_the_rest_after_a_release(world: World) -> None:
    await world.record("a", "b", "c")
    await world.record("d", namespace="team-b")
    await world.pass_time(60)
    await world.release("default")
    await world.clean_up(*"abc")

    successor = World()
    successor.cache.complete.set()
    await successor.lead(2)

    assert (len(successor.orphans), successor.sweeper.brake.holds) == (0, True)
    assert await successor.release() == HeldCounts({"team-b": 1}, {"default": 3})


async def test_releases_end_with_the_clean_up_and_what_redis_lost_is_reported_again(world: World) -> None:
    await world.record("a", "b", "c", "d")
    await world.pass_time(60)
    await world.release("default")
    await world.sweep()
    assert (await world.release()).released == {"default": 4}  # not cleaned up yet
    await world.clean_up(*"abcd")
    await world.sweep()
    assert await world.release() == HeldCounts({}, {})

    await world.record("e", "f", "g", "h")
    await world.sweep()
    nothing: Any = None
    lost = operator_calls.report_held(world.keys, held=[], replace=True, fence=1, install_id=_INSTALL)
    await calls.arun(nothing, lost)
    await world.sweep("epoch")
    assert await world.release() == HeldCounts({"default": 4}, {})


async def test_any_number_of_deletions_that_the_watch_reported_is_cleaned_up(world: World) -> None:
    names = [f"job-{number}" for number in range(50)]
    world.add(*names)
    await world.record(*names)
    world.objects.clear()
    for name in names:
        world.cache.remove(make_key(name))

    await world.sweep()

    assert (len(world.orphans), world.sweeper.brake.holds) == (50, False)


async def test_what_was_sent_of_jobs_of_another_installation_is_stopped(world: World) -> None:
    world.add("theirs", phase="Running", installation={"id": "other", "lease": "there/operator"})
    world.add("ours", phase="Running")
    await world.record("theirs", "ours")

    await world.sweep()

    assert ("uid-theirs" in world.orphans, "uid-ours" in world.orphans) == (True, False)


@pytest.mark.parametrize(
    ("cause", "epoch_age", "enqueued"),
    [
        pytest.param("period", 60.0, [], id="no-loss"),
        pytest.param("epoch", 60.0, ["lately", "now"], id="a-loss"),
        pytest.param("", 60.0, ["lately", "now"], id="a-new-leader-after-a-loss"),
        pytest.param("", 7_200.0, [], id="a-new-leader"),
    ],
)
async def test_jobs_that_ended_lately_are_enqueued_when_redis_may_have_older_data(
    world: World, cause: str, epoch_age: float, enqueued: list[str]
) -> None:
    world.epoch_age = epoch_age
    for name, ended in (("now", timedelta(0)), ("lately", timedelta(minutes=50)), ("long-ago", timedelta(hours=2))):
        at = (datetime.now(UTC) - ended).strftime("%Y-%m-%dT%H:%M:%SZ")
        world.add(name, phase="Succeeded", completionTime=at, observedGeneration=1)
    world.cache.take(10)
    world.cache.complete.set()

    await (world.sweeper.sweep(cause, 1) if cause else world.lead())

    assert sorted(names(world.cache.take(10))) == enqueued


@pytest.mark.parametrize(("cause", "at"), [("period", 100.0), ("epoch", 0.0)])
async def test_orphans_are_polled_at_once_when_redis_may_have_older_data(world: World, cause: str, at: float) -> None:
    world.orphans.add(["deleted"], now=100.0)

    await world.sweeper.sweep(cause, 1)

    assert world.orphans.next_at() == at


@pytest.mark.parametrize(
    ("cause", "also"), [("period", set()), ("reconnect", {"planned", "waits"}), ("epoch", {"planned", "waits"})]
)
async def test_a_periodic_sweep_enqueues_no_job_that_is_known_to_wait(world: World, cause: str, also: set[str]) -> None:
    """However many there are, they cost nothing while nothing happens."""
    world.add("new", "planned")
    world.add("waits", phase="Pending", observedGeneration=1)
    world.add("edited", phase="Pending", observedGeneration=0)
    world.add("waits-again", phase="Pending", observedGeneration=1, attempt=2)
    world.add("finished", phase="Succeeded", observedGeneration=1)
    world.add("runs", phase="Running", observedGeneration=1)
    urgent, waiting = (
        PendingWrite(Status(), Status(), (), 0.0, urgency) for urgency in (Urgency.PHASE, Urgency.WAITING)
    )
    entry_of(world.cache, "new").write, entry_of(world.cache, "planned").write = urgent, waiting
    world.cache.take(10)

    await world.sweeper.sweep(cause, 1)

    assert set(names(world.cache.take(10))) == {"new", "edited", "waits-again", "runs", *also}


async def test_a_sweep_waits_until_every_job_is_listed(world: World) -> None:
    """Otherwise most records look like those of deleted jobs, and the jobs would be listed twice."""
    await world.record("a")
    leading = asyncio.create_task(world.lead())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not leading.done()

    world.add("a")
    world.cache.complete.set()
    await leading

    assert (world.lists, len(world.orphans)) == (0, 0)


async def test_a_change_of_leader_costs_no_list(world: World) -> None:
    world.add("a", "b")
    await world.record("a", "b")
    world.cache.complete.set()
    for fence in (1, 2):
        await world.lead(fence)
        world.time += 700.0

    assert world.lists == 0


async def test_a_leader_that_has_seen_newer_data_than_the_api_server_has_ends(world: World) -> None:
    world.add("a")
    world.version = 700
    world.cache.complete.set()

    with pytest.raises(RestoredError, match="etcd was restored"):
        await world.sweeper.run()


@pytest.mark.parametrize("fails", [False, True], ids=["at-once", "after-a-list-that-failed"])
async def test_deletions_that_a_relist_does_not_show_are_found_by_a_sweep(world: World, *, fails: bool) -> None:
    world.add("a", "b")
    world.cache.complete.set()
    await world.lead()
    world.objects.pop(0)
    await world.sweep()
    assert world.lists == 0
    world.cache.relisted, world.refuses = True, fails
    if fails:
        with pytest.raises(ApiError):
            await world.sweep()

    world.refuses = False
    await world.sweep()

    assert names(world.cache.take_deleted()) == ["a"]
    assert (world.lists, world.cache.relisted) == (1, False)


async def test_finished_jobs_without_a_record_come_after_all_others(world: World) -> None:
    world.add("finished", phase="Succeeded", attempt=2, observedGeneration=1)
    world.add("lives", phase="Queued", attempt=2)
    world.add("ends", phase="Succeeded", observedGeneration=1)
    world.cache.take(10)

    await world.sweep()
    world.cache.enqueue(entry_of(world.cache, "ends"))

    assert names(world.cache.take(10)) == ["lives", "ends", "finished"]


def answer_reports(monkeypatch: pytest.MonkeyPatch, reports: dict[str, AttemptRef]) -> list[str]:
    """Let Redis always list these reports; return the names of the scripts that are called."""
    called: list[str] = []

    async def arun(_client: object, call: calls.Call[Any]) -> Any:
        called.append(call.script.name)
        return reports if call.script.name == "list_folders" else None

    monkeypatch.setattr(calls, "arun", arun)
    return called


async def test_folders_that_are_reported_repeatedly_do_not_block_a_sweep(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    malformed = make_attempt(install_id="")
    called = answer_reports(monkeypatch, {f"job-{number}": malformed for number in range(reads.FOLDERS_BATCH)})

    await world.sweeper._follow_folder_reports(1)

    assert called.count("list_folders") == 100


async def test_reports_of_too_many_folders_stay_until_they_may_be_cleaned_up(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    reported = {f"job-{number}": make_attempt(f"job-{number}", install_id=_INSTALL) for number in range(_LIMIT + 1)}
    called = answer_reports(monkeypatch, reported)

    await world.sweeper._follow_folder_reports(1)
    assert (len(world.orphans), "drop_folders" in called) == (0, False)

    world.sweeper.brake.release({"job-0": "job folders"})
    await world.sweeper._follow_folder_reports(1)
    assert (list(world.orphans._orphans), called.count("drop_folders")) == (["job-0"], 1)

    world.sweeper.brake.release({})
    reported.popitem()
    await world.sweeper._follow_folder_reports(1)
    assert (len(world.orphans), called.count("drop_folders")) == (_LIMIT, 2)


async def test_a_reported_folder_of_a_job_that_shows_no_message_restores_its_record(world: World) -> None:
    """Its leader died between the message and the status; then Redis lost everything."""
    world.add("quiet", "other", phase="Cancelled", attempt=1, observedGeneration=1)
    world.cache.take(10)
    nothing: Any = None
    owner = make_attempt(make_key("quiet").job_id, name="quiet", install_id=_INSTALL)
    foreign = make_attempt(make_key("other").job_id, name="other", install_id="another")
    await calls.arun(nothing, worker_calls.report_folders(world.keys, _INSTALL, [owner, foreign]))

    await world.sweep()

    assert names(world.cache.take(10)) == ["quiet"]
    assert await calls.arun(nothing, reads.list_records(world.keys, _INSTALL)) == (make_key("quiet").job_id,)
    assert await calls.arun(nothing, reads.list_folders(world.keys, _INSTALL)) == {}


async def test_redis_keeps_the_details_of_an_end_for_a_day_and_its_outcome_for_ever(world: World) -> None:
    names = {"old": 25, "new": 23}
    for name, hours in names.items():
        ended_at = codec.format_time(datetime.now(UTC) - timedelta(hours=hours))
        world.add(name, phase="Succeeded", attempt=1, dispatchTime=ended_at, completionTime=ended_at)
        await world.record(name)
        run: dict[str, Any] = {"attempt": AttemptRef(make_key(name), 1, "celery"), "token": "token"}
        await calls.arun(None, worker_calls.claim(world.keys, **run, worker="w"))
        end = End(Outcome.SUCCEEDED, worker="w", findings=Findings(quality={"faces": "12"}))
        await calls.arun(None, worker_calls.finish(world.keys, **run, end=end))

    await world.pass_time(600)

    seen = reads.observe(world.keys, [(make_key(name).job_id, 1) for name in names])
    old, new = ((job.record, job.claim, job.end) for job in (await calls.arun(None, seen)).jobs)
    assert [end is not None and (end.outcome, end.worker, end.findings.quality) for _, _, end in (old, new)] == [
        (Outcome.SUCCEEDED, "w", {}),
        (Outcome.SUCCEEDED, "w", {"faces": "12"}),
    ]
    assert [record is not None and record.begun for record, _, _ in (old, new)] == [True, True]
    assert [claim is not None and claim.token for _, claim, _ in (old, new)] == ["token", "token"]
