"""Explanation of a job, by the rules of `kubectl recon why`, from what its user may read."""

from __future__ import annotations

import json
from typing import Any

from kubectl_recon.diagnosis import rules
from kubectl_recon.diagnosis.facts import Facts
from kubectl_recon.jobs.job import Job as Explained
from kubectl_recon.jobs.job import JobEvent
from reconstruction_operator.contract.installation import NOT_PUBLISHED, Installation
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError

from reconstruction_gallery.kube.health import Health
from reconstruction_gallery.kube.jobs import Job
from reconstruction_gallery.kube.users import BoundTokenError, User


async def answer(api: Api, health: Health, user: User, job: Job, *, may_change: bool) -> dict[str, Any]:
    """Return the answer of `kubectl recon why -o json`. `may_change`: whether the user may change the job.

    Raises ApiError if the API server does not respond.
    """
    explained = Explained(json.loads(job.detail))
    events, refused = await _events(api, user, job)
    options = f"--namespace {job.key.namespace}"
    installation = _managing(health, explained.lease)
    facts = Facts(explained, api.now(), installation, events, refused, may_change, options)
    return {**rules.answer(facts).document(facts), "mayChange": may_change}


def _managing(health: Health, lease: str) -> Installation:
    """Return the installation that manages the job, or else one that could."""
    managing = (one for one in health.installations if one.info.lease == lease)
    return next(managing, next(iter(health.installations), Installation(missing=NOT_PUBLISHED)))


async def _events(api: Api, user: User, job: Job) -> tuple[list[JobEvent], str]:
    """Return the job's Events that the user may read, the oldest first, and why they are missing."""
    params = {"fieldSelector": f"involvedObject.uid={job.key.uid}", "limit": "500"}
    path = paths.core(job.key.namespace, "events")
    try:
        found = await api.request("GET", path, params=params, as_user=user.request_headers)
    except (ApiError, BoundTokenError) as error:
        return [], str(error)
    bodies = sorted(found.get("items") or (), key=lambda body: str(body.get("lastTimestamp") or body.get("eventTime")))
    return list(map(JobEvent.of, bodies)), ""
