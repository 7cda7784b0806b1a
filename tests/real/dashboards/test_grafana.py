"""Dashboard: every expression returns data on a real Prometheus that scraped a real run.

The run has an operator, a worker, jobs that succeed, fail and are cancelled, and an isolated model.
"""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from devcluster import Cluster, wait_until
from devcluster.harness.dashboards.prometheus import Prometheus, Target
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY
from devcluster.servers.ports import free_ports
from tests.support.paths import CHART
from tests.support.systems import running_system

pytestmark = pytest.mark.release

DASHBOARD = json.loads((CHART / "files/dashboards/reconstruction.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in PANELS
    for target in panel["targets"]
]
ALERTS = CHART / "files" / "alerts.yaml"
ROUGH_MODELS = REPOSITORY / "tests" / "data" / "models"
PHOTOS = f"file://{REPOSITORY}/tests/data/photos/berlin"


@dataclass
class Scraped:
    """A Prometheus, and the time of the run that it scraped."""

    prometheus: Prometheus
    begin: float
    end: float

    def series(self, expression: str) -> list[dict[str, Any]]:
        return self.prometheus.query_range(at_grafana(expression), start=self.begin, end=self.end, step_seconds=1)


def at_grafana(expression: str) -> str:
    """Return the expression with Grafana's values of the variables for "All"."""
    return expression.replace("$__rate_interval", "20s").replace("$namespace", ".*").replace("$queue", ".*")


def numbers(series: list[dict[str, Any]]) -> list[float]:
    return [float(text) for each in series for _, text in each["values"] if not math.isnan(float(text))]


@pytest.fixture(scope="module")
def scraped(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    cluster.heal()
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": "dashboards"}})
    pids = tmp_path_factory.mktemp("pids")
    (port,) = free_ports(1)
    with running_system(cluster, operator=False) as system:
        system.start_operator(BACKOFF_SECONDS="0.1")
        system.start_worker(
            WORKER_METRICS_PORT=str(port), PYTHONPATH=str(ROUGH_MODELS), ROUGH_MODELS_PIDS=str(pids), concurrency=4
        )
        targets = [
            Target("reconstruction-operator", system.metrics_ports["operator"], {"namespace": "reconstruction-system"}),
            Target("reconstruction-workers", port, {"namespace": "reconstruction-system"}),
        ]
        with Prometheus(targets, rules=[ALERTS]) as prometheus:
            begin = time.time()
            wait_until(
                lambda: {up["metric"]["job"] for up in prometheus.query("up == 1")} == {each.job for each in targets},
                "both to be scraped",
                timeout_seconds=120,
                seen=lambda: [process.log_end() for process in system.processes.values()],
            )
            jobs = Jobs(system, "dashboards")
            # Long enough for the operator to see it run, since it measures no wait of a job that ends at once.
            jobs.wait_phase(jobs.create("first", parameters={"stepSeconds": 1}), "Succeeded")
            wait_until(
                lambda: prometheus.query("reconstruction_queue_wait_seconds_count > 0"),
                "the wait to be scraped, so that a later wait is an increase",
                timeout_seconds=60,
            )
            run_jobs(jobs)
            ended = (
                "sum(reconstruction_worker_attempts_total) >= "
                f"{ATTEMPTS} and sum(reconstruction_jobs_finished_total) >= {JOBS}"
            )
            wait_until(lambda: prometheus.query(ended), "all ends to be scraped", timeout_seconds=60)
            time_of_last = time.time()
            wait_until(lambda: time.time() > time_of_last + 3, "two more scrapes, so that counters have grown")
            yield Scraped(prometheus, begin, time.time())
    cluster.api.delete("/api/v1/namespaces/dashboards")


JOBS = 5
ATTEMPTS = 5


def run_jobs(jobs: Jobs) -> None:
    """Run jobs with every outcome."""
    names = {"second": "placeholder", "isolated": "rough-good", "failing": "rough-failure", "cancelled": "placeholder"}
    for name, model in names.items():
        parameters = {"parameters": {"stepSeconds": 20}} if name == "cancelled" else {}
        jobs.create(name, modelType=model, input={"uri": PHOTOS}, **parameters)
    jobs.wait_phase("cancelled", "Running")
    jobs.cancel("cancelled")
    for name, outcome in (("second", "Succeeded"), ("isolated", "Succeeded"), ("failing", "Failed")):
        jobs.wait_phase(name, outcome)
    jobs.wait_phase("cancelled", "Cancelled")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_returns_data_of_a_real_run(expression: str, scraped: Scraped) -> None:
    series = scraped.series(expression)

    assert numbers(series) != []


@pytest.mark.parametrize(
    ("title", "labels"),
    [
        ("Jobs finished per hour", [{"verdict": of} for of in ("Cancelled", "Failed", "Fine", "Simulated")]),
        ("Failed jobs per hour, by reason", [{"reason": "NOT_ENOUGH_OVERLAP"}]),
        ("Peak memory of a model", [{"model": "rough-failure"}, {"model": "rough-good"}]),
    ],
)
def test_panel_shows_the_numbers_of_the_run(title: str, labels: list[dict[str, str]], scraped: Scraped) -> None:
    (panel,) = [panel for panel in PANELS if panel["title"] == title]
    series = scraped.series(panel["targets"][0]["expr"])

    assert sorted((each["metric"] for each in series if max(numbers([each])) > 0), key=str) == labels


def test_every_rule_is_evaluated_without_an_error_and_none_fires(scraped: Scraped) -> None:
    rules = scraped.prometheus.rules()

    assert {rule["health"] for rule in rules} == {"ok"}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def test_first_row_reports_a_healthy_system(scraped: Scraped) -> None:
    values = {}
    for panel in PANELS[:5]:
        (series,) = scraped.prometheus.query(at_grafana(panel["targets"][0]["expr"]))
        values[panel["title"]] = float(series["value"][1])

    assert values["Leader elected"] == 1
    assert values["Redis reachable"] == 1
    assert values["API server last answered"] < 90
    assert values["Status delay"] < 10
    assert values["Alerts"] == 0
