"""History: detects that the API server lost data that this process has seen, as after a restore of etcd."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Final

_log = logging.getLogger(__name__)

# Consecutive older responses: a single one may come from a server that lags, against the API's guarantee
_CONFIRMATIONS: Final = 3


class History:
    """Compares resource versions, which only grow while etcd keeps its data.

    Versions are compared within one kind, because kinds may live in different etcd clusters. `restored` is set when etcd was restored:
    the objects that this process knows may no longer exist.
    """

    def __init__(self) -> None:
        self.restored = asyncio.Event()
        self._older: Counter[str] = Counter()  # consecutive older responses, by kind

    def continues(self, kind: str, version: int, seen: int) -> bool:
        """Whether the version of a consistent response is at least the newest one `seen` before the request.

        Version 0 is unknown, and proves nothing.
        """
        if version == 0 or version >= seen:
            self._older[kind] = 0
            return True
        self._older[kind] += 1
        _log.warning("The API server returned resource version %d of %s after %d", version, kind, seen)
        if self._older[kind] >= _CONFIRMATIONS:
            self.restored.set()
        return False
