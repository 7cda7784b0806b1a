"""The next version of the program, as the other side sees it: messages, manifests and owners' notes have keys of a
later version.

Python imports this file at the start of a process that has this folder in its PYTHONPATH.
"""

import json
from typing import Any

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.manifest import Manifest

LATER = {"laterKey": {"nested": [1, "two", None]}}
_envelope, _manifest, _encode = Envelope.to_json, Manifest.to_text, codec.encode


def _later_envelope(self: Envelope) -> dict[str, Any]:
    return _envelope(self) | LATER


def _later_manifest(self: Manifest) -> str:
    return json.dumps(json.loads(_manifest(self)) | LATER)


def _later_attempt(value: Any) -> dict[str, Any]:
    return _encode(value) | (LATER if isinstance(value, AttemptRef) else {})


Envelope.to_json = _later_envelope  # type: ignore[method-assign]
Manifest.to_text = _later_manifest  # type: ignore[method-assign]
codec.encode = _later_attempt
