"""Least privilege: the system over TLS, operator, workers and a bare program as the users of the chart's Redis."""

import json
import secrets
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis

from devcluster import Cluster, commands
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from devcluster.waiting import wait_until
from tests.real.security.redis_users import addresses, chart_user
from tests.support.messages import make_message
from tests.support.systems import running_system

PASSWORDS = {side: secrets.token_urlsafe(12) for side in ("operator", "worker", "client")}
REFUSED = r"permission|The user executing the script can't"
ADMIN = secrets.token_urlsafe(12)


@dataclass(frozen=True)
class Secured:
    """A system, and a client with full rights on its Redis."""

    system: System
    admin: redis.Redis

    def start_operator(self) -> None:
        """Start the operator as its Redis user."""
        self.system.start_operator(**addresses(self.system.redis, "operator", PASSWORDS["operator"]))

    def start_worker(self, name: str) -> None:
        """Start a worker as its Redis user."""
        self.system.start_worker(name, concurrency=1, **addresses(self.system.redis, "worker", PASSWORDS["worker"]))

    def refusals(self) -> list[str]:
        """Return what Redis rejected since the last call: user, reason and object."""
        denied = [f"{entry['username']}: {entry['reason']} {entry['object']}" for entry in self.admin.acl_log()]
        self.admin.acl_log_reset()
        return denied

    def as_user(self, side: str) -> redis.Redis:
        """Return a client with the rights of `operator`, `worker` or `client`."""
        url = self.system.redis.url(1, user=f"reconstruction-{side}", password=PASSWORDS[side])
        return redis.Redis.from_url(url, decode_responses=True)


@pytest.fixture(scope="module")
def secured(cluster: Cluster) -> Iterator[Secured]:
    users = [chart_user(side, password) for side, password in PASSWORDS.items()]
    server = {"tls": True, "password": ADMIN, "users": users}
    with (
        running_system(cluster, operator=False, redis=server) as system,
        redis.Redis.from_url(system.redis.url(), decode_responses=True) as admin,
    ):
        secured = Secured(system, admin)
        secured.start_operator()
        for name in ("worker", "other"):
            secured.start_worker(name)
        yield secured


def test_runs_cancels_suspensions_losses_and_deletions_need_no_more_rights(secured: Secured, namespace: str) -> None:
    jobs = Jobs(secured.system, namespace)
    long = {"parameters": {"stepSeconds": 10}}  # long enough to be cancelled or suspended
    jobs.create("whole")
    jobs.create("cancelled", **long)
    jobs.wait_phase("cancelled", "Running")
    jobs.cancel("cancelled")
    assert [jobs.wait_finished(each)["status"]["phase"] for each in ("whole", "cancelled")] == [
        "Succeeded",
        "Cancelled",
    ]
    folder = jobs.folder("whole")
    jobs.create("suspended", **long)
    jobs.wait_phase("suspended", "Running")
    jobs.patch("suspended", suspend=True)
    jobs.wait_phase("suspended", "Suspended")
    for name in ("whole", "suspended"):
        jobs.delete(name)
    wait_until(lambda: not folder.exists(), "the deleted job's files to be deleted", timeout_seconds=60)
    jobs.create("orphaned")
    jobs.wait_phase("orphaned", "Running")
    secured.system.processes["worker"].kill()
    assert jobs.wait_finished("orphaned")["status"]["phase"] == "Succeeded"
    # A worker reserves this message, and requeues it when it stops.
    tag = str(uuid.uuid4())
    body = json.dumps([["later", "placeholder"], {}, {}]).encode()
    secured.admin.lpush("celery", json.dumps(make_message(body, tag=tag, eta="2099-01-01T00:00:00+00:00")))
    wait_until(lambda: secured.admin.hexists("unacked", tag), "the worker to reserve the message", timeout_seconds=60)
    secured.system.processes["other"].stop()
    assert secured.admin.llen("celery") == 1

    assert secured.refusals() == []


@pytest.mark.release
def test_orphaned_files_after_a_loss_of_redis_need_no_more_rights(secured: Secured, namespace: str) -> None:
    """The worker reports orphaned folders, and the operator reads the report and drops it after their deletion."""
    jobs = Jobs(secured.system, namespace)
    if not secured.system.processes["worker"].alive:  # the test above has killed it
        secured.start_worker("worker")
    jobs.create("forgotten")
    jobs.wait_finished("forgotten")
    folder = jobs.folder("forgotten")
    secured.admin.acl_log_reset()
    operator = secured.system.processes["operator"]
    operator.stop()  # it must not observe the deletion, nor write the job's record again
    secured.admin.flushall()
    jobs.delete("forgotten")
    jobs.wait_gone("forgotten")
    secured.start_operator()

    wait_until(lambda: not folder.exists(), "the deleted job's files to be deleted", timeout_seconds=90)
    with redis.Redis.from_url(secured.system.redis.url(1), decode_responses=True) as state:
        wait_until(lambda: not list(state.keys("folders:*")), "the reported folders to be dropped", timeout_seconds=60)
    assert secured.refusals() == []


