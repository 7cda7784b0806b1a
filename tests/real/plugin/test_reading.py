"""`get`, `watch` and `wait` on real jobs."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from kubectl_recon.commands.waiting import run as wait
from kubectl_recon.display.formats import Format
from kubectl_recon.kube.api import connect
from kubectl_recon.targets.selecting import Selection

from devcluster.harness.jobs import Jobs
from devcluster.waiting import wait_until
from tests.support.plugin import Program


def test_get_shows_jobs_that_need_attention_first(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Succeeded", "good")
    jobs.create_in("Failed", "bad", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    jobs.create_in("Queued", "waiting", queue=held)
    done = recon("get")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["NAME", "PHASE", "DONE", "TIME", "MODEL", "QUEUE", "AGE", "REASON"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["bad", "Failed"],
        ["waiting", "Queued"],
        ["good", "Succeeded,"],
    ]
    assert lines[1].endswith(jobs.get("bad")["status"]["failure"]["message"])
    assert "\x1b" not in done.stdout


def test_get_prints_objects_in_kubectl_formats(jobs: Jobs, recon: Program) -> None:
    jobs.create("first", suspend=True)
    jobs.create("second", suspend=True)
    single = json.loads(recon("get", "first", "-o", "json").stdout)
    assert (single["kind"], single["metadata"]["name"]) == ("ReconstructionJob", "first")
    assert "managedFields" not in single["metadata"]
    every = yaml.safe_load(recon("get", "-o", "yaml").stdout)
    assert (every["kind"], len(every["items"])) == ("List", 2)
    names = recon("get", "-o", "name").stdout.split()
    assert sorted(names) == [f"reconstructionjob.reconstruction.dev/{name}" for name in ("first", "second")]
    assert recon("get", "@latest", "-o", "name").stdout.split() == ["reconstructionjob.reconstruction.dev/second"]


def test_get_of_a_missing_job_fails(jobs: Jobs, recon: Program) -> None:
    done = recon("get", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f'error: there is no job "nowhere" in namespace {jobs.namespace}\n'
    empty = recon("get")
    assert (empty.returncode, empty.stderr) == (0, f"No jobs found in namespace {jobs.namespace}.\n")


def test_the_table_fits_a_terminal_of_80_columns(jobs: Jobs, recon: Program) -> None:
    jobs.create_in(
        "Failed", "a-name-that-is-rather-long-for-a-job", modelType="photogrammetry", input={"uri": "file:///x"}
    )
    code, output = recon.on_terminal("get")
    assert code == 0
    assert "\x1b[31mFailed" in output
    assert "INPUT_REFUSED" in output
    plain = output.replace("\x1b[31m", "").replace("\x1b[33m", "").replace("\x1b[0m", "")
    assert max(len(line.rstrip("\r")) for line in plain.splitlines()) <= 80


def test_the_exit_code_of_wait_is_that_of_the_outcome(jobs: Jobs, recon: Program) -> None:
    jobs.create("good")
    jobs.create("bad", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    good = recon("wait", "good", "--timeout", "60s")
    bad = recon("wait", "bad", "--timeout", "60s")
    assert (good.returncode, good.stdout) == (0, "good: Succeeded, simulated\n")
    assert (bad.returncode, bad.stdout) == (3, "bad: Failed\n")
    both = recon("wait", "--all", "--timeout", "60s")
    assert (both.returncode, sorted(both.stdout.split("\n"))) == (3, ["", "bad: Failed", "good: Succeeded, simulated"])


def test_wait_prints_the_objects_that_reached_the_state(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Succeeded", "good")
    jobs.create("waiting", queue=held)
    done = recon("wait", "good", "waiting", "--for", "succeeded", "--timeout", "5s", "-o", "json")
    assert (done.returncode, done.stderr) == (6, "waiting: not succeeded after 5 s\n")
    printed = json.loads(done.stdout)
    assert (printed["metadata"]["name"], printed["status"]["phase"]) == ("good", "Succeeded")
    named = recon("wait", "good", "-o", "name")
    assert (named.returncode, named.stdout) == (0, "reconstructionjob.reconstruction.dev/good\n")


def test_wait_ends_when_the_job_can_no_longer_reach_the_state(jobs: Jobs, recon: Program) -> None:
    jobs.create("bad", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    done = recon("wait", "bad", "--for", "succeeded", "--timeout", "60s")
    assert (done.returncode, done.stderr) == (3, "bad: Failed, so it will not be succeeded\n")
    assert recon("wait", "bad", "--for", "condition=Failed").returncode == 0
    assert recon("wait", "bad", "--for", "condition=Complete=false").returncode == 0


def test_with_all_namespaces_each_job_is_shown_with_its_namespace(jobs: Jobs, recon: Program) -> None:
    jobs.create("good")
    jobs.system.cluster.kubectl("-n", jobs.namespace, "label", "recon", "good", f"set={jobs.namespace}")
    everywhere = ("-A", "-l", f"set={jobs.namespace}", "--timeout", "60s")
    assert recon("wait", *everywhere).stdout == f"{jobs.namespace}/good: Succeeded, simulated\n"
    assert recon("watch", *everywhere).stdout.splitlines()[-1].startswith(f"{jobs.namespace}/good: Succeeded")


def test_wait_ends_at_a_deletion(jobs: Jobs, recon: Program, held: str) -> None:
    jobs.create_in("Queued", "waiting", queue=held)
    timer = threading.Timer(1.0, jobs.delete, ["waiting"])
    timer.start()
    assert recon("wait", "waiting", "--for", "delete", "--timeout", "60s").returncode == 0
    timer.join()
    done = recon("wait", "waiting", "--for", "delete")  # it no longer exists
    assert (done.returncode, done.stdout) == (0, "waiting: deleted\n")


def test_a_deleted_job_is_printed_in_its_last_known_state(
    jobs: Jobs, recon: Program, held: str, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs.create_in("Queued", "waiting", queue=held)
    connection = connect(kubeconfig=str(recon.kubeconfig), namespace=jobs.namespace)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait, connection, Selection(("waiting",)), "delete", 60, Format.NAME)
        wait_until(
            lambda: any(thread.name.startswith("follow ") for thread in threading.enumerate()), "the watch to begin"
        )
        jobs.delete("waiting")
        assert waiting.result() == 0
    assert capsys.readouterr().out == "reconstructionjob.reconstruction.dev/waiting\n"


@pytest.mark.parametrize(
    ("spec", "code", "last"),
    [
        ({}, 0, "Succeeded, simulated"),
        ({"modelType": "photogrammetry", "input": {"uri": "file:///nowhere"}}, 3, "Failed, took"),
    ],
    ids=["succeeds", "fails"],
)
def test_watch_follows_a_job_until_it_finishes(
    jobs: Jobs, recon: Program, spec: dict[str, object], code: int, last: str
) -> None:
    jobs.create("banana", **spec)
    done = recon("watch", "banana", "--timeout", "60s")
    assert done.returncode == code
    assert done.stdout.splitlines()[-1].startswith(f"banana: {last}")
    assert "\a" not in done.stdout


def test_watch_prints_a_line_of_json_for_each_change(jobs: Jobs, recon: Program) -> None:
    jobs.create("banana", parameters={"stepSeconds": 3})  # it must not end before the watch begins
    done = recon("watch", "banana", "--timeout", "120s", "-o", "json")
    changes = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, changes[0]["type"]) == (0, "ADDED")
    assert {change["type"] for change in changes[1:]} == {"MODIFIED"}
    assert changes[-1]["object"]["status"]["phase"] == "Succeeded"
    assert "managedFields" not in changes[-1]["object"]["metadata"]


def test_watch_draws_bars_on_a_terminal(jobs: Jobs, recon: Program) -> None:
    jobs.create("banana", queue="slow", suspend=True)  # the program must be watching before the first Event
    code, output = recon.on_terminal(
        *("watch", "banana", "--timeout", "80s"),
        answers={
            "Suspended": lambda: jobs.patch("banana", suspend=False),
            "Running reconstruction": lambda: jobs.request_cancel("banana"),
        },
    )
    assert code == 0
    assert "━" in output
    assert "CancelRequested" in output  # an Event
    assert output.endswith("\a")  # the bell


def test_a_viewer_may_read_and_gets_a_clear_error_otherwise(jobs: Jobs, recon: Program) -> None:
    jobs.create_in("Succeeded", "good")
    cluster = jobs.system.cluster
    cluster.api.post(
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{jobs.namespace}/rolebindings",
        {
            "metadata": {"name": "viewer"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "reconstruction-viewer",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": jobs.namespace}],
        },
    )
    cluster.api.post(f"/api/v1/namespaces/{jobs.namespace}/serviceaccounts", {"metadata": {"name": "viewer"}})
    viewer = Program(cluster.service_account_kubeconfig(jobs.namespace, "viewer"), jobs.namespace)
    assert "good" in viewer("get").stdout
    everywhere = viewer("get", "-A")
    assert everywhere.returncode == 1
    assert "cannot list resource" in everywhere.stderr
    refused = viewer("suspend", "good")
    assert refused.stderr == "good: already Succeeded\n"
    elsewhere = viewer("workers", "-n", "default")
    assert (elsewhere.returncode, "The jobs are unknown: " in elsewhere.stderr) == (0, True)
