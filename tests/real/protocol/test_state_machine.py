"""Random histories of the protocol on a real Redis, with its promises as invariants.

`PROTOCOL_EXAMPLES=5000 PROTOCOL_STEPS=80` runs more examples, other ones each time, and shrinks a failure.
"""

import os

import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.real.protocol.machine import SCENES, Protocol

pytestmark = [pytest.mark.long, pytest.mark.hypothesis]

IS_QUICK = settings.default is settings.get_profile("shared") and "PROTOCOL_EXAMPLES" not in os.environ
EXAMPLES = int(os.environ.get("PROTOCOL_EXAMPLES", settings.default.max_examples))
# `make test` reports a failure as it was found: to shrink it takes half an hour.
PHASES = [phase for phase in Phase if phase is not Phase.shrink or not IS_QUICK]
STEPS = int(os.environ.get("PROTOCOL_STEPS", "80"))  # of one example


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("begins", SCENES)
def test_the_protocol_keeps_its_promises(client: redis.Redis, begins: str) -> None:
    class OnThisRedis(Protocol):
        redis = client
        scene = begins

    run_state_machine_as_test(
        OnThisRedis,
        settings=settings(
            max_examples=1 + EXAMPLES // len(SCENES),
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=IS_QUICK,  # the same each time in `make test`
            database=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
