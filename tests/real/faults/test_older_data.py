"""Redis comes back with older data: no failure is counted, and results and suspensions stay."""

import pytest
import redis

from devcluster import Redis, wait_until
from devcluster.harness.jobs import Jobs, Seen, phase
from devcluster.harness.system import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


def _has_ended(server: Redis, jobs: Jobs, name: str) -> bool:
    with redis.Redis.from_url(server.url(1)) as client:
        return bool(client.exists(f"end:{jobs.get(name)['metadata']['uid']}-1"))


def test_older_data_fails_no_job(jobs: Jobs, seen: Seen, server: Redis, system: System) -> None:
    suspended, running, ending = (jobs.create_in("Running", backoffLimit=0) for _ in range(3))
    before = server.snapshot("before")
    jobs.patch(suspended, suspend=True)
    jobs.wait_phase(suspended, "Suspended")
    system.processes["operator"].pause()  # the status of the job that ends lags behind
    wait_until(lambda: _has_ended(server, jobs, ending), f"{ending} to end", seen=system.processes["worker"].log_end)

    server.restore(before)
    system.processes["operator"].resume()

    for name in (running, ending):
        status = jobs.wait_finished(name, timeout_seconds=120)["status"]
        assert (status["phase"], status.get("failures", 0)) == ("Succeeded", 0), status
    result = jobs.folder(ending) / "output" / "model.glb"
    assert result.is_file()
    assert phase(jobs.get(suspended)) == "Suspended"
    phases = [phase(version) for version in seen.of(suspended)]
    assert set(phases[phases.index("Suspended") :]) == {"Suspended"}
    jobs.patch(suspended, suspend=False)
    status = jobs.wait_finished(suspended, timeout_seconds=120)["status"]
    assert (status["phase"], status.get("failures", 0)) == ("Succeeded", 0), status
