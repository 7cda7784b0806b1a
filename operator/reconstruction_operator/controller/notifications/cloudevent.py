"""CloudEvent: the event of one notification (CloudEvents 1.0, binary mode of HTTP)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconstruction_operator.api.codec import format_time
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.notification import Notification
from reconstruction_operator.kube import paths

_TYPE: Final = "dev.reconstruction.job"


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event. An event that is sent again has the same id."""

    id: str
    headers: Mapping[str, str]
    body: bytes


def cloud_event(key: JobRef, notification: Notification, status: Mapping[str, Any], gallery: str) -> CloudEvent:
    """Return the event of a job's notification. `status` is the job's, as JSON; `gallery` its page's URL, or empty."""
    event_id = f"{key.uid}-{notification.attempt}-{notification.kind}"  # without dots, which the signature uses
    headers = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-source": paths.of(key),
        "ce-type": f"{_TYPE}.{notification.kind.lower()}",
        "ce-subject": f"{key.namespace}/{key.name}",
    }
    if notification.time is not None:
        headers["ce-time"] = format_time(notification.time)
    data = {
        "kind": notification.kind,
        "attempt": notification.attempt,
        "job": {"namespace": key.namespace, "name": key.name, "uid": key.uid},
        **({"gallery": gallery} if gallery else {}),
        "status": {name: value for name, value in status.items() if name != "notifications"},
    }
    return CloudEvent(event_id, headers, json.dumps(data, separators=(",", ":")).encode())


def gallery_page(address: str, key: JobRef) -> str:
    """Return the URL of the job's page in the gallery; empty if the gallery is published without a URL."""
    if not address.startswith(("http://", "https://")):
        return ""
    return f"{address.rstrip('/')}/jobs/{key.namespace}/{key.name}"
