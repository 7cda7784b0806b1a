"""Traces: operator and worker write into one trace for each job."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from reconstruction_operator.contract.steps import STEPS

from devcluster import Cluster, wait_until
from devcluster.harness.collector import Collector, Received
from devcluster.harness.jobs import Jobs
from tests.support.systems import Worker, running_system

pytestmark = pytest.mark.release

ROOT, WAIT = "ReconstructionJob", "wait for a worker"


@dataclass
class Traced:
    """A system that sends traces, and the collector."""

    jobs: Jobs
    collector: Collector

    def trace(self, name: str, spans: set[str]) -> dict[str, Received]:
        """Wait for these spans of a job, and return all of its spans by name."""
        trace_id = self.jobs.get(name)["metadata"]["uid"].replace("-", "")

        def names() -> list[str]:
            return [span.name for span in self.collector.spans if span.trace_id == trace_id]

        wait_until(lambda: spans <= set(names()), f"{spans} of {name}", timeout_seconds=120, seen=names)
        assert sorted(set(names())) == sorted(names()), "a span was sent twice"
        return {span.name: span for span in self.collector.spans if span.trace_id == trace_id}


@pytest.fixture
def traced(cluster: Cluster, namespace: str) -> Iterator[Traced]:
    with Collector() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with running_system(cluster, Worker(concurrency=2), settings=settings) as running:
            yield Traced(Jobs(running, namespace), collector)


def test_a_job_is_one_trace_from_its_creation_to_its_end(traced: Traced) -> None:
    good = traced.jobs.create()
    bad = traced.jobs.create(modelType="photogrammetry", input={"uri": "file:///nowhere"})
    traced.jobs.wait_phase(good, "Succeeded")
    traced.jobs.wait_phase(bad, "Failed")

    spans = traced.trace(good, {ROOT, WAIT, "attempt", *(step.name for step in STEPS)})
    root, attempt = spans[ROOT], spans["attempt"]
    assert root.parent_id == ""
    assert {spans[WAIT].parent_id, attempt.parent_id} == {root.span_id}
    assert {spans[step.name].parent_id for step in STEPS} == {attempt.span_id}
    assert {span.service for span in spans.values()} == {"reconstruction-operator", "reconstruction-worker"}
    # The root begins at a whole second, before all other spans.
    assert all(root.start <= span.start <= span.end for span in spans.values())
    assert [span.error for span in spans.values() if span.error] == []

    # A quick failure may be stored before its start: then it has no wait.
    ended = {ROOT, "attempt", STEPS[0].name}
    assert {name for name, span in traced.trace(bad, ended).items() if span.error.startswith("INPUT_")} == ended