_PROGRAM = """
from reconstruction_operator.services import file_handler, job_manager
from reconstruction_operator.tasks.reconstruction import process_reconstruction

print(process_reconstruction.delay("bare-done", "placeholder").get(timeout=120)["status"])
assert job_manager.request_cancellation("bare-gone") and job_manager.cancel_pending("bare-gone")
assert job_manager.withdraw_request("bare-gone")
assert job_manager.request_cancellation("bare-gone") and job_manager.confirm_cancellation("bare-gone")
result = process_reconstruction.delay("bare-gone", "placeholder")
try:
    result.get(timeout=120)
except Exception as error:
    print(type(error).__name__)
assert job_manager.is_job_cancelled("bare-gone")
job_manager.clear_cancellation("bare-gone")
"""


def test_a_program_that_starts_and_cancels_tasks_needs_no_more_rights(secured: Secured) -> None:
    if not secured.system.processes["worker"].alive:
        secured.start_worker("worker")
    secured.admin.acl_log_reset()
    settings = addresses(secured.system.redis, "client", PASSWORDS["client"])

    done = commands.run([sys.executable, "-c", _PROGRAM], environment=secured.system.environment(**settings))

    assert done.stdout.split() == ["completed", "TaskRevokedError"]
    assert secured.refusals() == []


def test_a_job_for_a_queue_that_no_rule_names_delays_no_other(secured: Secured, namespace: str) -> None:
    jobs = Jobs(secured.system, namespace)
    if not secured.system.processes["worker"].alive:
        secured.start_worker("worker")
    jobs.create("elsewhere", queue="elsewhere")
    jobs.wait_phase("elsewhere", "Pending", "Queued")

    jobs.create("here")

    assert jobs.wait_finished("here")["status"]["phase"] == "Succeeded"
    secured.admin.acl_log_reset()


OUT_OF_BOUNDS: dict[str, tuple[str, ...]] = {
    "delete-all-data": ("FLUSHALL",),
    "read-the-settings": ("CONFIG", "GET", "*"),
    "change-the-settings": ("CONFIG", "SET", "dir", "/tmp"),
    "list-keys": ("KEYS", "*"),
    "scan-keys": ("SCAN", "0"),
    "monitor-all-commands": ("MONITOR",),
    "list-the-clients": ("CLIENT", "LIST"),
    "read-the-users": ("ACL", "LIST"),
    "create-a-user": ("ACL", "SETUSER", "me", "on", "nopass", "+@all"),
    "stop-the-server": ("SHUTDOWN", "NOSAVE"),
    "make-the-server-a-replica": ("REPLICAOF", "127.0.0.1", "1"),
    "load-modules": ("MODULE", "LIST"),
    "delete-the-scripts": ("SCRIPT", "FLUSH"),
    "read-another-application": ("GET", "another:application"),
    "write-another-application": ("SET", "another:application", "x"),
    "delete-all-data-by-a-script": ("EVAL", "return redis.call('FLUSHALL')", "0"),
    "read-by-a-script": ("EVAL", "return redis.call('GET', 'another:application')", "0"),
    "publish-in-another-channel": ("PUBLISH", "another", "x"),
    "subscribe-to-all-channels": ("PSUBSCRIBE", "*"),
    "command-the-workers": ("PUBLISH", "/0.celery.pidbox", "{}"),
}
BOTH_SIDES = [
    pytest.param(side, command, id=f"{side}-{what}") for side in PASSWORDS for what, command in OUT_OF_BOUNDS.items()
]


ONE_SIDE = [
    pytest.param("operator", ("BRPOP", "celery", "1"), id="the-operator-takes-no-messages"),
    pytest.param("operator", ("SETEX", "celery-task-meta-x", "1", "{}"), id="the-operator-reports-no-progress"),
    pytest.param("operator", ("SADD", "unacked_index", "x"), id="the-operator-changes-no-bookkeeping-of-workers"),
    pytest.param("worker", ("SMEMBERS", "records:x"), id="a-worker-lists-no-jobs"),
    pytest.param("worker", ("SET", "fence:x", "9"), id="a-worker-deposes-no-operator"),
    pytest.param("worker", ("INFO",), id="a-worker-reads-no-server-statistics"),
    pytest.param("client", ("BRPOP", "celery", "1"), id="a-client-takes-no-messages"),
    pytest.param("client", ("LRANGE", "celery", "0", "-1"), id="a-client-reads-no-messages"),
    pytest.param("client", ("GET", "worker:x"), id="a-client-reads-no-worker"),
    pytest.param("client", ("SET", "epoch", "x"), id="a-client-forges-no-epoch"),
    pytest.param("client", ("DEL", "job:x"), id="a-client-deletes-no-record"),
    pytest.param("client", ("PUBLISH", "celery-task-meta-x", "{}"), id="a-client-forges-no-notification"),
]


@pytest.mark.parametrize(("side", "command"), [*BOTH_SIDES, *ONE_SIDE])
def test_no_user_may_run_a_command_that_it_does_not_need(side: str, command: tuple[str, ...], secured: Secured) -> None:
    with secured.as_user(side) as client, pytest.raises(redis.ResponseError, match=REFUSED):
        client.execute_command(*command)


def test_a_wrong_user_or_password_is_rejected(secured: Secured) -> None:
    server = secured.system.redis
    for url in (
        server.url(user="reconstruction-operator", password=PASSWORDS["worker"]),
        server.url(user="stranger", password="x"),
    ):
        with redis.Redis.from_url(url) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
