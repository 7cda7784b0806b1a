"""Keys: the names of all keys and channels of the job state (DB 1). Only this module formats them."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconstruction_operator import config
from reconstruction_operator.api.identity import check_job_id

_MAX_NAME_CHARS = 256  # of task ids, node names and install ids: far above what Celery and Kubernetes make


def _name(kind: str, value: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME_CHARS or not value.isprintable():
        raise ValueError(f"{kind} {value!r:.140} is not 1 to {_MAX_NAME_CHARS} printable characters")
    return value


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names under one prefix. Each method raises ValueError for an id that must not become a key."""

    prefix: str = field(default_factory=lambda: config.settings.REDIS_KEY_PREFIX)

    def _of_job(self, kind: str, job_id: str) -> str:
        return f"{self.prefix}{kind}:{check_job_id(job_id)}"

    def job(self, job_id: str) -> str:
        """What is known of a job: hash with its record, and claim, stop and end of the wanted attempt
        (`contract.records`), no TTL.
        """
        return self._of_job("job", job_id)

    def task(self, task_id: str) -> str:
        """The same of a bare task, which has no record: hash, for some days."""
        return f"{self.prefix}task:{_name('task id', task_id)}"

    def alive(self, of: str) -> str:
        """Heartbeat of a job, or of a bare task: the token of the run that has claimed it, for a few seconds."""
        return f"{self.prefix}alive:{_name('task id', of)}"

    def cancel_request(self, job_id: str) -> str:
        """Step one of a cancel: "pending", 3600 s."""
        return self._of_job("cancel_request", job_id)

    def cancel(self, job_id: str) -> str:
        """Step two of a cancel: "1", 3600 s."""
        return self._of_job("cancel", job_id)

    def parts(self, job_id: str) -> str:
        """Who makes which part of the stage that a run and its helpers make now, and the helpers' heartbeats: hash,
        only while a run is helped (`state/lua/take_part.lua`).
        """
        return self._of_job("parts", job_id)

    def records(self, install_id: str) -> str:
        """Set of the job ids that have a record of this install."""
        return f"{self.prefix}records:{_name('install id', install_id)}"

    def folders(self, install_id: str) -> str:
        """Job folders that workers report at their start, every hour and in a new epoch: hash, job id to JSON with the
        fields of a record.
        """
        return f"{self.prefix}folders:{_name('install id', install_id)}"

    def held(self, install_id: str) -> str:
        """Orphans whose clean-up the brake holds: hash, job id to kind and namespace (`records/team-a`)."""
        return f"{self.prefix}held:{_name('install id', install_id)}"

    def released(self, install_id: str) -> str:
        """Those of them that an administrator has released: the same hash, until all of them are cleaned up."""
        return f"{self.prefix}released:{_name('install id', install_id)}"

    def fence(self, install_id: str) -> str:
        """The highest transition count of the Lease that was seen: digits."""
        return f"{self.prefix}fence:{_name('install id', install_id)}"

    def worker(self, node: str) -> str:
        """Registration of a live worker: JSON."""
        return f"{self.prefix}worker:{_name('node', node)}"

    def draining(self, node: str) -> str:
        """When a worker that shuts down gives up its attempts, and the id of its process: hash."""
        return f"{self.prefix}draining:{_name('node', node)}"

    def workers(self) -> str:
        """Sorted set of nodes by the time at which their registration expires (Unix ms)."""
        return f"{self.prefix}workers"

    def models(self, digest: str) -> str:
        """The models of one or more workers (`contract.announcement`): JSON, for some minutes."""
        return f"{self.prefix}models:{_name('digest', digest)}"

    def checks(self, pool: str) -> str:
        """Requests for preflights by a worker of that pool (`contract.preflight.CheckRequest`): list of JSON, for some
        minutes.
        """
        return f"{self.prefix}checks:{_name('pool', pool)}"

    def checked(self, install_id: str) -> str:
        """Results of preflights (`contract.preflight.Checked`): hash, job id to JSON, for some minutes."""
        return f"{self.prefix}checked:{_name('install id', install_id)}"

    def epoch(self) -> str:
        """The sentinel, a hash.

        Redis has lost no data as long as it exists, names the server's run, and its count of looks never falls.
        """
        return f"{self.prefix}epoch"
