"""Suspend and resume: a suspended job does not run, and its stop is not a failure."""

from devcluster.harness.jobs import Jobs, Seen, is_true


def test_a_job_created_suspended_is_dispatched_after_its_resume(jobs: Jobs) -> None:
    name = jobs.create(suspend=True)
    job = jobs.wait_phase(name, "Suspended")
    assert is_true(job, "Suspended")
    assert "taskId" not in job["status"]

    jobs.patch(name, suspend=False)

    assert jobs.wait_finished(name)["status"]["phase"] == "Succeeded"


def test_a_suspended_running_job_resumes_as_the_next_attempt(jobs: Jobs, seen: Seen) -> None:
    name = jobs.create_in("Running", queue="slow")

    jobs.patch(name, suspend=True)
    job = jobs.wait_phase(name, "Suspended")
    assert list(jobs.folder(name).glob("attempts/*/output")) == []
    assert job["status"].get("failures", 0) == 0

    jobs.patch(name, suspend=False)
    job = jobs.wait_finished(name)

    assert (job["status"]["phase"], job["status"]["attempt"]) == ("Succeeded", 2)
    seen.assert_never_backwards(name)
