"""Notifications: events of jobs reach a receiver, whatever happens to receiver, operator and Redis meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from devcluster.servers.ports import free_ports
from devcluster.servers.receiver import KEY, Receiver
from devcluster.waiting import wait_until
from tests.support.pages import block
from tests.support.systems import SLOW, SharedSystems, Worker

POOLS = (Worker(), SLOW)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the key of all receivers."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "OTHERS").write_text(f"whsec_{KEY}\n")
    return folder


@pytest.fixture(scope="session")
def _receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def receiver(_receiver: Receiver) -> Iterator[Receiver]:
    """A receiver that accepts all events; each test sees its own."""
    _receiver.received.clear()
    yield _receiver
    _receiver.answer = 204
    _receiver.stop()
    _receiver.start()


@pytest.fixture
def system(start_system: SharedSystems, receiver: Receiver, keys: Path) -> System:
    """A system whose events go to the receiver."""
    return start_system(
        *POOLS,
        NOTIFICATIONS=f"*={receiver.url}",
        NOTIFICATION_HOSTS="127.0.0.1",
        NOTIFICATION_KEYS=str(keys),
        NOTIFICATION_WAIT_SECONDS="2",
        GALLERY_ADDRESS="https://gallery.example.com",
    )


def ended(jobs: Jobs, name: str) -> str:
    """Wait until the job has succeeded, and return its uid."""
    uid: str = jobs.wait_phase(name, "Succeeded")["metadata"]["uid"]
    return uid


def states(jobs: Jobs, name: str) -> set[str]:
    """Return the states of the job's notifications: on a busy machine its wait may be one of them."""
    return {one["state"] for one in jobs.get(name)["status"].get("notifications", [])}


def wait_for_event(jobs: Jobs, reason: str) -> str:
    """Wait for a Kubernetes Event of that reason in the namespace, and return its text."""
    path = f"/apis/events.k8s.io/v1/namespaces/{jobs.namespace}/events"

    def look() -> str:
        items = jobs.system.cluster.api.get(path)["items"]
        return next((item["note"] for item in items if item["reason"] == reason), "")

    return wait_until(look, f"an Event {reason}", timeout_seconds=30)


def test_the_end_of_a_job_arrives_signed_and_once(jobs: Jobs, receiver: Receiver) -> None:
    name = jobs.create_in("Succeeded")
    uid = ended(jobs, name)

    (event,) = receiver.wait(uid, "Simulated")

    assert event.is_signed
    assert (event.headers["ce-type"], event.data["kind"]) == ("dev.reconstruction.job.simulated", "Simulated")
    assert event.data["job"] == {"namespace": jobs.namespace, "name": name, "uid": uid}
    assert event.data["status"]["outputs"] == jobs.get(name)["status"]["outputs"]
    assert event.data["gallery"] == f"https://gallery.example.com/jobs/{jobs.namespace}/{name}"
    wait_until(lambda: states(jobs, name) == {"Sent"}, "the mark of the sent notification")


@pytest.mark.usefixtures("held")
def test_what_needs_a_person_arrives_before_the_end(jobs: Jobs, receiver: Receiver) -> None:
    name = jobs.create_in("Queued", queue="held")
    uid = jobs.get(name)["metadata"]["uid"]
    receiver.wait(uid, "Waiting")

    jobs.request_cancel(name)
    receiver.wait(uid, "Waiting", "CancelRequested")
    jobs.confirm_cancel(name)

    receiver.wait(uid, "Waiting", "CancelRequested", "Cancelled")


def test_a_job_that_is_refused_at_once_is_told_too(jobs: Jobs, receiver: Receiver) -> None:
    name = jobs.create(input={"uri": "s3://nowhere/banana"})
    uid = jobs.wait_phase(name, "Failed")["metadata"]["uid"]

    (event,) = receiver.wait(uid, "Failed")

    assert event.data["status"]["failure"]["reason"] == "INVALID_SPEC"


