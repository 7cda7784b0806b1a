from __future__ import annotations

from dataclasses import replace

import pytest
from reconstruction_operator.transfer.limits import Limits


@pytest.fixture
def limits(limits: Limits) -> Limits:
    return replace(limits, schemes=("s3",))
