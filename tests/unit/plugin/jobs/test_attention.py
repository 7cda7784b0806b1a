from datetime import UTC, datetime
from typing import Any

import pytest
from kubectl_recon.jobs.attention import attention, phase_text, place, reason_text, time_text
from kubectl_recon.jobs.job import Job

from tests.support.plugin import job

NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
REQUESTED = {"cancelRequested": True}
CONFIRMED = {"cancelRequested": True, "cancelConfirmed": True}


@pytest.mark.parametrize(
    ("phase", "fields", "text"),
    [
        ("", {}, "New"),
        ("Running", {}, "Running"),
        ("Running", {"spec": REQUESTED}, "Running, cancel requested"),
        ("Running", {"spec": CONFIRMED}, "Running, cancel confirmed"),
        ("Cancelling", {"spec": CONFIRMED}, "Cancelling"),
        ("Cancelled", {"spec": CONFIRMED}, "Cancelled"),
        ("Succeeded", {"spec": REQUESTED}, "Succeeded"),
        ("Succeeded", {"phaseDetail": "Succeeded, warning"}, "Succeeded, warning"),
        ("Running", {"spec": {"suspend": True}}, "Running, suspending"),
        ("Suspended", {"spec": {"suspend": True}}, "Suspended"),
        ("", {"spec": {"managedBy": "example.com/other"}}, "Not managed"),
        ("Queued", {"spec": {"managedBy": "reconstruction.dev/operator"}}, "Queued"),
    ],
)
def test_the_phase_has_a_qualifier(phase: str, fields: dict[str, Any], text: str) -> None:
    assert phase_text(job(phase=phase, **fields)) == text


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        (job(phase="Running", progress={"etaSeconds": 270}), "4m30s left"),
        (job(phase="Running", startTime="2026-03-01T12:03:00Z"), "runs 2m"),
        (job(phase="Queued"), "waits 5m"),
        (job(phase="Pending", conditions={"Suspended": ("False", "Resumed")}), "waits 5m"),
        (job(phase="Failed", startTime="2026-03-01T12:01:00Z", completionTime="2026-03-01T12:01:12Z"), "took 12s"),
        (job(phase="Failed"), ""),
        (job(phase="Suspended"), ""),
    ],
)
def test_the_most_relevant_time_is_shown(listed: Job, text: str) -> None:
    assert time_text(listed, NOW) == text


@pytest.mark.parametrize(
    ("listed", "text"),
    [
        (job(phase="Failed", verdict="Failed", message="Failed: TIMEOUT: late", reason="TIMEOUT"), "TIMEOUT: late"),
        (job(), "not seen by the operator"),
        (job(phase="Pending", reason="place 20"), "place 20"),
        (job(spec={"managedBy": "example.com/other"}), ""),
    ],
)
def test_the_reason_is_the_sentence_to_a_verdict_or_what_the_job_waits_for(listed: Job, text: str) -> None:
    assert reason_text(listed) == text


def test_the_place_is_parsed_from_the_operators_message() -> None:
    assert place(job(phase="Pending", message="Waiting for room in queue celery: place 5 or better")) == 5
    assert place(job(phase="Pending", message="Waiting for room in queue celery")) is None
    assert place(job(phase="Queued", message="Waiting for room in queue celery: place 5 or better")) is None


def test_jobs_that_need_attention_are_sorted_first_then_the_newest() -> None:
    jobs = [
        job("done", "Succeeded"),
        job("sleeps", "Suspended"),
        job("waits", "Pending"),
        job("runs", "Running"),
        job("announced", "Running", spec=REQUESTED),
        job("stuck", "Pending", verdict="Warning"),
        job("failed-first", "Failed", completionTime="2026-03-01T12:01:00Z"),
        job("failed-last", "Failed", completionTime="2026-03-01T12:02:00Z"),
    ]
    ordered = [entry.name for entry in sorted(jobs, key=attention)]
    assert ordered == ["failed-last", "failed-first", "stuck", "announced", "runs", "waits", "sleeps", "done"]