def test_an_event_reaches_a_receiver_that_was_down_even_if_redis_is_emptied(
    jobs: Jobs, receiver: Receiver, state: redis.Redis
) -> None:
    receiver.stop()
    name = jobs.create_in("Succeeded")
    uid = ended(jobs, name)
    state.flushall()

    receiver.start()

    receiver.wait(uid, "Simulated", timeout_seconds=60)


def test_a_time_to_live_waits_for_the_event(jobs: Jobs, receiver: Receiver) -> None:
    receiver.answer = 503
    name = jobs.create("brief", parameters={"stepSeconds": 0.05}, ttlSecondsAfterFinished=0)
    uid = ended(jobs, name)
    wait_until(lambda: receiver.received, "a try")

    receiver.answer = 204

    receiver.wait(uid, "Simulated", timeout_seconds=60)
    path = f"/apis/reconstruction.dev/v1alpha1/namespaces/{jobs.namespace}/reconstructionjobs/{name}"
    wait_until(lambda: not jobs.system.cluster.api.is_there(path), "the end of the job's time to live")


@pytest.mark.release
def test_an_event_survives_a_killed_operator_with_the_same_id(
    start_system: SharedSystems, receiver: Receiver, keys: Path, namespace: str
) -> None:
    receiver.answer = 503
    settings = {"NOTIFICATIONS": f"*={receiver.url}", "NOTIFICATION_HOSTS": "127.0.0.1", "NOTIFICATION_KEYS": str(keys)}
    system = start_system(Worker(), fresh=True, **settings)
    jobs = Jobs(system, namespace)
    name = jobs.create_in("Succeeded")
    uid = ended(jobs, name)
    wait_until(lambda: receiver.received, "a try of the first operator")
    system.processes.pop("operator").kill()
    refused = {one.id for one in receiver.received}

    receiver.answer = 204
    system.start_operator("successor")

    accepted = receiver.wait(uid, "Simulated", timeout_seconds=60)
    assert {one.id for one in accepted} == {f"{uid}-1-Simulated"} == refused


def test_a_redirection_is_refused_and_reported(jobs: Jobs, receiver: Receiver) -> None:
    receiver.answer = 302
    name = jobs.create_in("Succeeded")
    ended(jobs, name)

    note = wait_for_event(jobs, "NotificationRefused")

    assert note.endswith("host 127.0.0.1 redirects (HTTP 302), which is not followed")
    assert {one.path for one in receiver.received} == {"/jobs"}
    assert states(jobs, name) == {"Pending"}


def test_a_host_that_is_not_listed_is_refused_and_reported(
    start_system: SharedSystems, receiver: Receiver, namespace: str
) -> None:
    address = receiver.url.replace("127.0.0.1", "localhost")
    system = start_system(Worker(), NOTIFICATIONS=f"{namespace}={address}", NOTIFICATION_HOSTS="127.0.0.1")
    jobs = Jobs(system, namespace)
    jobs.create_in("Succeeded")

    note = wait_for_event(jobs, "NotificationRefused")

    assert note.endswith("host localhost is not on the allowlist (NOTIFICATION_HOSTS)")
    assert receiver.received == []


def test_the_receiver_of_the_documentation_verifies_events(
    start_system: SharedSystems, keys: Path, namespace: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    printed = tmp_path / "printed"
    environment = {**os.environ, "KEY": f"whsec_{KEY}", "PORT": str(port)}
    with (
        printed.open("w") as out,
        subprocess.Popen(
            [sys.executable, "-c", block("notification-receiver")], stdout=out, env=environment
        ) as program,
    ):
        try:
            system = start_system(
                Worker(),
                NOTIFICATIONS=f"*=http://127.0.0.1:{port}/",
                NOTIFICATION_HOSTS="127.0.0.1",
                NOTIFICATION_KEYS=str(keys),
            )
            jobs = Jobs(system, namespace)
            name = jobs.create_in("Succeeded")

            wait_until(lambda: states(jobs, name) == {"Sent"}, "the mark of the sent notification")
        finally:
            program.kill()
    job = jobs.get(name)
    uid, message = job["metadata"]["uid"], job["status"]["message"]
    assert printed.read_text() == f"{uid}-1-Simulated {name} {message}\n"
