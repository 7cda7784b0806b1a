"""The users of Redis, from the files that the project ships."""

from __future__ import annotations

from devcluster import Redis
from devcluster.harness.system import REPOSITORY

ACL = REPOSITORY / "manifests" / "integrations" / "redis"


def rules(side: str, *, prefix: str = "") -> list[str]:
    """The rules of `operator` or `worker`, as ACL SETUSER takes them, all keys and channels under a prefix."""
    lines = (ACL / f"{side}.acl").read_text().splitlines()
    found = [rule for line in lines for rule in line.partition("#")[0].split()]
    return [f"{rule[0]}{prefix}{rule[1:]}" if rule[0] in "~&" else rule for rule in found]


def user(side: str, password: str, *, prefix: str = "") -> str:
    """That user's line of an ACL file."""
    return " ".join(["user", f"reconstruction-{side}", "on", f">{password}", *rules(side, prefix=prefix)])


def addresses(redis: Redis, side: str, password: str) -> dict[str, str]:
    """The three settings by which that side reaches Redis as its own user."""
    return {
        "CELERY_BROKER_URL": redis.url(0, user=f"reconstruction-{side}", password=password),
        "CELERY_RESULT_BACKEND": redis.url(0, user=f"reconstruction-{side}", password=password),
        "REDIS_STATE_DB": redis.url(1, user=f"reconstruction-{side}", password=password),
    }
