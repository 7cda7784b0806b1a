"""`kubectl recon cancel`: both steps with a prompt, single steps for scripts; `suspend`, `resume` and `retry`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from devcluster.harness.jobs import Jobs, condition
from tests.support.plugin import Program
from tests.support.systems import wait_published

QUESTION = "Cancel these 2 jobs? This is final"


def spec(jobs: Jobs, name: str) -> tuple[bool, bool]:
    values = jobs.get(name)["spec"]
    return bool(values.get("cancelRequested")), bool(values.get("cancelConfirmed"))


def test_a_user_sees_what_would_be_lost_and_is_prompted_once(jobs: Jobs, recon: Program) -> None:
    jobs.create_in("Running", "running", queue="slow")
    jobs.create_in("Suspended", "sleeping", suspend=True)
    jobs.create_in("Succeeded", "over")
    code, output = recon.on_terminal("cancel", "running", "sleeping", "over", answers={QUESTION: "y\n"})
    assert output.count(QUESTION) == 1
    assert "over: already Succeeded" in output
    assert "Running, cancel requested" in output
    assert "running: cancelled" in output
    assert "sleeping: cancelled" in output
    assert code == 1  # one of the named jobs was not cancelled
    assert jobs.get("running")["status"]["phase"] == "Cancelled"


def test_the_answer_no_withdraws_only_the_commands_own_requests(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    jobs.create_in("Queued", "second", queue=held)
    jobs.request_cancel("second")
    code, output = recon.on_terminal("cancel", "--all", answers={QUESTION: "n\n"})
    assert code == 0
    assert "Nothing is cancelled. The requested cancels are withdrawn." in output
    assert spec(jobs, "first") == (False, False)
    assert spec(jobs, "second") == (True, False)  # requested before by another client


def test_the_answer_no_restores_the_reason_of_an_earlier_request(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    assert recon("cancel", "first", "--request", "--reason", "of Ann").returncode == 0
    code, _ = recon.on_terminal("cancel", "first", "--reason", "of Bob", answers={"Cancel first?": "n\n"})
    assert (code, jobs.get("first")["spec"]["cancelReason"]) == (0, "of Ann")
    assert spec(jobs, "first") == (True, False)


def test_jobs_that_cannot_be_cancelled_are_listed_before_the_prompt(jobs: Jobs, recon: Program, held: str) -> None:
    for name in ("over", "done"):
        jobs.create_in("Succeeded", name)
    jobs.create_in("Queued", "first", queue=held)
    code, output = recon.on_terminal("cancel", "--all", answers={"Cancel first?": "n\n"})
    assert code == 0
    others = output.partition("Cancel first?")[0]
    assert "Not eligible, already Succeeded: " in others
    assert {"over", "done"} < set(others.replace(",", " ").split())


def test_with_all_namespaces_each_job_is_shown_with_its_namespace(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    jobs.system.cluster.kubectl("-n", jobs.namespace, "label", "recon", "first", f"set={jobs.namespace}")
    done = recon("cancel", "-A", "-l", f"set={jobs.namespace}", "--yes")
    assert (done.returncode, done.stdout) == (0, f"{jobs.namespace}/first: cancelled\n")


def test_changed_and_created_objects_are_printed_in_kubectl_formats(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    assert recon("suspend", "--all", "-o", "name").stdout == "reconstructionjob.reconstruction.dev/first\n"
    assert json.loads(recon("resume", "first", "-o", "json").stdout)["spec"]["suspend"] is False
    cancelled = yaml.safe_load(recon("cancel", "first", "--yes", "-o", "yaml").stdout)
    assert (cancelled["kind"], cancelled["status"]["phase"]) == ("ReconstructionJob", "Cancelled")
    assert recon("retry", "first", "-o", "name").stdout == "reconstructionjob.reconstruction.dev/first-2\n"


def test_an_interrupt_at_the_prompt_withdraws_the_request(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    code, _ = recon.on_terminal("cancel", "first", answers={"Cancel first?": "\x04"})  # the end of the input
    assert code != 0
    assert spec(jobs, "first") == (False, False)


def test_without_a_terminal_cancel_fails_without_a_change(jobs: Jobs, recon: Program, held: str) -> None:
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


def test_a_reason_is_stored_with_the_request_and_removed_with_it(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    assert recon("cancel", "first", "--request", "--reason", "wrong photos").returncode == 0
    assert jobs.get("first")["spec"]["cancelReason"] == "wrong photos"
    assert recon("cancel", "first", "--withdraw").returncode == 0
    assert "cancelReason" not in jobs.get("first")["spec"]
    assert recon("cancel", "first", "--yes", "--reason", "wrong photos").stdout == "first: cancelled\n"
    cancelled = condition(jobs.get("first"), "Cancelled")
    assert cancelled["message"].endswith("Reason: wrong photos")


def test_a_job_is_suspended_and_resumed(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    assert recon("suspend", "first").stdout == "first: suspended\n"
    jobs.wait_phase("first", "Suspended")
    assert recon("suspend", "first").stderr == "first: already suspended\n"
    assert recon("resume", "--all").stdout == "first: resumed\n"
    jobs.wait_phase("first", "Queued")


@pytest.mark.parametrize("options", [[], ["--name", "other"]], ids=["next-name", "own-name"])
def test_retry_creates_a_new_job_from_a_finished_one(jobs: Jobs, recon: Program, options: list[str]) -> None:
    jobs.create_in("Failed", "banana", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    done = recon("retry", "@latest", "--param", "faces=5000", *options)
    name = options[-1] if options else "banana-2"
    assert done.stdout == f"{name}: created from banana\n"
    job = jobs.get(name)
    assert job["metadata"]["annotations"]["reconstruction.dev/retry-of"] == "banana"
    assert job["spec"]["input"] == {"uri": "file:///nowhere"}
    assert job["spec"]["parameters"] == {"faces": 5000}


@pytest.mark.parametrize(
    ("options", "parameters", "changes"),
    [
        pytest.param(
            ["--quality", "fast"],
            {"quality": "fast", "markerSize": 0.1, "obj": True},
            ["parameters.quality: preview -> fast"],
            id="a quality",
        ),
        pytest.param(
            ["--param", "textureSize=512", "--param", "obj=null"],
            {"quality": "preview", "markerSize": 0.1, "textureSize": 512},
            ["parameters.obj: true -> not set", "parameters.textureSize: not set -> 512"],
            id="a parameter, and null",
        ),
        pytest.param(
            ["--model", "placeholder"],
            None,
            [
                "modelType: photogrammetry -> placeholder",
                "parameters.markerSize: 0.1 -> not set",
                "parameters.obj: true -> not set",
                "parameters.quality: preview -> not set",
            ],
            id="another model has other parameters",
        ),
        pytest.param(
            ["--deadline", "1h30m", "--queue-deadline", "none", "--queue", "rough"],
            {"quality": "preview", "markerSize": 0.1, "obj": True},
            [
                "activeDeadlineSeconds: not set -> 5400",
                "queue: celery -> rough",
                "queueDeadlineSeconds: 600 -> not set",
            ],
            id="deadlines and a queue",
        ),
    ],
)
def test_retry_keeps_the_spec_and_prints_what_it_changes(
    jobs: Jobs, recon: Program, options: list[str], parameters: dict[str, Any] | None, changes: list[str]
) -> None:
    given = {"quality": "preview", "markerSize": 0.1, "obj": True}
    nowhere = {"input": {"uri": "file:///nowhere"}, "queueDeadlineSeconds": 600}
    jobs.create_in("Failed", "banana", modelType="photogrammetry", parameters=given, **nowhere)

    done = recon("retry", "banana", *options)

    assert (done.returncode, done.stdout) == (0, "banana-2: created from banana\n"), done.stderr
    assert jobs.get("banana-2")["spec"].get("parameters") == parameters
    assert [line.strip() for line in done.stderr.splitlines()] == changes


def test_retry_keeps_what_was_written_in_the_editor_if_it_is_refused(jobs: Jobs, recon: Program) -> None:
    jobs.create_in("Succeeded", "banana")

    def edit(editor: str) -> CompletedProcess[str]:
        return replace(recon, environment={"KUBE_EDITOR": editor})("retry", "banana", "--edit")

    refused = edit("sed -i 's/priority: normal/priority: soon/'")
    assert (refused.returncode, "spec.priority" in refused.stderr) == (1, True), refused.stderr
    kept = Path(refused.stderr.rpartition("(your text is in ")[2].strip().removesuffix(")"))
    assert "priority: soon" in kept.read_text()
    kept.unlink()
    empty = edit("truncate -s 0")
    assert (empty.returncode, empty.stderr) == (2, "error: the file is empty, so no job was created\n")
    renamed = edit("sed -i 's/name: banana-2/name: vase/'")
    assert renamed.stdout == "vase: created from banana\n", renamed.stderr
    names = jobs.kubectl("get", "recon", "-o", "name").split()
    assert sorted(name.partition("/")[2] for name in names) == ["banana", "vase"]


def test_retry_of_a_job_that_should_take_over_a_result_runs_it(jobs: Jobs, recon: Program) -> None:
    jobs.create_in("Failed", "banana", reuse="Required")
    assert recon("retry", "banana", "--follow").returncode == 0
    assert jobs.get("banana-2")["status"]["phase"] == "Succeeded"
    wait_published(jobs.system, "placeholder")
    refused = recon("retry", "banana", "--model", "nonexist")
    assert (refused.returncode, "has model nonexist" in refused.stderr) == (2, True), refused.stderr


def test_retry_of_an_unfinished_job_is_rejected(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "first", queue=held)
    done = recon("retry", "first")
    assert (done.returncode, done.stderr) == (2, "error: first is not finished (Queued): it needs no retry\n")
