"""A worker's metrics as Prometheus reads them, in every pool, and after its processes have died."""

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families
from reconstruction_operator.contract.steps import STEPS

from devcluster import wait_until
from devcluster.harness.workers import Farm
from devcluster.servers.ports import free_ports


@dataclass(frozen=True)
class Scraped:
    """The samples and the health of one worker. Each call asks again."""

    port: int
    probe_port: int

    @property
    def settings(self) -> dict[str, str]:
        return {"WORKER_METRICS_PORT": str(self.port), "WORKER_PROBE_PORT": str(self.probe_port)}

    def text(self) -> str:
        address = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(address, timeout=30) as answer:  # of this test, on loopback
            return str(answer.read().decode())

    def is_healthy(self) -> bool:
        """Whether the kubelet's probe succeeds."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.probe_port}/healthz", timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.HTTPError, TimeoutError):
            return False

    def value(self, name: str, **labels: str) -> float | None:
        return value_in(self.text(), f"reconstruction_worker_{name}", labels)

    def wait_for(self, wanted: float, name: str, **labels: str) -> None:
        wait_until(
            lambda: self.value(name, **labels) == wanted,
            f"{name}{labels} to be {wanted}",
            timeout_seconds=120,
            seen=self.text,
        )


@pytest.fixture
def scraped() -> Scraped:
    """The samples of a worker that is started with these ports."""
    return Scraped(*free_ports(2))


def value_in(text: str, name: str, labels: Mapping[str, str]) -> float | None:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


@pytest.mark.parametrize("pool", ["prefork", pytest.param("threads", marks=pytest.mark.release), "solo"])
def test_a_job_counts_once_with_six_steps(scraped: Scraped, pool: str, own_farm: Farm, job_id: str) -> None:
    own_farm.start_worker(pool=pool, concurrency=1 if pool == "solo" else 2, **scraped.settings)
    own_farm.wait_state(own_farm.send(job_id, "placeholder"), "SUCCESS")

    scraped.wait_for(1, "attempts_total", model="placeholder", outcome="Succeeded", reason="")
    for step in STEPS:
        assert (scraped.value("step_seconds_sum", model="placeholder", step=step.name) or 0) > 0.4
    assert scraped.value("slots") == (1 if pool == "solo" else 2)
    scraped.wait_for(0, "running_attempts")
    scraped.wait_for(1, "model_available", model="placeholder")


def test_an_isolated_model_reports_photos_bytes_and_memory(scraped: Scraped, own_farm: Farm, job_id: str) -> None:
    own_farm.start_worker(**scraped.settings)
    own_farm.photo(job_id)
    size = (own_farm.jobs_dir / job_id / "input" / "a.jpg").stat().st_size
    own_farm.wait_state(own_farm.send(job_id, "rough-good"), "SUCCESS")

    scraped.wait_for(1, "attempts_total", model="rough-good", outcome="Succeeded", reason="")
    assert scraped.value("images_total", model="rough-good") == 1
    assert scraped.value("input_bytes_total", model="rough-good") == size
    assert (scraped.value("output_bytes_total", model="rough-good") or 0) > 0
    assert (scraped.value("model_highest_memory_bytes", model="rough-good") or 0) > 1 << 20


def test_heartbeat_failures_count_during_an_outage_of_redis(scraped: Scraped, own_farm: Farm, job_id: str) -> None:
    own_farm.start_worker(**scraped.settings, PLACEHOLDER_STEP_SECONDS="600", BEAT_SECONDS="0.2")
    own_farm.wait_step(own_farm.send(job_id, "placeholder"), "Loading input files")
    scraped.wait_for(1, "running_attempts")
    own_farm.server.kill()

    wait_until(
        lambda: (scraped.value("heartbeat_failures_total") or 0) > 0,
        "heartbeats to fail",
        timeout_seconds=120,
        seen=scraped.text,
    )


@pytest.mark.release  # a beat is late after 60 s
def test_a_busy_worker_is_healthy_also_without_redis_and_a_stopped_one_is_not(
    scraped: Scraped, own_farm: Farm, job_id: str
) -> None:
    worker = own_farm.start_worker(**scraped.settings, concurrency=2)  # the second slot needs Redis
    own_farm.photo(job_id)
    own_farm.send(job_id, "rough-sleep")  # its process holds the interpreter's lock in native code
    own_farm.model_pid()

    def is_healthy_when_a_beat_is_due() -> bool:
        begun = time.monotonic()
        wait_until(lambda: not scraped.is_healthy() or time.monotonic() > begun + 75, "a beat", timeout_seconds=120)
        return scraped.is_healthy()

    assert is_healthy_when_a_beat_is_due()
    own_farm.server.kill()
    assert is_healthy_when_a_beat_is_due()

    worker.pause()
    assert not scraped.is_healthy()
    worker.resume()
    assert scraped.is_healthy()


def test_a_worker_runs_without_metrics_if_the_port_is_in_use(scraped: Scraped, own_farm: Farm, job_id: str) -> None:
    own_farm.start_worker("first", **scraped.settings)
    second = own_farm.start_worker("second", **scraped.settings)

    wait_until(lambda: "no /metrics at" in second.log.read_text(), "the second worker to log it", seen=second.log_end)
    own_farm.wait_state(own_farm.send(job_id, "placeholder"), "SUCCESS")
    assert second.alive
