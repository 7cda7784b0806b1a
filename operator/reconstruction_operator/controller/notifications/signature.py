"""Signature: HMAC-SHA256 over id, time and body of an event, in the form of Standard Webhooks.

A key is a file: the operator needs no right to read Secrets, and a changed key counts from the next event on. Each
namespace with an address of its own has its own key, so that no tenant can sign events for another one's receiver.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Final

OTHERS: Final = "OTHERS"
"""Name of the key for the address of all other namespaces; no namespace has capital letters."""
_PREFIX: Final = "whsec_"
_MAX_KEY_BYTES: Final = 4_096
_LEAST_BYTES: Final = 16


class KeyFileError(Exception):
    """The key of a receiver cannot be read."""


def load_key(folder: Path, name: str) -> bytes:
    """Return the key in the file of that name: base64, with or without `whsec_` before it. Raises KeyFileError."""
    try:
        with (folder / name).open("rb") as file:
            text = file.read(_MAX_KEY_BYTES).decode("ascii").strip()
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except OSError as error:
        raise KeyFileError(f"the key {name} cannot be read: {error.strerror}") from None
    except (UnicodeError, binascii.Error):
        raise KeyFileError(f"the key {name} is not base64") from None
    if len(key) < _LEAST_BYTES:
        raise KeyFileError(f"the key {name} has {len(key)} bytes, and needs at least {_LEAST_BYTES}")
    return key


def signed(key: bytes, event_id: str, at: int, body: bytes) -> Mapping[str, str]:
    """Return the headers that sign an event sent at that time, in seconds since 1970."""
    content = f"{event_id}.{at}.".encode() + body
    digest = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": event_id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{digest}"}
