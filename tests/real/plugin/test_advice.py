"""The advice of `why` for jobs that ended: a user follows each of it, and the next job does not end in the same way.

The jobs fail by themselves: no test writes a status. A command is run as it stands. Where the user has to add
something, such as an address, the test does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chaos.system.proxies.network import Network
from chaos.system.proxies.tcp import TcpProxy
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import QUICK_SETTINGS, REPOSITORY, System
from devcluster.servers.storage.s3 import S3
from tests.support.plugin import Program
from tests.support.systems import QUICK, ROUGH, SLOW, SharedSystems, Worker, wait_published

pytestmark = pytest.mark.long

BERLIN = f"file://{REPOSITORY}/tests/data/photos/berlin"
ROUGH_GOOD = {"modelType": "rough-good", "queue": "rough"}
BRIEF = {"stepSeconds": 0.05}


@pytest.fixture(scope="module")
def proxy(s3: S3) -> Iterator[TcpProxy]:
    """Between the workers of pool `store` and the S3 server."""
    with Network() as network:
        yield network.tcp(s3.port)


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("meshes")


@pytest.fixture
def system(start_system: SharedSystems, photos_root: Path, meshes: Path, s3: S3, proxy: TcpProxy) -> System:
    proxy.heal()
    store = Worker(
        "store", concurrency=1, settings={**ROUGH.settings, "WORKER_POOLS": "store", **s3.environment(proxy.port)}
    )
    return start_system(
        QUICK,
        SLOW,
        ROUGH,
        store,
        INPUT_ROOTS=f"{QUICK_SETTINGS['INPUT_ROOTS']},{photos_root}",
        OUTPUT_ROOTS=str(meshes),
        STORAGE_SCHEMES="s3",
        POOL_NAMESPACES="slow=*,locked=other",
        NAMESPACE_MAX_HIGH="*=0",
        NAMESPACE_MAX_WAITING="*=2",
    )


@dataclass(frozen=True)
class Follower:
    """A user who follows advice: runs its commands, and adds what it asks for."""

    jobs: Jobs
    recon: Program

    def advice(self, name: str) -> list[str]:
        """Return the actions that `why` names for a job."""
        return list(json.loads(self.recon("why", name, "-o", "json").stdout)["actions"])

    def follow(self, action: str, *added: str, editor: str = "false") -> dict[str, Any]:
        """Run the command at the end of an action, with options that the user adds; return the new job once it has
        finished.
        """
        command = action.partition(": kubectl recon ")[2] or f"retry {action.split()[4]}"
        words = command.split()
        options = words[: words.index("--namespace")] if "--namespace" in words else words
        recon = replace(self.recon, environment={"KUBE_EDITOR": editor})
        done = recon(*options, *added, "-o", "name")
        assert done.returncode == 0, (action, done.stderr)
        return self.jobs.wait_finished(done.stdout.strip().partition("/")[2])


@pytest.fixture
def user(jobs: Jobs, recon: Program) -> Follower:
    return Follower(jobs, recon)


def failed(jobs: Jobs, reason: str, **spec: Any) -> str:
    """Create a job, and return its name once it has failed with that reason."""
    name = jobs.create(**{"backoffLimit": 0, **spec})
    status = jobs.wait_finished(name)["status"]
    assert status["failure"]["reason"] == reason, status
    return name


def only(actions: list[str], *words: str) -> str:
    """Return the only action with these words."""
    (action,) = [action for action in actions if all(word in action for word in words)]
    return action


def succeeded(job: dict[str, Any]) -> dict[str, Any]:
    assert job["status"]["phase"] == "Succeeded", job["status"]
    return job


def test_wrong_parameters_are_left_out_or_corrected_in_an_editor(jobs: Jobs, user: Follower) -> None:
    wait_published(jobs.system, "stepSeconds")
    name = failed(jobs, "INVALID_PARAMETERS", parameters={"speed": 3, **BRIEF})
    actions = user.advice(name)

    without = succeeded(user.follow(only(actions, "--param")))
    assert without["spec"]["parameters"] == BRIEF
    edited = succeeded(user.follow(only(actions, "--edit"), editor="sed -i '/speed:/d'"))
    assert edited["spec"]["parameters"] == BRIEF


def test_a_wrong_input_address_is_replaced(jobs: Jobs, user: Follower, photos_root: Path) -> None:
    name = failed(jobs, "INPUT_NOT_FOUND", input={"uri": f"file://{photos_root}/nowhere"}, **ROUGH_GOOD)
    actions = user.advice(name)

    succeeded(user.follow(only(actions, "--input"), "--input", BERLIN))
    succeeded(user.follow(only(actions, "--edit"), editor=f"sed -i 's#file:.*nowhere#{BERLIN}#'"))
    uploading = only(actions, "kubectl recon submit")
    assert "--" not in uploading


def test_other_photos_are_submitted(jobs: Jobs, user: Follower, photos_root: Path) -> None:
    folder = photos_root / f"{jobs.namespace}-corrupt"
    shutil.copytree(REPOSITORY / "tests" / "data" / "photos" / "berlin", folder)
    photo = folder / "02.jpg"
    photo.write_bytes(photo.read_bytes()[:5000])
    name = failed(jobs, "CORRUPT_IMAGE", input={"uri": f"file://{folder}"}, **ROUGH_GOOD)
    assert "kubectl recon submit" in user.advice(name)[-1]

    photo.unlink()
    done = user.recon("submit", f"file://{folder}", "--name", "smaller", "--model", "rough-good", "--queue", "rough")
    assert done.returncode == 0, done.stderr


def test_a_refused_output_is_replaced(jobs: Jobs, user: Follower, meshes: Path) -> None:
    occupied, empty = meshes / f"{jobs.namespace}-occupied", meshes / f"{jobs.namespace}-empty"
    occupied.mkdir()
    (occupied / "mine").touch()
    name = failed(jobs, "OUTPUT_REFUSED", output={"uri": f"file://{occupied}"}, parameters=BRIEF)
    actions = user.advice(name)

    succeeded(user.follow(only(actions, "--output"), "--output", f"file://{empty}"))
    assert (empty / "model.glb").exists()
    succeeded(user.follow(only(actions, "--edit"), editor="sed -i '/output:/,+1d'"))


@pytest.mark.release  # over a minute each
@pytest.mark.parametrize("side", ["input", "output"])
def test_a_job_runs_again_once_its_server_responds(
    jobs: Jobs, user: Follower, s3: S3, proxy: TcpProxy, side: str
) -> None:
    bucket = s3.buckets / f"{side}-{jobs.namespace}"
    shutil.copytree(REPOSITORY / "tests" / "data" / "photos" / "berlin", bucket / "set")
    reason = {"input": "INPUT_UNREACHABLE", "output": "OUTPUT_UPLOAD_FAILED"}[side]
    address = {"uri": f"s3://{bucket.name}/{'set' if side == 'input' else 'meshes'}/"}
    proxy.refuse()
    name = failed(jobs, reason, **{**ROUGH_GOOD, "queue": "store", side: address})
    actions = user.advice(name)

    proxy.heal()
    succeeded(user.follow(only(actions, "run it again")))


def test_a_job_without_a_result_to_take_over_runs_instead(jobs: Jobs, user: Follower) -> None:
    name = failed(jobs, "RESULT_NOT_FOUND", reuse="Required", parameters=BRIEF)
    succeeded(user.follow(only(user.advice(name), "from its photos")))


@pytest.mark.release
def test_a_deadline_that_was_too_short_is_raised_or_removed(jobs: Jobs, user: Follower) -> None:
    name = failed(jobs, "TIMEOUT", queue="slow", parameters={"stepSeconds": 1.5}, activeDeadlineSeconds=5)
    actions = user.advice(name)

    assert not any("--quality" in action for action in actions), "the placeholder has no such parameter"
    assert succeeded(user.follow(only(actions, "raise the deadline")))["spec"]["activeDeadlineSeconds"] > 9
    assert "activeDeadlineSeconds" not in succeeded(user.follow(only(actions, "--deadline none")))["spec"]


def test_a_job_that_waited_too_long_waits_longer(jobs: Jobs, user: Follower) -> None:
    jobs.system.processes["rough"].pause()
    name = failed(jobs, "QUEUE_TIMEOUT", queueDeadlineSeconds=1, **ROUGH_GOOD)
    actions = user.advice(name)
    jobs.system.processes["rough"].resume()

    assert "queueDeadlineSeconds" not in succeeded(user.follow(only(actions, "--queue-deadline")))["spec"]


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        pytest.param({}, {"quality": "fast"}, id="the default quality"),
        pytest.param({"quality": "high", "seed": 3}, {"quality": "fast", "seed": 3}, id="other parameters are kept"),
        pytest.param(
            {"quality": "high", "maxImageSize": 4000}, {"quality": "fast", "maxImageSize": 2000}, id="the author's size"
        ),
        pytest.param(
            {"quality": "fast", "maxImageSize": 3000}, {"quality": "preview", "maxImageSize": 1500}, id="less"
        ),
    ],
)
def test_less_work_needs_less_memory(
    jobs: Jobs, user: Follower, parameters: dict[str, Any], options: dict[str, Any]
) -> None:
    wait_published(jobs.system, "rough-detailed")
    name = failed(jobs, "OUT_OF_MEMORY", modelType="rough-detailed", queue="rough", parameters=parameters)

    job = succeeded(user.follow(only(user.advice(name), "reduce the work")))
    assert job["spec"]["parameters"] == options


def test_a_quality_is_advised_only_where_it_reduces_the_work(jobs: Jobs, user: Follower) -> None:
    wait_published(jobs.system, "rough-detailed")
    without = failed(jobs, "OUT_OF_MEMORY", modelType="rough-memory", queue="rough")
    assert not any("--quality" in action for action in user.advice(without))


def test_another_model_or_queue_is_chosen_for_a_model_that_cannot_run(jobs: Jobs, user: Follower) -> None:
    wait_published(jobs.system, "rough-unequipped")
    spec = {"modelType": "rough-unequipped", "queue": "rough", "parameters": {"beams": 2}}
    actions = user.advice(failed(jobs, "BACKEND_UNAVAILABLE", **spec))

    only(actions, "ask an administrator")
    assert "--queue store" in only(actions, "use a queue"), "its worker has the model"
    done = user.recon(*only(actions, "--model").partition("kubectl recon ")[2].split()[:4], "-o", "json")
    assert done.returncode == 0, done.stderr
    created = json.loads(done.stdout)
    assert (created["spec"]["modelType"], "parameters" in created["spec"]) == ("photogrammetry", False)
    jobs.wait_phase(created["metadata"]["name"], "Running")


@pytest.mark.release
def test_a_job_whose_worker_was_lost_runs_again(jobs: Jobs, user: Follower) -> None:
    system = jobs.system
    system.start_worker("doomed", concurrency=1, WORKER_POOLS="doomed", PLACEHOLDER_STEP_SECONDS="2")
    name = jobs.create_in("Running", queue="doomed", backoffLimit=0)
    system.processes["doomed"].kill()
    assert jobs.wait_finished(name)["status"]["failure"]["reason"] == "WORKER_LOST"
    actions = user.advice(name)

    assert not any("--quality" in action for action in actions), "the placeholder has no such parameter"
    system.processes.pop("doomed")
    system.start_worker("doomed", concurrency=1, WORKER_POOLS="doomed", PLACEHOLDER_STEP_SECONDS="0.1")
    succeeded(user.follow(only(actions, "run it again")))


def test_a_refused_priority_is_replaced(jobs: Jobs, user: Follower) -> None:
    name = failed(jobs, "PRIORITY_REFUSED", parameters=BRIEF, priority="high")
    succeeded(user.follow(only(user.advice(name), "--priority normal")))


def test_a_refused_queue_is_replaced(jobs: Jobs, user: Follower) -> None:
    name = failed(jobs, "QUEUE_REFUSED", parameters=BRIEF, queue="locked")
    succeeded(user.follow(only(user.advice(name), "--queue"), "--queue", "celery"))


def test_a_job_runs_once_fewer_jobs_wait(jobs: Jobs, user: Follower) -> None:
    waiting = [jobs.create_in("Pending", queue="unserved") for _ in range(2)]
    name = failed(jobs, "TOO_MANY_WAITING", parameters=BRIEF)
    for other in waiting:
        jobs.delete(other)
        jobs.wait_gone(other)
    succeeded(user.follow(only(user.advice(name), "run it again")))


def test_a_cancelled_job_runs_again(jobs: Jobs, user: Follower) -> None:
    name = jobs.create_in("Running", queue="slow", parameters={"stepSeconds": 0.5})
    jobs.cancel(name)
    jobs.wait_finished(name)
    succeeded(user.follow(only(user.advice(name), "run it again")))


def test_a_simulated_job_is_reconstructed(jobs: Jobs, user: Follower) -> None:
    wait_published(jobs.system, "photogrammetry")
    name = jobs.create_in("Succeeded")
    action = only(user.advice(name), "--model photogrammetry")
    done = user.recon(*action.partition("kubectl recon ")[2].split()[:4], "-o", "name")
    assert done.returncode == 0, done.stderr
    job = jobs.wait_phase(done.stdout.strip().partition("/")[2], "Running")
    assert job["spec"]["modelType"] == "photogrammetry"
