"""Network: opens and closes all proxies, on one event loop in a thread."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

from chaos.system.proxies.api import ApiProxy
from chaos.system.proxies.tcp import TcpProxy

_START_SECONDS = 30.0

T = TypeVar("T")
P = TypeVar("P", TcpProxy, ApiProxy)


class Network:
    """All proxies of a run, as a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._proxies: list[TcpProxy | ApiProxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies:
            self._call(proxy.close())
        self._call(_finish_the_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_START_SECONDS)
        self._loop.close()

    def tcp(self, port: int) -> TcpProxy:
        """Open a proxy to that port on loopback."""
        return self._opened(TcpProxy(self._loop, port))

    def api(self, url: str, ca: Path, chance: random.Random) -> ApiProxy:
        """Open a proxy to that API server."""
        return self._opened(ApiProxy(self._loop, url, ca, chance))

    def _opened(self, proxy: P) -> P:
        self._call(proxy.open())
        self._proxies.append(proxy)
        return proxy

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_SECONDS)


async def _finish_the_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
