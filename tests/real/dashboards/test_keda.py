"""Query of the chart's ScaledObject on a real Prometheus: it counts waiting and running jobs of its queues only."""

import json

import pytest
import yaml

from devcluster import wait_until
from devcluster.harness.dashboards.prometheus import Prometheus, Target
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from devcluster.programs.helm import helm
from tests.support.paths import CHART

QUEUE = "scaled"


@pytest.fixture
def query() -> str:
    """The query that `helm template` renders for a pool of the queue `scaled`."""
    values = {
        "keda": {"prometheusAddress": "http://prometheus:9090"},
        "missingApis": "render",
        "workers": {"cpu": {"queues": [QUEUE], "autoscaling": {"enabled": True}}},
    }
    rendered = helm("template", "test", CHART, "--values", "-", stdin=json.dumps(values)).stdout
    objects = filter(None, yaml.safe_load_all(rendered))
    (scaled,) = [manifest for manifest in objects if manifest["kind"] == "ScaledObject"]
    return str(scaled["spec"]["triggers"][0]["metadata"]["query"])


def test_the_query_counts_only_waiting_and_running_jobs_of_its_queues(query: str, system: System, jobs: Jobs) -> None:
    operator = Target("reconstruction-operator", system.metrics_ports["operator"])
    with Prometheus([operator]) as prometheus:

        def answer() -> float:
            series = prometheus.query(query)
            return float(series[0]["value"][1]) if series else 0.0

        def wait_for(count: int) -> None:
            wait_until(lambda: answer() == count, f"{count} jobs", timeout_seconds=120, seen=answer)

        first = jobs.create(queue=QUEUE)
        jobs.create(queue=QUEUE, priority="high")
        jobs.create(queue=QUEUE, suspend=True)
        jobs.create(queue="slow")
        wait_for(2)

        system.start_worker("scaled", WORKER_POOLS=QUEUE, PLACEHOLDER_STEP_SECONDS="20", concurrency=1)
        wait_until(
            lambda: prometheus.query(f'reconstruction_queue_jobs{{queue=~"{QUEUE}.*", phase="Running"}} > 0'),
            "one of the jobs to run",
            timeout_seconds=120,
        )
        assert answer() == 2

        jobs.cancel(first)
        jobs.wait_finished(first)
        wait_for(1)
