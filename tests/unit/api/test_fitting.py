from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api import codec, fitting
from reconstruction_operator.api.attempt_status import Inputs, Progress
from reconstruction_operator.api.crd import schema
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Condition, Failure, OutputFile, Outputs, Phase, Status

_STATUS_SCHEMA = schema()["properties"]["status"]
_LONG = st.sampled_from(["", "a", "x" * 10_000, "ü" * 10_000])
_WILD = st.integers(-(2**62), 2**62)


def too_big(value: Any, allowed: dict[str, Any], path: str = "status") -> list[str]:
    """Violations of the schema's limits."""
    if isinstance(value, dict):
        wrong = [path] if len(value) > allowed.get("maxProperties", len(value)) else []
        parts = {name: allowed.get("properties", {}).get(name, allowed.get("additionalProperties")) for name in value}
        return wrong + [at for name, part in parts.items() for at in too_big(value[name], part, f"{path}.{name}")]
    if isinstance(value, list):
        wrong = [path] if len(value) > allowed["maxItems"] else []
        return wrong + [at for item in value for at in too_big(item, allowed["items"], f"{path}[]")]
    if isinstance(value, str):
        return [path] if len(value) > allowed.get("maxLength", len(value)) else []
    if isinstance(value, int) and not isinstance(value, bool):
        return [path] if not allowed.get("minimum", value) <= value <= allowed.get("maximum", value) else []
    return []


@given(
    st.builds(
        Status,
        observed_generation=_WILD,
        phase=st.sampled_from(Phase),
        attempt=_WILD,
        failures=_WILD,
        task_id=_LONG,
        worker=_LONG,
        message=_LONG,
        progress=st.none()
        | st.builds(Progress, percent=_WILD, step=_LONG, step_index=_WILD, eta_seconds=_WILD, eta=_LONG, display=_LONG),
        inputs=st.none() | st.builds(Inputs, images=_WILD, bytes=_WILD),
        outputs=st.none()
        | st.builds(
            Outputs, uri=_LONG, bytes=_WILD, files=st.lists(st.builds(OutputFile, _LONG, _WILD), max_size=40).map(tuple)
        ),
        quality=st.dictionaries(st.text(), _LONG, max_size=40),
        failure=st.none() | st.builds(Failure, reason=_LONG, message=_LONG),
        conditions=st.lists(st.builds(Condition, _LONG, st.just("True"), _LONG, _LONG), max_size=40).map(tuple),
    )
)
def test_a_fitted_status_is_within_all_limits_of_the_schema(status: Status) -> None:
    assert too_big(codec.encode(fitting.fit(status)), _STATUS_SCHEMA) == []


def test_a_status_that_fits_is_not_copied() -> None:
    status = Status(
        phase=Phase.RUNNING,
        progress=Progress(percent=60),
        outputs=Outputs(files=(OutputFile("model.glb", 5),)),
        quality={"faces": "9000"},
        conditions=(Condition("Running", "True", "Claimed"),),
    )

    assert fitting.fit(status) is status


def test_only_values_beyond_a_limit_are_changed() -> None:
    fitted = fitting.fit(Status(phase=Phase.FAILED, attempt=2, failure=Failure("WORKER_ERROR", "m" * 5000, True)))

    assert fitted == Status(
        phase=Phase.FAILED, attempt=2, failure=Failure("WORKER_ERROR", "m" * 4095 + "…", retriable=True)
    )


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        pytest.param("abcd", None, "abcd", id="no-limit"),
        pytest.param("abcd", 4, "abcd", id="just-fits"),
        pytest.param("abcde", 4, "abc…", id="cut"),
    ],
)
def test_a_truncated_text_ends_in_an_ellipsis(text: str, limit: int | None, expected: str) -> None:
    assert fitting.cut(text, limit) == expected


def test_the_parameters_of_a_spec_are_never_changed() -> None:
    spec = Spec(parameters={str(number): "x" * 10_000 for number in range(100)})

    assert fitting.fit(spec) is spec


def test_a_value_of_another_type_is_an_error() -> None:
    with pytest.raises(TypeError, match="dataclass"):
        fitting.fit({"attempt": 1})
