"""The commands in docs/security.md that create the Redis users."""

import os
import secrets
from pathlib import Path

import redis

from devcluster import Redis, commands
from devcluster.harness.system import REPOSITORY
from devcluster.programs.toolchain import redis_server
from tests.real.security.redis_users import rules
from tests.support.pages import block

ADMIN = secrets.token_urlsafe(12)
PASSWORDS = {
    "operator": """ "a" 'b' \\c \\" $HOME $(id) `id` #d ~* é""",
    "worker": secrets.token_urlsafe(12),
    "client": "c",
}


def recording_redis_cli(server: Redis, notes: Path) -> str:
    """Return a redis-cli that records its arguments and connects to the test's server."""
    program = redis_server().parent / "redis-cli"
    return f'#!/bin/sh\nprintf \'%s\\n\' "called" "$@" >>"{notes}"\nexec "{program}" -p {server.port} "$@"\n'


def test_the_commands_create_all_users_and_expose_no_password(tmp_path: Path) -> None:
    (tmp_path / "manifests").symlink_to(REPOSITORY / "manifests")
    for side, password in PASSWORDS.items():
        (tmp_path / f"{side}.password").write_text(f"{password}\n")
    notes, programs = tmp_path / "notes", tmp_path / "programs"
    programs.mkdir()
    with Redis(password=ADMIN) as server:
        (programs / "redis-cli").write_text(recording_redis_cli(server, notes))
        (programs / "redis-cli").chmod(0o755)

        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "REDISCLI_AUTH": ADMIN}
        done = commands.run(["sh", "-c", block("redis-users")], environment=environment, folder=tmp_path)

        assert done.stdout.split() == ["OK"] * 3
        assert notes.read_text().split() == ["called"] * 3  # without any argument
        with redis.Redis.from_url(server.url(), decode_responses=True) as admin:
            for side, password in PASSWORDS.items():
                expected = f"expected-{side}"
                admin.execute_command("ACL", "SETUSER", expected, "on", f">{password}", *rules(side))
                assert admin.acl_getuser(f"reconstruction-{side}") == admin.acl_getuser(expected)
                with redis.Redis.from_url(server.url(user=f"reconstruction-{side}", password=password)) as client:
                    assert client.ping()
