"""Sentinel: a process of `redis-server --sentinel` that watches a Redis under the name `meshes`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import redis

from devcluster import Redis
from devcluster.programs import toolchain
from devcluster.servers.server import LOOPBACK, Server

NAME: Final = "meshes"
PASSWORD: Final = "watch"
_DOWN_MS: Final = 1_000  # of silence, until it counts the primary as down


class Sentinel(Server):
    """One sentinel of `primary`, whose replica it promotes if `quorum` sentinels count the primary as down."""

    name = "sentinel"

    def __init__(self, primary: Redis, *, quorum: int = 1) -> None:
        self._primary = primary
        self._quorum = quorum

    def ask(self, *command: str) -> object:
        """Return the reply to a command `SENTINEL …`. Raise redis.RedisError without one."""
        with redis.Redis(port=self.port, password=PASSWORD, decode_responses=True) as client:
            reply: object = client.execute_command("SENTINEL", *command)
        return reply

    def primary_port(self) -> int:
        """Return the port of the Redis that is the primary now."""
        reply = self.ask("GET-MASTER-ADDR-BY-NAME", NAME)
        return int(reply[1]) if isinstance(reply, list) else 0

    def _command(self) -> Sequence[str | Path]:
        watched = self._primary
        options = (
            f"port {self.port}",
            f"bind {LOOPBACK}",
            f"dir {self.folder}",
            f"sentinel monitor {NAME} {LOOPBACK} {watched.port} {self._quorum}",
            f'sentinel auth-pass {NAME} "{watched.password}"',
            f"sentinel down-after-milliseconds {NAME} {_DOWN_MS}",
            f"sentinel failover-timeout {NAME} 10000",
            f"requirepass {PASSWORD}",
            f"sentinel sentinel-pass {PASSWORD}",
        )
        file = self.folder / "sentinel.conf"  # in which it notes what it learns
        file.write_text("".join(f"{line}\n" for line in options))
        return [toolchain.redis_server(), file, "--sentinel"]

    def _answers(self) -> bool:
        try:
            return self.primary_port() != 0
        except redis.RedisError:
            return False
