"""`kubectl recon cancel`: both steps for a person, single steps for scripts."""

from __future__ import annotations

import json

import pytest
import yaml

from devcluster.harness.jobs import Jobs, condition
from tests.support.plugin import Program

QUESTION = "Cancel these 2 jobs? This is final"


def spec(jobs: Jobs, name: str) -> tuple[bool, bool]:
    found = jobs.get(name)["spec"]
    return bool(found.get("cancelRequested")), bool(found.get("cancelConfirmed"))


def test_a_person_sees_what_is_lost_and_is_asked_once(jobs: Jobs, recon: Program) -> None:
    jobs.create_in("Running", "running", queue="slow")
    jobs.create_in("Suspended", "sleeping", suspend=True)
    jobs.create_in("Succeeded", "over")
    code, shown = recon.on_terminal("cancel", "running", "sleeping", "over", answers={QUESTION: "y\n"})
    assert shown.count(QUESTION) == 1
    assert "over: already Succeeded" in shown
    assert "Running, cancel requested" in shown
    assert "running: cancelled" in shown
    assert "sleeping: cancelled" in shown
    assert code == 1  # one of the named jobs was not cancelled
    assert jobs.get("running")["status"]["phase"] == "Cancelled"


def test_a_no_leaves_everything_as_it_was(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    jobs.create_in("Queued", "second", queue=held)
    jobs.request_cancel("second")
    code, shown = recon.on_terminal("cancel", "--all", answers={QUESTION: "n\n"})
    assert code == 0
    assert "Nothing is cancelled. The announced cancels are withdrawn." in shown
    assert spec(jobs, "first") == (False, False)
    assert spec(jobs, "second") == (True, False)  # announced before, and by another


def test_a_no_leaves_the_reason_that_another_had_given(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    assert recon("cancel", "first", "--request", "--reason", "of Ann").returncode == 0
    code, _ = recon.on_terminal("cancel", "first", "--reason", "of Bob", answers={"Cancel first?": "n\n"})
    assert (code, jobs.get("first")["spec"]["cancelReason"]) == (0, "of Ann")
    assert spec(jobs, "first") == (True, False)


def test_jobs_that_cannot_be_cancelled_are_named_before_the_question(jobs: Jobs, recon: Program, held: str) -> None:
    for name in ("over", "done"):
        jobs.create_in("Succeeded", name)
    jobs.create_in("Queued", "first", queue=held)
    code, shown = recon.on_terminal("cancel", "--all", answers={"Cancel first?": "n\n"})
    assert code == 0
    others = shown.partition("Cancel first?")[0]
    assert "Not eligible, already Succeeded: " in others
    assert {"over", "done"} < set(others.replace(",", " ").split())


def test_jobs_of_all_namespaces_are_answered_with_their_namespaces(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    jobs.system.cluster.kubectl("-n", jobs.namespace, "label", "recon", "first", f"set={jobs.namespace}")
    done = recon("cancel", "-A", "-l", f"set={jobs.namespace}", "--yes")
    assert (done.returncode, done.stdout) == (0, f"{jobs.namespace}/first: cancelled\n")


def test_changed_and_created_objects_are_printed_in_the_formats_of_kubectl(
    jobs: Jobs, recon: Program, held: str
) -> None:
    jobs.create_in("Queued", "first", queue=held)
    assert recon("suspend", "--all", "-o", "name").stdout == "reconstructionjob.reconstruction.dev/first\n"
    assert json.loads(recon("resume", "first", "-o", "json").stdout)["spec"]["suspend"] is False
    cancelled = yaml.safe_load(recon("cancel", "first", "--yes", "-o", "yaml").stdout)
    assert (cancelled["kind"], cancelled["status"]["phase"]) == ("ReconstructionJob", "Cancelled")
    assert recon("retry", "first", "-o", "name").stdout == "reconstructionjob.reconstruction.dev/first-2\n"


def test_an_interrupt_at_the_question_is_a_no(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    code, _ = recon.on_terminal("cancel", "first", answers={"Cancel first?": "\x04"})  # the end of the input
    assert code != 0
    assert spec(jobs, "first") == (False, False)


def test_without_a_terminal_nothing_is_asked_and_nothing_done(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    done = recon("cancel", "first")
    assert done.returncode == 2
    assert "--request and --confirm, or add --yes" in done.stderr
    assert spec(jobs, "first") == (False, False)


def test_a_script_takes_the_steps_one_by_one(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    early = recon("cancel", "first", "--confirm")
    assert (early.returncode, "a cancel takes two steps" in early.stderr) == (1, True)
    assert recon("cancel", "first", "--request").returncode == 0
    assert recon("cancel", "first", "--withdraw").stdout == "first: cancel withdrawn\n"
    assert spec(jobs, "first") == (False, False)
    assert recon("cancel", "first", "--request").returncode == 0
    assert recon("cancel", "first", "--confirm").stdout == "first: cancel confirmed\n"
    jobs.wait_phase("first", "Cancelled")
    again = recon("cancel", "first", "--yes")
    assert (again.returncode, again.stderr) == (0, "first: already Cancelled\n")


def test_yes_takes_both_steps_and_waits_for_the_end(jobs: Jobs, recon: Program, held: str) -> None:
    for name in ("first", "second"):
        jobs.create_in("Queued", name, queue=held)
    done = recon("cancel", "--all", "--yes")
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, ["first: cancelled", "second: cancelled"])


def test_a_reason_is_stored_with_the_request_and_goes_with_its_withdrawal(
    jobs: Jobs, recon: Program, held: str
) -> None:
    jobs.create_in("Queued", "first", queue=held)
    assert recon("cancel", "first", "--request", "--reason", "wrong photos").returncode == 0
    assert jobs.get("first")["spec"]["cancelReason"] == "wrong photos"
    assert recon("cancel", "first", "--withdraw").returncode == 0
    assert "cancelReason" not in jobs.get("first")["spec"]
    assert recon("cancel", "first", "--yes", "--reason", "wrong photos").stdout == "first: cancelled\n"
    cancelled = condition(jobs.get("first"), "Cancelled")
    assert cancelled["message"].endswith("Reason: wrong photos")


def test_suspend_and_resume(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    assert recon("suspend", "first").stdout == "first: suspended\n"
    jobs.wait_phase("first", "Suspended")
    assert recon("suspend", "first").stderr == "first: suspended already\n"
    assert recon("resume", "--all").stdout == "first: resumed\n"
    jobs.wait_phase("first", "Queued")


@pytest.mark.parametrize("options", [[], ["--name", "other"]], ids=["next-name", "own-name"])
def test_retry_makes_a_new_job_of_a_finished_one(jobs: Jobs, recon: Program, options: list[str]) -> None:
    jobs.create_in("Failed", "banana", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    done = recon("retry", "@latest", "--param", "faces=5000", *options)
    name = options[-1] if options else "banana-2"
    assert done.stdout == f"{name}: created, as banana was\n"
    made = jobs.get(name)
    assert made["metadata"]["annotations"]["reconstruction.dev/retry-of"] == "banana"
    assert made["spec"]["input"] == {"uri": "file:///nowhere"}
    assert made["spec"]["parameters"] == {"faces": 5000}


def test_retry_of_a_job_that_is_not_over_is_refused(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    done = recon("retry", "first")
    assert (done.returncode, done.stderr) == (2, "error: first is not over (Queued): it needs no retry\n")
