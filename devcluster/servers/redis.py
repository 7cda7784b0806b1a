"""Redis server for as long as a `with` block; faults are injected by methods."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import redis

from devcluster.errors import DevclusterError
from devcluster.files import write_private
from devcluster.programs import toolchain
from devcluster.servers.arguments import redis_configuration, redis_tls
from devcluster.servers.certificates import Authority
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running, retried_on_taken_port
from devcluster.servers.runs import RunFolder
from devcluster.waiting import wait_until

_READY_SECONDS = 60.0  # ready in 50 ms
_SOCKET_SECONDS = 5.0
_NAME = "redis"
_DATABASES = (0, 1)

_DUMP: Final = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  found[#found + 1] = {key, redis.call('PTTL', key), redis.call('DUMP', key)}
end
return found
"""

Dump = Sequence[Sequence[tuple[bytes, int, bytes]]]
"""For each database: every key with its TTL in ms (0: none) and its value."""


class Redis(Running):
    """A running Redis. Start it by `with Redis() as server:` or by `start` and `stop`.

    Without `persistent` it writes nothing to the disk, and a kill loses all; with it, a kill loses nothing that was
    acknowledged. `configuration` holds more lines of redis.conf, by name. With `tls` it takes nothing else than TLS, with
    a certificate of its own authority (`ca`). `users` holds lines of an ACL file, each `user NAME …`.
    """

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
        self._run: RunFolder | None = None
        self._process: Process | None = None
        self._port = 0
        self._ca: Path | None = None

    # -- what it is

    @property
    def port(self) -> int:
        """Its port on 127.0.0.1; the same after every restart."""
        return self._port

    @property
    def folder(self) -> Path:
        """Where its files and its log lie until it is stopped."""
        if self._run is None:
            raise DevclusterError("this Redis has not been started")
        return self._run.folder

    @property
    def pids(self) -> tuple[int, int]:
        """Its guard's pid and its own."""
        return self._running.pids

    @property
    def ca(self) -> Path:
        """The certificate of the authority that signed its own, where it has one."""
        if self._ca is None:
            raise DevclusterError("this Redis has no TLS, or has not been started")
        return self._ca

    def url(self, db: int = 0, *, user: str = "", password: str | None = None) -> str:
        """Return its address, password included: the default user's, or that of one of `users`."""
        secret = self.password if password is None else password
        user_info = f"{quote(user, safe='')}:{quote(secret, safe='')}@" if secret is not None else ""
        scheme, query = ("rediss", f"?ssl_ca_certs={self.ca}") if self._tls else ("redis", "")
        return f"{scheme}://{user_info}127.0.0.1:{self._port}/{db}{query}"

    def commands(self) -> int:
        """How many commands it has processed since its start, also those that scripts called."""
        with redis.Redis.from_url(self.url()) as client:
            return int(client.info("stats")["total_commands_processed"])

    # -- its life

    def start(self) -> None:
        """Start it, on the port that it had before if it was killed, and wait until it answers."""
        if self._process is not None and self._process.alive:
            raise DevclusterError("this Redis has been started already")
        if self._run is not None:
            self._launch(self._run)
            return
        self._run = retried_on_taken_port(self._launch_on_new_port)

    def stop(self) -> None:
        """End it and remove every file; nothing to do where nothing runs."""
        run, self._run = self._run, None
        if run is not None:
            self._end(run)

    def check(self) -> None:
        """Raise where it has ended by itself."""
        self._running.check()

    def flushall(self) -> None:
        """Remove every key of every database."""
        with self._client() as client:
            client.flushall()

    # -- faults

    def pause(self) -> None:
        """Pause it: connections stay open, and nothing answers."""
        self._running.pause()

    def resume(self) -> None:
        """Continue a paused one."""
        self._running.resume()

    def kill(self) -> None:
        """SIGKILL. `start` brings it back on the same port, with the data only if it is persistent."""
        self._running.kill()

    def restart(self, *, keep_data: bool) -> None:
        """End it in order and start it again on the same port."""
        process = self._running
        if process.alive:
            process.resume()
            if keep_data and not self._persistent:
                with self._client() as client:
                    client.shutdown(save=True)
            process.stop()
        if not keep_data:
            shutil.rmtree(self._data, ignore_errors=True)
        self.start()

    def snapshot(self, name: str) -> Path:
        """Copy the data of a persistent one as they are now, for `restore`."""
        copy = self.folder / name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._data, copy)  # a command that is half written is dropped when it is read
        return copy

    def restore(self, snapshot: Path) -> None:
        """Kill it and start it again with data of before."""
        if self._running.alive:
            self.kill()
        shutil.rmtree(self._data)
        shutil.copytree(snapshot, self._data)
        self.start()

    def dump(self) -> Dump:
        """Copy the data as they are now, for `load`. Raises redis.RedisError if it does not answer."""
        return [self._dump(number) for number in _DATABASES]

    def load(self, dump: Dump) -> None:
        """Give it data of before while it runs, as a replica gets it that synchronizes with one that lags."""
        for number, keys in enumerate(dump):
            with self._client(number) as client, client.pipeline(transaction=True) as transaction:
                transaction.flushdb()
                for key, ttl_ms, value in keys:
                    transaction.restore(key, ttl_ms, value)
                transaction.execute()

    def heal(self) -> None:
        """Undo every fault that a failed test may have left. The data stays as it is."""
        if self._running.alive:
            self._running.resume()
        else:
            self.start()

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise DevclusterError("this Redis is not running")
        return self._process

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _client(self, db: int = 0) -> redis.Redis:
        return redis.Redis.from_url(
            self.url(db), socket_timeout=_SOCKET_SECONDS, socket_connect_timeout=_SOCKET_SECONDS
        )

    def _dump(self, db: int) -> Sequence[tuple[bytes, int, bytes]]:
        with self._client(db) as client:
            found: Any = client.eval(_DUMP, 0)
        return [(key, max(0, ttl_ms), value) for key, ttl_ms, value in found]

    def _launch_on_new_port(self) -> RunFolder:
        run = RunFolder.new(_NAME)
        (self._port,) = free_ports(1)
        try:
            self._launch(run)
        except BaseException:  # also on an interrupt
            self._end(run)
            raise
        return run

    def _launch(self, run: RunFolder) -> None:
        data = run.folder / "data"
        data.mkdir(exist_ok=True)
        file = run.folder / "redis.conf"
        extra = dict(self._configuration)
        if self._tls:
            self._ca = run.folder / "ca.crt"
            if not self._ca.exists():
                Authority.new(run.folder).issue("redis", user="redis", hosts=("127.0.0.1", "localhost"))
            extra |= redis_tls(port=self._port, folder=run.folder)
        if self._users:
            # The default user keeps its password: the file has to name every user.
            default = f"user default on {f'>{self.password}' if self.password else 'nopass'} ~* &* +@all"
            write_private(run.folder / "users.acl", "".join(f"{line}\n" for line in (default, *self._users)).encode())
            extra["aclfile"] = str(run.folder / "users.acl")
        content = redis_configuration(
            port=0 if self._tls else self._port,
            folder=data,
            password=None if self._users else self.password,
            persistent=self._persistent,
            extra=extra,
        )
        write_private(file, content.encode())
        program = toolchain.redis_server_with_tls() if self._tls else toolchain.redis_server()
        self._process = process = Process(_NAME, [program, file], run=run)
        with self._client() as client:
            wait_until(
                lambda: _answers(client, process),
                f"Redis on port {self._port} to answer",
                timeout_seconds=_READY_SECONDS,
                seen=process.log_end,
            )
        if not self._persistent:
            # What `restart` saved has been read. Left there, it would come back after a later kill.
            (data / "dump.rdb").unlink(missing_ok=True)

    def _end(self, run: RunFolder) -> None:
        process, self._process = self._process, None
        try:
            if process is not None:
                process.kill()
        finally:
            run.close()


def _answers(client: redis.Redis, process: Process) -> bool:
    process.check()
    try:
        # Another server may have taken the port, and ours is about to notice that.
        found: object = client.info("server")["process_id"]
    except redis.RedisError:  # not listening, or still reading its data
        return False
    return found == process.pid
