from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api import codec
from reconstruction_operator.api.attempt_status import Inputs, Progress
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import Condition, Failure, OutputFile, Outputs, Phase, Status

_TIMES = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 -- Hypothesis wants the bounds without a zone
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001 -- the same
    timezones=st.just(UTC),
).map(lambda time: time.replace(microsecond=0))
_AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, without empty texts where None is allowed: both are encoded as absent."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        inner = next(arm for arm in typing.get_args(hint) if arm is not types.NoneType)
        return st.none() | values_of(inner).filter(lambda value: value != "")
    if origin is tuple:
        return st.lists(values_of(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        values = st.text() if typing.get_args(hint)[1] is str else _JSON
        return st.dictionaries(st.text(), values, max_size=3)
    if dataclasses.is_dataclass(hint):
        return objects_of(typing.cast("type[Any]", hint))
    if hint is datetime:
        return _TIMES
    if hint is str:
        return st.text()
    return st.sampled_from(hint) if issubclass(hint, enum.Enum) else st.from_type(hint)


def objects_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any object of a dataclass, without empty texts where the default is another: they are encoded as absent."""
    hints = typing.get_type_hints(kind)
    return st.builds(
        kind,
        **{
            field.name: st.text(min_size=1)
            if hints[field.name] is str and field.default != ""
            else values_of(hints[field.name])
            for field in dataclasses.fields(kind)
        },
    )


@given(objects_of(Spec))
def test_a_spec_survives_a_round_trip_through_json(spec: Spec) -> None:
    assert codec.decode(Spec, codec.encode(spec)) == spec


@given(objects_of(Status))
def test_a_status_survives_a_round_trip_through_json(status: Status) -> None:
    assert codec.decode(Status, codec.encode(status)) == status


@given(st.data())
def test_two_statuses_are_the_same_if_their_json_is(data: st.DataObject) -> None:
    status = data.draw(objects_of(Status))
    another = data.draw(objects_of(Status))
    names = data.draw(st.sets(st.sampled_from([field.name for field in dataclasses.fields(Status)]), max_size=3))
    other = dataclasses.replace(status, **{name: getattr(another, name) for name in names})

    assert codec.same(status, other) is (codec.encode(status) == codec.encode(other))


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        pytest.param({"message": "a"}, {"message": "b"}, False, id="another-text"),
        pytest.param({"worker": ""}, {"worker": None}, True, id="an-empty-text-is-absent"),
        pytest.param({"redis_losses": 0}, {"redis_losses": None}, False, id="a-zero-is-not-absent"),
        pytest.param({"simulated": False}, {"simulated": None}, False, id="false-is-not-absent"),
        pytest.param({"progress": Progress()}, {"progress": None}, False, id="an-object-without-fields-is-not-absent"),
        pytest.param({"start_time": _AT}, {"start_time": _AT.replace(microsecond=7)}, True, id="parts-of-a-second"),
        pytest.param({"start_time": _AT}, {"start_time": _AT + timedelta(seconds=1)}, False, id="another-second"),
        pytest.param({"inputs": Inputs(1)}, {"inputs": Inputs(2)}, False, id="a-nested-number"),
    ],
)
def test_what_the_api_server_stores_alike_is_the_same(
    first: dict[str, Any], other: dict[str, Any], expected: bool
) -> None:
    assert codec.same(Status(**first), Status(**other)) is expected
    assert codec.same(Status(**other), Status(**first)) is expected


def test_a_spec_is_encoded_as_in_the_api_server() -> None:
    spec = Spec(input=Location("file:///photos/banana"), parameters={"quality": "fast"}, backoff_limit=0)

    assert codec.encode(spec) == {
        "modelType": "photogrammetry",
        "input": {"uri": "file:///photos/banana"},
        "parameters": {"quality": "fast"},
        "queue": "celery",
        "priority": "normal",
        "reuse": "IfUnchanged",
        "suspend": False,
        "cancelRequested": False,
        "cancelConfirmed": False,
        "backoffLimit": 0,
    }


def test_empty_fields_of_a_status_are_left_out() -> None:
    assert codec.encode(Status()) == {"observedGeneration": -1, "attempt": 0, "failures": 0}


def test_nested_values_and_times_are_encoded() -> None:
    at = datetime(2026, 5, 4, 3, 2, 1, 999_999, tzinfo=UTC)
    status = Status(
        phase=Phase.RUNNING,
        start_time=at,
        progress=Progress(percent=60, eta_seconds=80),
        conditions=(Condition("Running", "True", "Claimed", last_transition_time=at),),
    )

    encoded = codec.encode(status)

    assert encoded["phase"] == "Running"
    assert encoded["startTime"] == "2026-05-04T03:02:01Z"
    assert encoded["progress"] == {"percent": 60, "stepIndex": 0, "stepCount": 6, "etaSeconds": 80}
    assert encoded["conditions"] == [
        {"type": "Running", "status": "True", "reason": "Claimed", "lastTransitionTime": "2026-05-04T03:02:01Z"}
    ]


def test_times_are_written_and_read_in_utc() -> None:
    assert codec.format_time(datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))) == "2025-12-31T23:00:00Z"
    assert codec.parse_time("2026-01-01T01:00:00+02:00") == datetime(2025, 12, 31, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param({"attempt": True}, Status(), id="truth-for-a-number"),
        pytest.param({"attempt": None}, Status(), id="null"),
        pytest.param({"phase": "Dreaming"}, Status(), id="an-unknown-phase"),
        pytest.param({"startTime": "yesterday"}, Status(), id="no-time"),
        pytest.param({"startTime": 5}, Status(), id="a-number-for-a-time"),
        pytest.param({"conditions": {}}, Status(), id="a-mapping-for-a-list"),
        pytest.param({"quality": []}, Status(), id="a-list-for-a-mapping"),
        pytest.param({"newer": {"field": 1}}, Status(), id="an-unknown-field"),
        pytest.param({"inputs": 5}, Status(inputs=Inputs()), id="a-number-for-an-object"),
        pytest.param(
            {"outputs": {"files": [7]}}, Status(outputs=Outputs(files=(OutputFile(),))), id="a-file-that-is-a-number"
        ),
        pytest.param(
            {"failure": {"reason": 5, "message": "m"}}, Status(failure=Failure(message="m")), id="one-bad-field"
        ),
        pytest.param([], Status(), id="a-list-for-the-whole"),
    ],
)
def test_unknown_fields_and_wrong_types_get_the_default(data: object, expected: Status) -> None:
    assert codec.decode(Status, data) == expected
