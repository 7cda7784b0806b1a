from kubectl_recon.jobs.job import Job, JobEvent

from tests.support.plugin import job


def test_a_job_of_another_crd_version_has_empty_fields() -> None:
    bare = Job({"metadata": {"name": "x"}, "status": "nonsense"})
    assert (bare.name, bare.phase, bare.percent, bare.model, bare.conditions) == ("x", "", 0, "photogrammetry", {})


def test_tenths_of_a_percent_are_shown_if_the_operator_reports_them() -> None:
    assert job(progress={"percent": 43, "display": "43.7%"}).done == "43.7%"
    assert job(progress={"percent": 43}).done == "43%"


def test_a_finished_job_has_no_step() -> None:
    progress = {"percent": 100, "step": "Finalizing output", "etaSeconds": 3}
    assert job(phase="Running", progress=progress).step == "Finalizing output"
    assert job(phase="Succeeded", progress=progress).step == ""
    assert job(phase="Succeeded", progress=progress).eta_seconds is None


def test_an_event_holds_no_escapes() -> None:
    """Whoever may create Events chooses its texts, which `watch` and `why` show."""
    body = {"metadata": {}, "reason": "A\x1b[2J", "message": "a\x1b]0;x\x07 b"}
    event = JobEvent.of(body)
    assert (event.reason, event.text) == ("A\ufffd[2J", "a\ufffd]0;x\ufffd b")
