"""Installation under test: two operators, three workers, a broker, a Redis, job folders, and users.

It offers every move, right or wrong; `machine` chooses, `promises` checks. Each operator acts on its last observation,
however old. The operators decide by the real plan and sweep by the real sweeper, and the workers run the real task.
"""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import redis
from reconstruction_operator import config
from reconstruction_operator.jobfiles import folder_deletion, inventory, notes, publishing
from reconstruction_operator.services import file_handler, job_manager
from reconstruction_operator.state import calls, worker_calls

from tests.real.protocol.operators import Operators
from tests.real.protocol.world import Message, Object, Run, Worker

WORKERS: Final = ("worker-1", "worker-2", "worker-3")
TRIES: Final = 4  # of a message whose job has no record


class Installation(Operators):
    """Has these jobs."""

    def __init__(self, client: redis.Redis, jobs: Sequence[str]) -> None:
        super().__init__(client, jobs)
        self.workers = {node: Worker() for node in WORKERS}
        self.root = Path(tempfile.mkdtemp(prefix="protocol-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.meshes = Path(tempfile.mkdtemp(prefix="meshes-", dir=self.root.parent))  # where the jobs' outputs go
        # The fixture restores the settings.
        config.use(replace(config.settings, JOBS_DIR=str(self.root), OUTPUT_ROOTS=(str(self.meshes),)))
        self.deliveries = 0
        # What has happened, as far as it decides which results are right.
        self.asked: set[str] = set()  # jobs whose cancel the job manager requested, perhaps after it was confirmed
        self.confirmed: set[str] = (
            set()
        )  # jobs whose cancel the job manager confirmed, perhaps one that a user requested
        self.cleared: set[str] = set()  # jobs whose cancel the job manager cleared, perhaps a confirmed one
        self.vanished: set[str] = set()  # jobs that have lost a folder

    def close(self) -> None:
        """End all runs, and delete all folders."""
        for each in self.runs.values():
            each.fiber.kill()
        self.raw.close()
        for folder in (self.root, self.meshes):
            shutil.rmtree(folder, ignore_errors=True)

    # --- Users

    def wish(self, thing: Object, what: str) -> None:
        """A user's change, as far as the API server accepts it."""
        if thing.over:
            return
        spec = thing.spec
        match what:
            case "a user requests a cancel":
                thing.spec = replace(spec, cancel_requested=True)
            case "a user cancels in two steps":
                thing.spec = replace(spec, cancel_requested=True, cancel_confirmed=True)
            case "a user confirms the cancel":
                thing.spec = replace(spec, cancel_confirmed=spec.cancel_requested)
            case "a user withdraws the request":
                thing.spec = replace(spec, cancel_requested=spec.cancel_confirmed)
            case "a user suspends or resumes":
                thing.spec = replace(spec, suspend=not spec.suspend)
            case "a user deletes":
                self.delete(thing)

    def use_the_job_manager(self, job: str, what: str) -> None:
        """A user calls the job manager."""
        self.state, self.last = None, None
        requested = job_manager.cancel_pending(job)
        confirmed = job_manager.is_job_cancelled(job)
        match what.split()[2]:
            case "requests":
                job_manager.request_cancellation(job)
                self.asked.add(job)
                assert job_manager.cancel_pending(job)
            case "confirms":
                assert job_manager.confirm_cancellation(job) is requested
                assert job_manager.is_job_cancelled(job) is (requested or confirmed)
                assert not job_manager.cancel_pending(job)
                self.confirmed |= {job} if requested else set()
            case "clears":
                job_manager.clear_cancellation(job)
                self.cleared.add(job)
                assert (job_manager.cancel_pending(job), job_manager.is_job_cancelled(job)) == (False, False)

    # --- Workers

    def register(self, node: str, *, at_once: bool = True) -> None:
        """A worker registers, and reports the folders that it found: now, or at its next registration."""
        epoch = calls.run(self.client, worker_calls.register_worker(self.keys, node=node, queues=("celery",)))
        worker = self.workers[node]
        if epoch in ("", worker.reported):
            return
        if worker.inventory is None:
            worker.inventory = (epoch, [owner for _, owner in notes.surveyed() if owner is not None])
        if at_once:
            seen_in, owners = worker.inventory
            inventory.report(self.client, self.keys, owners)
            folder_deletion.finish_deletions()
            worker.reported, worker.inventory = seen_in, None

    def take(self, message: Message, *, fails: bool) -> Run:
        """A worker gets the message, and runs to its first point."""
        self.deliveries += 1
        worker = next(name for name in WORKERS if name not in self.runs)

        def put_back() -> None:
            if message.tries < TRIES:
                self.messages.append(replace(message, tries=message.tries + 1))

        run = Run(
            message,
            token=f"token-{self.deliveries}",
            worker=worker,
            fails=fails,
            output_uri=f"file://{self.meshes / message.job}",
            put_back=put_back,
        )
        self.runs[worker] = run
        self.advance(run, 1)
        return run

    def beat(self, run: Run) -> None:
        """A beat of its other thread, while the run is paused."""
        if run.heartbeat is not None:
            run.heartbeat.poll()
            held = self.now().fields(self.keys.job(run.message.job))
            if held and held.get("token") == run.token:
                self.granted[run.message.part] = run.token  # it may have registered again

    def advance(self, run: Run, points: int) -> None:
        """Run to its next points, or to its end."""
        for _ in range(points):
            self._step(run, run.fiber.resume)
            if run.fiber.over:
                return

    def fail(self, run: Run, fault: OSError) -> None:
        """Its next change of a file fails."""
        self.visited.add(f"{fault.strerror} at {run.fiber.point}")
        self._step(run, lambda: run.fiber.fail(fault))

    def kill(self, run: Run) -> None:
        """Kill its process. Nothing is undone."""
        run.fiber.kill()
        del self.runs[run.ownership.worker]
        self.workers[run.ownership.worker] = Worker()  # the next one of that name begins anew

    def _step(self, run: Run, move: Callable[[], None]) -> None:
        claimed_before = run.heartbeat is not None
        move()
        self.visited.add(run.fiber.point)
        if not claimed_before and run.heartbeat is not None:
            self.begun(run)
        self.moved(run)
        if run.fiber.over:
            del self.runs[run.ownership.worker]

    def begun(self, run: Run) -> None:
        """A run has got its claim."""

    def moved(self, run: Run) -> None:
        """A run has reached its next point."""

    # --- Folders

    def sealed(self, job: str) -> str | None:
        """The token of the run whose output is published, if there is one."""
        manifest = publishing.read_sealed(job)
        return None if manifest is None else (file_handler.output_dir(job) / "model.glb").read_text()

    def delivered(self, job: str) -> str | None:
        """The token of the run whose copy is delivered, if there is one."""
        copy = self.meshes / job
        return (copy / "model.glb").read_text() if copy.exists() else None

    def files_of(self, job: str) -> list[Path]:
        """Files and folders of a job that could be lost."""
        folder = file_handler.job_dir(job)
        output = folder / "output"
        return [
            each for each in (output, output / "model.glb", *sorted(folder.glob("attempts/*")), folder) if each.exists()
        ]

    def lose_file(self, job: str, path: Path) -> None:
        """A file or folder of a job is deleted by hand."""
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        self.vanished.add(job)
        self.visited.add(f"{path.name if path.parent.name == job else path.parent.name} vanished")
