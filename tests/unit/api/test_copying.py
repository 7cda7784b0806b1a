"""Copies of frozen types: as `dataclasses.replace` makes them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from reconstruction_operator.api.copying import replace
from reconstruction_operator.api.status import Phase, Status

from tests.support.jobs import make_job

STATUS = Status(observed_generation=3, phase=Phase.RUNNING, attempt=2, message="text")


@pytest.mark.parametrize(
    ("value", "changes"),
    [
        pytest.param(STATUS, {}, id="nothing"),
        pytest.param(STATUS, {"phase": Phase.FAILED, "worker": "w"}, id="fields of a status"),
        pytest.param(make_job(STATUS), {"status": Status()}, id="a field of a job"),
    ],
)
def test_a_copy_has_the_changes_and_all_other_fields(value: Any, changes: dict[str, Any]) -> None:
    assert replace(value, **changes) == dataclasses.replace(value, **changes)
    assert replace(value, **changes) is not value


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        replace(STATUS, colour="red")
