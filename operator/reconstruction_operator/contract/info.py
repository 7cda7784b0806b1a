"""Info of an installation: what its operator publishes for every authenticated user, in a ConfigMap of its own in
kube-public.

The ConfigMap has one text of JSON. It names no tenant, no job, no worker and no address of Redis. Its name contains the
Lease's, so that an operator, which may write only the object of that name, cannot speak for another installation. A
reader ignores keys that it does not know; `schema` grows when a key changes its meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from reconstruction_operator.api import codec

NAMESPACE: Final = "kube-public"
_NAME: Final = "reconstruction-info"
_LABEL: Final = "reconstruction.dev/info"
SELECTOR: Final = f"{_LABEL}=true"
LABELS: Final = {_LABEL: "true"}
MANAGER: Final = "reconstruction-operator"
"""Of the ConfigMap's fields."""
KEY: Final = "info"
"""Of the text in the ConfigMap's data."""
MAX_BYTES: Final = 65_536  # of the text
BEAT_SECONDS: Final = 5.0  # the text is written at least as often


def audience(namespace: str) -> str:
    """Return the audience of tokens for the gallery of the operators in that namespace.

    The API server refuses such a token.
    """
    return f"reconstruction-gallery.{namespace}"


@dataclass(frozen=True, slots=True)
class Workers:
    """Live workers that consume the same queues and have the same models.

    `models`: each a JSON of `ModelInfo`; empty: unknown.
    """

    queues: tuple[str, ...] = ()
    number: int = 0
    models: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class InstallationInfo:
    """The state of an installation. `lease`: namespace/name, which identifies it."""

    schema: int = 1
    version: str = ""
    lease: str = ""
    narrowed: bool = False  # whether it watches only some namespaces
    gallery: str = ""  # a URL, or service/NAME in the Lease's namespace
    schemes: tuple[str, ...] = ()  # kinds of object storage that jobs may name
    pools: tuple[str, ...] = ()  # that the administrator planned, besides those of live workers
    # RedisUnreachable, RedisEvicts, RedisNearlyFull, LoopLate, WritesRefused, WritesLate, DeletionsHeld,
    # NamespacesUnreadable
    problems: tuple[str, ...] = ()
    workers: tuple[Workers, ...] = ()
    complete: bool = False  # whether `workers` has all live workers
    beat: datetime | None = None  # when the operator wrote it

    @property
    def name(self) -> str:
        """The name of the ConfigMap. A namespace has no dot."""
        return f"{_NAME}.{self.lease.replace('/', '.')}"

    def text(self) -> str:
        """Return the JSON. If it would be too long, the workers are left out."""
        text = json.dumps(codec.encode(self), separators=(",", ":"), default=dict)
        return text if len(text) <= MAX_BYTES else replace(self, workers=(), complete=False).text()
