"""Commands in the pages, run on a system. A placeholder such as NAME is replaced by the name of a job."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from devcluster import commands as processes
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE
from tests.real.docs.conftest import Shell
from tests.support.pages import block, commands, lines, texts

QUESTION = re.compile(r"`(kubectl (?:-n NAMESPACE )?(?:get|auth) [^`]+)`")
QUICK_MODEL = "--model rough-good --queue rough"  # the real one takes a minute


def test_the_readme_cancels_a_job_in_two_steps(jobs: Jobs, shell: Shell) -> None:
    jobs.create_in("Running", "banana", queue="slow")
    shell(block("cancel"))
    assert jobs.wait_finished("banana")["status"]["phase"] == "Cancelled"


def test_the_page_on_cancels_cancels_and_shows_the_client(jobs: Jobs, shell: Shell) -> None:
    jobs.create_in("Running", "lund", queue="slow")
    done = shell(block("cancel-in-two-steps").replace("NAME", "lund"))
    assert done.stdout.endswith("reconstructionjob.reconstruction.dev/lund condition met\n")
    jobs.wait_event("lund", "CancelConfirmed")
    events = shell(block("who-cancelled").replace("NAME", "lund")).stdout
    assert "The cancel is confirmed by kubectl-patch (Update, " in events
    shell(block("cancel-with-a-reason").replace("NAME", jobs.create("vase", suspend=True)))
    assert jobs.get("vase")["spec"]["cancelReason"] == "the photos are of the wrong vase"
    assert "manager: kubectl-patch" in shell(block("managed-fields").replace("NAME", "lund")).stdout


def test_kubectl_shows_a_job_and_waits_for_it(jobs: Jobs, shell: Shell) -> None:
    jobs.create_in("Succeeded", "banana")
    script = block("dashboards-kubectl").replace("NAME", "banana").replace(" --watch", "")  # which never ends
    assert shell(script).stdout.endswith("reconstructionjob.reconstruction.dev/banana condition met\n")
    assert "Succeeded" in shell(block("look-at-a-job").replace("NAME", "banana")).stdout


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(commands("install-by-kubectl"), id="install"),
        pytest.param(commands("restricted-namespace"), id="restrict"),
        pytest.param(commands("redis-secret"), id="secret"),
        pytest.param(commands("remove-everything"), id="remove"),
    ],
)
def test_commands_of_an_administrator_are_accepted(shell: Shell, written: list[list[str]]) -> None:
    """In dry runs: the servers are shared."""
    for command in written:
        shell(f"{shlex.join(command)} --dry-run=server")


def test_argo_cd_gets_the_health_check_of_jobs(jobs: Jobs, shell: Shell) -> None:
    shell("kubectl create namespace argocd && kubectl -n argocd create configmap argocd-cm")
    shell(block("argocd-configmap"))
    output = shell("kubectl -n argocd get configmap argocd-cm -o json && kubectl delete namespace argocd >/dev/null")
    assert any("ReconstructionJob" in key for key in json.loads(output.stdout)["data"])


def test_the_first_look_at_the_demo_shows_its_job_and_runs_the_cancelled_one(jobs: Jobs, shell: Shell) -> None:
    jobs.create_in("Succeeded", "banana")
    jobs.create_in("Running", "placeholder", queue="slow")
    jobs.cancel("placeholder")
    jobs.wait_phase("placeholder", "Cancelled")
    assert shell(block("first-look")).stdout.endswith(
        "reconstructionjob.reconstruction.dev/placeholder condition met\n"
    )
    assert jobs.get("placeholder")["status"]["phase"] == "Succeeded"


def test_a_job_is_suspended_and_resumed(jobs: Jobs, shell: Shell) -> None:
    jobs.create_in("Running", "banana", queue="slow")
    shell(block("suspend-and-resume").replace("NAME", "banana"))
    assert jobs.wait_phase("banana", "Queued", "Running")["spec"]["suspend"] is False


def test_a_user_for_the_gallery_may_create_jobs(jobs: Jobs, shell: Shell) -> None:
    shell(block("gallery-user").replace("default", jobs.namespace))
    me = f"system:serviceaccount:{jobs.namespace}:me"
    assert shell(f"kubectl auth can-i create reconstructionjobs --as {me}").stdout == "yes\n"
    assert shell(block("gallery-token").replace("default", jobs.namespace)).stdout.count(".") == 2


def test_a_backup_is_restored_with_its_status(jobs: Jobs, shell: Shell) -> None:
    before = jobs.get(jobs.create_in("Succeeded", "banana"))
    shell(block("back-up"))
    operator = jobs.system.processes["operator"]
    jobs.delete("banana")
    operator.pause()  # no pods run here that the command could stop
    shell(block("restore-a-backup"))
    operator.resume()
    after = jobs.wait_finished("banana")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["status"]["outputs"] == before["status"]["outputs"]
    assert after["status"]["completionTime"] == before["status"]["completionTime"]


def test_a_job_has_the_uid_of_the_job_whose_result_it_took_over(jobs: Jobs, shell: Shell) -> None:
    uid = jobs.get(jobs.create_in("Succeeded", "banana"))["metadata"]["uid"]
    jobs.delete("banana")
    jobs.wait_gone("banana")
    jobs.create_in("Succeeded", "banana", reuse="Required")
    assert json.loads(shell(block("reused-from")).stdout)["uid"] == uid


def test_the_kubectl_commands_of_the_runbooks_work(jobs: Jobs, shell: Shell) -> None:
    jobs.create_in("Succeeded", "banana")
    runbooks = (text for name, text in texts().items() if name.startswith("docs/runbooks/"))
    asked = {question for text in runbooks for question in QUESTION.findall(text)}
    assert len(asked) > 10
    names = {"NAMESPACE": OPERATOR_NAMESPACE, "lease NAME": f"lease {OPERATOR_ACCOUNT}", "QUEUE": "celery"}
    for question in sorted(asked):
        command = question.replace("…-operator", OPERATOR_ACCOUNT)
        for placeholder, name in names.items():
            command = command.replace(placeholder, name)
        shell(command)


def test_the_plugin_submits_photos_and_downloads_the_result(jobs: Jobs, shell: Shell) -> None:
    upload, manifest, in_the_bucket = lines("plugin-submit")
    shell(f"{upload} {QUICK_MODEL} --output s3://meshes/banana/")
    for line in lines("plugin-results"):
        assert "banana.glb" in shell(f"{line} && find . -name '*.glb'").stdout
    shell(manifest)
    shell("kubectl create -f banana.yaml --dry-run=server")
    shell(f"{in_the_bucket} --queue nowhere --force")
    assert jobs.get("banana-2")["spec"]["parameters"] == {"quality": "fast"}


def test_the_readme_submits_photos_and_explains_a_job(jobs: Jobs, shell: Shell) -> None:
    submit, why = lines("use-the-plugin")
    shell(f"{submit} {QUICK_MODEL}")
    assert "banana: Succeeded" in shell(why).stdout


def test_the_plugin_shows_explains_and_waits_for_jobs(jobs: Jobs, shell: Shell) -> None:
    running, job, every = lines("plugin-wait")
    jobs.create("banana", parameters={"stepSeconds": 600})
    shell(running)
    jobs.delete("banana")
    jobs.wait_gone("banana")
    jobs.create("banana")
    jobs.create("lund")
    jobs.create("typo", queue="gpu-larg")
    shell(job)
    named, labelled, until_ctrl_c = lines("plugin-watch")
    shell("kubectl label recon banana set=museum")
    assert "banana: Succeeded" in shell(f"{named}; {labelled}").stdout
    assert "typo: Pending" in shell(f"{until_ctrl_c.partition('#')[0]} --timeout 1s || test $? = 6").stdout
    assert "typo" in shell(block("plugin-get")).stdout
    assert "No live worker consumes its queue, gpu-larg" in shell(block("plugin-why")).stdout
    jobs.delete("typo")
    shell(every)


def test_the_plugin_retries_suspends_and_resumes(jobs: Jobs, shell: Shell) -> None:
    jobs.create_in("Succeeded", "banana", modelType="rough-good", queue="rough")
    jobs.system.processes["rough"].pause()  # so that the next job waits
    retry, longer, suspend, resume = lines("plugin-retry")
    shell(retry)
    assert jobs.get("banana-2")["spec"]["parameters"] == {"quality": "fast"}
    shell(f"{longer.partition('#')[0]}; {suspend}")
    assert jobs.get("banana-2")["spec"]["suspend"] is True
    jobs.wait_phase("banana-2", "Suspended")
    shell(resume)
    assert jobs.get("banana-2")["spec"].get("suspend", False) is False
    assert jobs.get("banana-3")["spec"]["modelType"] == "rough-good"
    jobs.system.processes["rough"].resume()


def test_the_example_of_a_model_is_installed_and_runs(jobs: Jobs, shell: Shell, home: Path) -> None:
    install, *serve = lines("install-a-model")
    shell(f"{install} --quiet --no-build-isolation --no-index")  # all that it needs is here
    assert serve == ["PYTHONPATH=packages celery -A reconstruction_operator.celery_app worker"]
    jobs.system.start_worker("relief", WORKER_POOLS="relief", PYTHONPATH=str(home / "packages"))
    jobs.create("banana", modelType="relief", queue="relief", parameters={"points": 20})
    status = jobs.wait_finished("banana")["status"]
    assert (status["phase"], status["quality"]) == ("Succeeded", {"faces": "722"}), status
    output = Path(status["outputs"]["uri"].removeprefix("file://"))
    assert (output / "model.glb").read_bytes()[:4] == b"glTF"
    jobs.create("typo", modelType="relief", queue="relief", parameters={"points": 1})
    assert "points" in jobs.wait_phase("typo", "Failed")["status"]["failure"]["message"]


def test_the_example_of_a_model_runs_without_a_cluster(shell: Shell, home: Path) -> None:
    install, run = lines("run-a-model")
    shell(f"{install} --quiet --target packages --no-build-isolation --no-index")  # not beside this test's packages
    done = shell(f"PYTHONPATH={home}/packages KUBECONFIG=/none {run}")
    assert "relief-of-a-banana/model.glb" in done.stdout
    assert (home / "relief-of-a-banana" / "model.glb").read_bytes()[:4] == b"glTF"


def test_a_program_starts_follows_and_cancels_tasks(jobs: Jobs, home: Path) -> None:
    def run(program: str, **names: str) -> str:
        for written, used in names.items():
            program = program.replace(written.replace("_", "-"), used)
        return processes.run([sys.executable, "-c", program], environment=environment, folder=home).stdout.strip()

    environment = jobs.system.environment()
    first, second = (f"{jobs.namespace}-{number}" for number in "12")
    addresses = {"redis://localhost:6379/0": environment["CELERY_BROKER_URL"]}
    started = run(block("python-start"), vase_1=first, photogrammetry="placeholder")
    sent = run(block("python-send"), vase_2=second, **addresses)
    assert run(block("python-cancel"), vase_2=second) == "True"
    assert "SUCCESS {'status': 'completed'" in (told := run(block("python-progress"), TASK=started))
    assert (Path(ast.literal_eval(told.partition("SUCCESS ")[2])["output_path"]) / "model.glb").is_file()
    assert run(block("python-progress"), TASK=sent).splitlines()[-1].startswith("REVOKED")
    assert not (jobs.system.jobs_dir / second).exists()
