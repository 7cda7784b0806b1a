"""Info of an installation: what its operator publishes for every authenticated user, in a ConfigMap in kube-public.

The ConfigMap has one text of JSON for each installation. It names no tenant, no job, no worker and no address of Redis. A reader ignores
keys that it does not know; `schema` grows when a key changes its meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from reconstruction_operator.api import codec

NAMESPACE: Final = "kube-public"
NAME: Final = "reconstruction-info"
MAX_BYTES: Final = 65_536  # of one installation's text; the ConfigMap may have a MiB
BEAT_SECONDS: Final = 5.0  # the text is written at least as often


@dataclass(frozen=True, slots=True)
class Workers:
    """Live workers that consume the same queues and have the same models. `models`: each a JSON of `ModelInfo`; empty: unknown."""

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
    # RedisUnreachable, RedisEvicts, RedisNearlyFull, LoopLate, WritesRefused, WritesLate, DeletionsHeld, NamespacesUnreadable
    problems: tuple[str, ...] = ()
    workers: tuple[Workers, ...] = ()
    complete: bool = False  # whether `workers` has all live workers
    beat: datetime | None = None  # when the operator wrote it

    @property
    def key(self) -> str:
        """The key in the ConfigMap's data, also the manager of that field. A namespace has no dot."""
        return self.lease.replace("/", ".")

    def text(self) -> str:
        """Return the JSON. If it would be too long, the workers are left out."""
        text = json.dumps(codec.encode(self), separators=(",", ":"), default=dict)
        return text if len(text) <= MAX_BYTES else replace(self, workers=(), complete=False).text()
