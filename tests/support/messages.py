"""Messages: as kombu pushes them to the list of a queue."""

from __future__ import annotations

import base64
import uuid
from typing import Any


def make_message(
    body: bytes, content_type: str = "application/json", encoding: str = "utf-8", *, tag: str = "", **headers: Any
) -> dict[str, Any]:
    """Return a message of the task `reconstruction.process`, unless `headers` name another; `tag` is its id and
    delivery tag.
    """
    tag = tag or uuid.uuid4().hex
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": content_type,
        "content-encoding": encoding,
        "headers": {"task": "reconstruction.process", "id": tag} | headers,
        "properties": {
            "delivery_tag": tag,
            "body_encoding": "base64",
            "delivery_info": {"exchange": "celery", "routing_key": "celery"},
        },
    }
