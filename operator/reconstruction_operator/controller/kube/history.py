"""History: whether the API server still has the data that this process has seen. A restored etcd backup does not."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Final

_log = logging.getLogger(__name__)

# Consecutive older answers: a single one may come from a server that lags, against the API's promise
_CONFIRMATIONS: Final = 3


class History:
    """Compares resource versions, which only grow while etcd keeps its data. Each kind is compared with itself: kinds may
    have separate etcds.

    `restored` is set when etcd was restored: everything that this process knows may be of objects that no longer exist.
    """

    def __init__(self) -> None:
        self.restored = asyncio.Event()
        self._older: Counter[str] = Counter()  # consecutive older answers, by kind

    def continues(self, kind: str, version: int, seen: int) -> bool:
        """Whether the version of a consistent answer is at least the newest that was `seen` before the request.

        A version of 0 is unknown, and no evidence.
        """
        if version == 0 or version >= seen:
            self._older[kind] = 0
            return True
        self._older[kind] += 1
        _log.warning("The API server answered resource version %d of %s after %d", version, kind, seen)
        if self._older[kind] >= _CONFIRMATIONS:
            self.restored.set()
        return False
