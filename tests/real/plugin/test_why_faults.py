"""`kubectl recon why` beside faults of a running system: every role gets the cause within 15 s, and none once it is
gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from kubectl_recon.commands import explaining
from kubectl_recon.diagnosis import rules
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import connect

from devcluster import wait_until
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY, System
from tests.support.systems import SLOW, SharedSystems, wait_published

pytestmark = pytest.mark.release


class Fault(NamedTuple):
    """How to cause it and how to mend it, and what `why` says then of a job that runs and of a new one."""

    begin: Callable[[System], object]
    mend: Callable[[System], object]
    running: str
    new: str


def _without_role(system: System) -> None:
    system.cluster.kubectl("delete", "clusterrolebinding", "reconstruction-operator")


def _with_role(system: System) -> None:
    system.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", f"{REPOSITORY}/manifests/install")


def _send(name: str, method: str) -> Callable[[System], object]:
    return lambda system: getattr(system.processes[name], method)()


FAULTS: Mapping[str, Fault] = {
    "Redis hangs": Fault(lambda it: it.redis.pause(), lambda it: it.redis.resume(), "redis-away", "redis-away"),
    "Redis is down": Fault(lambda it: it.redis.kill(), lambda it: it.redis.start(), "redis-away", "redis-away"),
    "the operator hangs": Fault(
        _send("operator", "pause"), _send("operator", "resume"), "operator-away", "operator-away"
    ),
    "the operator lacks its role": Fault(_without_role, _with_role, "operator-stuck", "operator-stuck"),
    # The attempt is lost, and the next one waits for a worker
    "the worker hangs": Fault(_send("slow", "pause"), _send("slow", "resume"), "queue-unserved", "queue-abandoned"),
}


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    return start_system(SLOW, fresh=True, PLACEHOLDER_STEP_SECONDS="8")


@pytest.mark.parametrize("fault", FAULTS)
def test_every_role_gets_the_cause_within_seconds(jobs: Jobs, fault: str) -> None:
    cluster, namespace, case = jobs.system.cluster, jobs.namespace, FAULTS[fault]
    kubeconfigs = [cluster.kubeconfig]
    for role in ("viewer", "editor"):
        cluster.kubectl("-n", namespace, "create", "serviceaccount", role)
        account = f"--serviceaccount={namespace}:{role}"
        cluster.kubectl("-n", namespace, "create", "rolebinding", role, f"--clusterrole=reconstruction-{role}", account)
        kubeconfigs.append(cluster.service_account_kubeconfig(namespace, role))
    people = [connect(kubeconfig=str(kubeconfig), namespace=namespace) for kubeconfig in kubeconfigs]

    def said(name: str) -> set[str]:
        now = datetime.now(UTC)
        job = Job(jobs.get(name))
        return {rules.answer(explaining.gather(user, job, now)).situation for user in people}

    jobs.create_in("Running", "old", queue="slow")
    wait_published(jobs.system, "slow")
    case.begin(jobs.system)
    jobs.create("new", queue="slow")
    wait_until(
        lambda: (said("old"), said("new")) == ({case.running}, {case.new}),
        f"the answer {case.running}",
        timeout_seconds=15.0,
        seen=lambda: str((said("old"), said("new"))),
    )
    case.mend(jobs.system)
    wait_until(lambda: said("new") == {"running"}, "the answer after the fault", seen=lambda: str(said("new")))
    for user in people:
        user.api.close()
