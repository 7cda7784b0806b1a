"""Load: users who keep many jobs unfinished, cancel, suspend and delete some, and clean up.

They call the API server directly and retry without limit. The invariants are checked against their actions and the
times at which the API server acknowledged them.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from chaos import clock
from chaos.system import scenarios
from chaos.system.scene import BUCKET, NAMESPACES, Scene
from chaos.witnesses.watcher import Watcher
from devcluster.errors import ApiError
from devcluster.harness.jobs import is_true
from devcluster.harness.manifests import manifest
from devcluster.harness.system import GROUP

_LOOK_SECONDS = 0.1
_USERS = 6  # parallel requests, because responses are slow on a busy machine
_GONE = {403, 404, 422}  # too late: the object or its namespace is deleted, or a rule rejects the change


@dataclass(slots=True)
class UserJob:
    """One job and its user's actions. Times are of the API server's acknowledgement; None: it did not happen."""

    uid: str
    namespace: str
    name: str
    scenario: str
    backoff_limit: int
    created_at: float
    actions: list[tuple[float, str]] = field(default_factory=list)  # (due at, action), in order
    requested_at: float | None = None
    withdrawn_at: float | None = None
    confirmed_at: float | None = None
    ended_when_confirmed: bool = False  # the response to the confirmation showed a finished job
    deleted_at: float | None = None
    ttl_seconds: int | None = None  # ttlSecondsAfterFinished
    output_uri: str = ""  # spec.output.uri; empty: no copy

    @property
    def path(self) -> str:
        """The path of the object in the API."""
        return f"{GROUP}/namespaces/{self.namespace}/reconstructionjobs/{self.name}"


class Load:
    """Keeps `target` jobs unfinished, in a thread, until `stop`.

    The seed and n decide what the user of the n-th job does.
    """

    def __init__(
        self, scene: Scene, watcher: Watcher, *, target: int, seed: int, long_seconds: tuple[float, float]
    ) -> None:
        self._scene = scene
        self._watcher = watcher
        self.target = target
        self._seed = seed
        self._long_seconds = long_seconds
        self._number = 0
        self._creating = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="users", daemon=True)
        self._busy = threading.Lock()  # held while users act
        self._lock = threading.Lock()  # guards _jobs
        self._jobs: dict[str, UserJob] = {}
        self.defect: BaseException | None = None

    @property
    def jobs(self) -> list[UserJob]:
        """All jobs created so far, deleted ones included."""
        with self._lock:
            return list(self._jobs.values())

    @property
    def under_way(self) -> list[UserJob]:
        """Jobs that exist and have not ended."""
        return [job for job in self.jobs if not self._is_over(job)]

    @property
    def is_idle(self) -> bool:
        """Whether no action is planned for an unfinished job."""
        return not any(job.actions for job in self.jobs if not self._is_over(job))

    def start(self) -> None:
        """Start the users."""
        self._creating.set()
        self._thread.start()

    def finish(self) -> None:
        """Create no more jobs; users still perform their planned actions."""
        self._creating.clear()

    def stop(self) -> None:
        """End the users' thread."""
        self._ending.set()
        self._thread.join(timeout=60)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Pause all users within the `with` block, between two actions."""
        with self._busy:
            yield

    def burst(self, namespace: str, count: int) -> None:
        """Create `count` jobs of high priority in the namespace at once."""
        with self._busy:
            for _ in range(count):
                self._create(self._next_number(), namespace, priority="high")

    def runs_in(self, namespace: str) -> bool:
        """Return whether a worker runs a job of the namespace."""
        histories = [self._watcher.of(job.uid) for job in self.jobs if job.namespace == namespace]
        return any(
            history.newest is not None and history.newest.phase == "Running"
            for history in histories
            if history is not None
        )

    def delete(self, jobs: list[UserJob]) -> None:
        """Make deletion the users' next action on these jobs."""
        with self._lock:
            for job in jobs:
                job.actions = [(clock.now(), "delete")]

    def mark_deleted(self, namespace: str | None = None) -> None:
        """Record that a fault deleted all jobs, or those of a namespace."""
        now = clock.now()
        for job in self.jobs:
            if (namespace is None or job.namespace == namespace) and job.deleted_at is None:
                job.deleted_at, job.actions = now, []

    def _is_over(self, job: UserJob) -> bool:
        history = self._watcher.of(job.uid)
        return job.deleted_at is not None or (history is not None and (history.finished or history.gone_at is not None))

    # -- the thread

    def _work(self) -> None:
        try:
            with ThreadPoolExecutor(_USERS, thread_name_prefix="user") as users:
                while not self._ending.is_set():
                    with self._busy:
                        missing = self.target - len(self.under_way) if self._creating.is_set() else 0
                        list(users.map(self._create, [self._next_number() for _ in range(missing)]))
                        list(users.map(self._act, [job for job in self.jobs if self._has_plans(job)]))
                    self._ending.wait(_LOOK_SECONDS)
        except BaseException as error:
            self.defect = error  # without users, every check of a run would pass
            raise

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _create(self, number: int, namespace: str | None = None, priority: str | None = None) -> None:
        chance = random.Random(f"{self._seed}/job/{number}")  # noqa: S311 -- reproducible on purpose
        namespace = namespace or chance.choice(NAMESPACES)
        name = f"job-{number:05}"
        scenario = scenarios.draw(chance)
        places = [f"{root}/{namespace}/{name}" for root in (f"file://{self._scene.delivered}", f"s3://{BUCKET}")]
        spec = scenarios.spec(
            scenario, photos=self._scene.photos, output_uris=places, long_seconds=self._long_seconds, chance=chance
        )
        spec |= {"priority": priority} if priority else {}
        path = f"{GROUP}/namespaces/{namespace}/reconstructionjobs"
        created = self._patiently("POST", path, manifest(name, **spec))
        if created is None:
            return
        now = clock.now()
        job = UserJob(
            uid=created["metadata"]["uid"],
            namespace=namespace,
            name=name,
            scenario=scenario,
            backoff_limit=spec["backoffLimit"],
            created_at=now,
            ttl_seconds=spec.get("ttlSecondsAfterFinished"),
            output_uri=spec.get("output", {}).get("uri", ""),
            actions=[(now + delay, verb) for delay, verb in scenarios.actions(scenario, chance)],
        )
        with self._lock:
            self._jobs[job.uid] = job

    def _has_plans(self, job: UserJob) -> bool:
        """Return whether an action of the job's user is due."""
        if job.deleted_at is not None:
            return False
        history = self._watcher.of(job.uid)
        if not job.actions and history is not None and history.finished and history.newest is not None:
            # Two thirds of the users soon delete finished jobs; the other objects remain.
            keep = random.Random(job.uid).uniform(2.0, 15.0)  # noqa: S311 -- no secret
            if keep < 10.0 and clock.now() - history.newest.at > keep:  # noqa: PLR2004
                job.actions = [(clock.now(), "delete")]
        return bool(job.actions) and job.actions[0][0] <= clock.now()

    def _act(self, job: UserJob) -> None:
        while job.actions and job.actions[0][0] <= clock.now() and not self._ending.is_set():
            self._do(job, job.actions.pop(0)[1])

    def _do(self, job: UserJob, verb: str) -> None:
        if verb == "delete":
            self._patiently("DELETE", job.path, None)
            job.deleted_at = clock.now()
            job.actions = []
            return
        changed = self._patiently("PATCH", job.path, {"spec": scenarios.CHANGES[verb]})
        if changed is None or changed["metadata"]["uid"] != job.uid:
            job.actions = []
            return
        now = clock.now()
        if verb == "request":
            job.requested_at = now
        elif verb == "withdraw":
            job.withdrawn_at = now
        elif verb == "confirm":
            job.confirmed_at = now
            job.ended_when_confirmed = is_true(changed, "Finished")

    def _patiently(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any] | None:
        """Send a request, with retries, and return the response; None if the object does not exist."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        while not self._ending.is_set():
            try:
                response: dict[str, Any] = self._scene.cluster.api.request(method, path, body, content_type=kind)
            except ApiError as refusal:
                if method == "POST" and refusal.status == HTTPStatus.CONFLICT and body is not None:
                    # An earlier try succeeded, but its response was lost.
                    method, path, body = "GET", f"{path}/{body['metadata']['name']}", None
                    continue
                if refusal.status in _GONE:
                    return None
            except OSError:
                pass
            else:
                return response
            self._ending.wait(0.3)
        return None
