"""Reconcile loops: the real reconciler, with substitutes for the parts that use Redis and the API server."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.loop.reconciler import Reconciler
from reconstruction_operator.controller.redis_view.catalogue import Catalogue

from tests.support.plans import TIMING

INSTALLATION: Final = Installation("install")


def make_reconciler(
    admission: Admission,
    *,
    observer: Any,
    actor: Any,
    writer: Any,
    monotonic: Callable[[], float],
    installation: Installation = INSTALLATION,
    **view: Any,
) -> Reconciler:
    """Return the loop of a leader with fence 1. `view` has more parts of the Redis view."""
    cache = admission.cache
    parts: Any = SimpleNamespace(**({"observer": observer, "queues": admission.queues} | view))
    election: Any = SimpleNamespace(fence=1)
    parts.catalogue = getattr(parts, "catalogue", None) or Catalogue()
    orphans = Orphans(observer, actor, installation, timing=TIMING)
    return Reconciler(
        cache,
        parts,
        election,
        actor,
        writer,
        admission,
        orphans,
        timing=TIMING,
        batch_seconds=0.0,
        installation=installation,
        preflight=Preflight(cache, parts, election, "install", after_seconds=2.0, monotonic=monotonic),
        monotonic=monotonic,
    )
