"""Status writes that the benchmark sends."""

from datetime import UTC, datetime

from reconstruction_operator.api.status import ConditionType, Phase

from benchmarks.loads.status_writes import statuses, without_rules

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def test_both_statuses_have_all_conditions_as_the_operator_writes_them() -> None:
    queued, running = statuses(AT)

    assert (queued.phase, running.phase) == (Phase.QUEUED, Phase.RUNNING)
    always = set(ConditionType) - {ConditionType.INPUT_CHECKED, ConditionType.CONTESTED}
    assert all({one.type for one in status.conditions} == always for status in (queued, running))


def test_a_schema_loses_its_rules_and_nothing_else() -> None:
    rules = [{"rule": "true"}]
    schema = {"properties": {"spec": {"type": "object", "x-kubernetes-validations": rules}}, "required": ["spec"]}

    assert without_rules(schema) == {"properties": {"spec": {"type": "object"}}, "required": ["spec"]}
