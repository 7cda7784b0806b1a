"""Redis server for as long as a `with` block; faults are injected by methods."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import redis

from devcluster.files import write_private
from devcluster.programs import toolchain
from devcluster.servers.certificates import Authority
from devcluster.servers.server import LOOPBACK, Server

_SOCKET_SECONDS = 5.0
_DATABASES = (0, 1)

_DUMP: Final = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local ttl_ms = redis.call('PTTL', key)  -- 0 in its last millisecond, which would load the key without one
  found[#found + 1] = {key, ttl_ms < 0 and 0 or math.max(1, ttl_ms), redis.call('DUMP', key)}
end
return found
"""

Dump = Sequence[Sequence[tuple[bytes, int, bytes]]]
"""For each database: every key with its TTL in ms (0: none) and its value."""


class Redis(Server):
    """A running Redis. Start it by `with Redis() as server:` or by `start` and `stop`.

    Without `persistent` it writes nothing to the disk, and a kill loses all; with it, a kill loses nothing that was
    acknowledged. `configuration` holds more lines of redis.conf, by name. With `tls` it accepts TLS alone, with a
    certificate of its own authority (`ca`). `users` holds lines of an ACL file, each `user NAME …`.
    """

    name = "redis"

    def __init__(
        self,
        *,
        password: str | None = None,
        persistent: bool = False,
        configuration: Mapping[str, str] | None = None,
        tls: bool = False,
        users: Sequence[str] = (),
    ) -> None:
        self.password = password
        self._tls = tls
        self._users = tuple(users)
        self._persistent = persistent
        self._configuration = dict(configuration or {})

    def url(self, db: int = 0, *, user: str = "", password: str | None = None) -> str:
        """Return the address with the password, of the default user or of one of `users`."""
        secret = self.password if password is None else password
        user_info = f"{quote(user, safe='')}:{quote(secret, safe='')}@" if secret is not None else ""
        scheme, query = ("rediss", f"?ssl_ca_certs={self.ca}") if self._tls else ("redis", "")
        return f"{scheme}://{user_info}{LOOPBACK}:{self.port}/{db}{query}"

    def commands(self) -> int:
        """Return how many commands it has processed since its start, including those that scripts called."""
        with redis.Redis.from_url(self.url()) as client:
            return int(client.info("stats")["total_commands_processed"])

    def start(self) -> None:
        """Start it, after a kill on the same port, and wait until it answers."""
        if self._ends is not None and not self.process.alive:
            self._serve()
        else:
            super().start()

    def flushall(self) -> None:
        """Remove every key of every database."""
        with self._client() as client:
            client.flushall()

    def pause(self) -> None:
        """Pause it: connections stay open, and commands get no answer."""
        self.process.pause()

    def resume(self) -> None:
        """Continue a paused Redis."""
        self.process.resume()

    def kill(self) -> None:
        """Send SIGKILL. `start` brings it back on the same port, with its data only if it is persistent."""
        self.process.kill()

    def restart(self) -> None:
        """End it in order, and start it again on the same port without its data."""
        if self.process.alive:
            self.process.resume()
            self.process.stop()
        shutil.rmtree(self._data, ignore_errors=True)
        self.start()

    def snapshot(self, name: str) -> Path:
        """Copy the current data of a persistent Redis, for `restore`."""
        copy = self.folder / name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._data, copy)  # Redis drops a half-written command when it reads the file
        return copy

    def restore(self, snapshot: Path) -> None:
        """Kill it, and start it again with the data of an earlier `snapshot`."""
        self.kill()
        shutil.rmtree(self._data)
        shutil.copytree(snapshot, self._data)
        self.start()

    def dump(self) -> Dump:
        """Copy the current data, for `load`. Raise redis.RedisError if Redis does not answer."""
        dumped: list[Any] = []
        for number in _DATABASES:
            with self._client(number) as client:
                dumped.append(client.eval(_DUMP, 0))
        return dumped

    def load(self, dump: Dump) -> None:
        """Load an earlier `dump` while it runs, as in a replica that synchronizes with a lagging one."""
        for number, keys in enumerate(dump):
            with self._client(number) as client, client.pipeline(transaction=True) as transaction:
                transaction.flushdb()
                for key, ttl_ms, value in keys:
                    transaction.restore(key, ttl_ms, value)
                transaction.execute()

    def heal(self) -> None:
        """Undo every fault that a failed test may have left. The data stays as it is."""
        if self.process.alive:
            self.process.resume()
        else:
            self.start()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _client(self, db: int = 0) -> redis.Redis:
        return redis.Redis.from_url(
            self.url(db), socket_timeout=_SOCKET_SECONDS, socket_connect_timeout=_SOCKET_SECONDS
        )

    def _command(self) -> Sequence[str | Path]:
        self._data.mkdir(exist_ok=True)
        options = {
            "bind": LOOPBACK,
            "port": str(0 if self._tls else self.port),
            "dir": json.dumps(str(self._data)),
            "save": '""',
            "appendonly": "yes" if self._persistent else "no",
            # A kill -9 loses nothing that was acknowledged: fsync only protects from a power failure.
            "appendfsync": "no",
            # A full Redis rejects writes: it must not evict keys that the protocol relies on.
            "maxmemory-policy": "noeviction",
        }
        if self._users:
            # The default user keeps its password: the file has to name every user.
            default = f"user default on {f'>{self.password}' if self.password else 'nopass'} ~* &* +@all"
            write_private(self.folder / "users.acl", "\n".join((default, *self._users, "")).encode())
            options["aclfile"] = str(self.folder / "users.acl")
        elif self.password is not None:
            options["requirepass"] = json.dumps(self.password)
        options |= self._configuration | (self._tls_options() if self._tls else {})
        # A file, since it has the password, and every user can read a command line.
        file = self.folder / "redis.conf"
        write_private(file, "".join(f"{name} {value}\n" for name, value in options.items()).encode())
        return [toolchain.redis_server_with_tls() if self._tls else toolchain.redis_server(), file]

    def _tls_options(self) -> dict[str, str]:
        """Return the options of TLS with a certificate in the folder. Clients authenticate by a password alone."""
        self.ca = self.folder / "ca.crt"
        if not self.ca.exists():
            Authority(self.folder).issue("redis", user="redis", hosts=(LOOPBACK, "localhost"))
        files = {"tls-cert-file": "redis.crt", "tls-key-file": "redis.key", "tls-ca-cert-file": "ca.crt"}
        options = {name: json.dumps(str(self.folder / file)) for name, file in files.items()}
        return {"tls-port": str(self.port), "tls-auth-clients": "no", **options}

    def _answers(self) -> bool:
        with self._client() as client:
            try:
                # Another server may have taken the port, which ours has not noticed yet.
                pid: object = client.info("server")["process_id"]
            except redis.RedisError:  # it does not listen yet, or still reads its data
                return False
        return pid == self.process.pid
