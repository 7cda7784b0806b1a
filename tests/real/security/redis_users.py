"""Redis users: ACL lines and URLs from the files in manifests/integrations/redis, and from the chart."""

import re

from devcluster import Redis
from devcluster.harness.system import REPOSITORY
from devcluster.programs.helm import helm
from tests.support.paths import CHART

ACL = REPOSITORY / "manifests" / "integrations" / "redis"


def rules(side: str, *, prefix: str = "") -> list[str]:
    """Return the ACL rules of `operator`, `worker` or `client`, with a prefix before all keys and channels."""
    lines = (ACL / f"{side}.acl").read_text().splitlines()
    words = [rule for line in lines for rule in line.partition("#")[0].split()]
    return [f"{rule[0]}{prefix}{rule[1:]}" if rule[0] in "~&" else rule for rule in words]


def user(side: str, password: str, *, prefix: str = "") -> str:
    """Return the user's line of an ACL file."""
    return " ".join(["user", f"reconstruction-{side}", "on", f">{password}", *rules(side, prefix=prefix)])


def chart_user(side: str, password: str, *options: str) -> str:
    """Return the user's line of the chart's Redis."""
    manifests = helm("template", "r", CHART, "--show-only", "templates/redis/redis.yaml", *options).stdout
    lines = re.findall(rf'^ *(user reconstruction-{side} on .*) ">\$\(bytes .*$', manifests, re.MULTILINE)
    return f"{lines[0]} >{password}"


def addresses(redis: Redis, side: str, password: str) -> dict[str, str]:
    """Return the three settings with which operator, worker or client connects as its own user."""
    broker, state = (redis.url(db, user=f"reconstruction-{side}", password=password) for db in (0, 1))
    return {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker, "REDIS_STATE_DB": state}
