"""Scenarios: the same seed gives the same users, and each scenario has its actions."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from chaos.system import scenarios


def chance(seed: int = 1) -> random.Random:
    return random.Random(seed)  # noqa: S311  # reproducible on purpose


def made(seed: int, scenario: str) -> dict[str, object]:
    return scenarios.spec(
        scenario,
        photos=Path("/photos"),
        output_uris=("file:///copies/a", "s3://bucket/a"),
        long_seconds=(100.0, 101.0),
        chance=chance(seed),
    )


def test_a_seed_decides_the_spec_and_the_actions() -> None:
    assert made(1, "steady") == made(1, "steady")
    assert made(1, "steady") != made(2, "steady")
    assert scenarios.actions("cancel", chance()) == scenarios.actions("cancel", chance())


def test_scenarios_are_drawn_by_their_weights() -> None:
    one = chance()
    drawn = Counter(scenarios.draw(one) for _ in range(10_000))
    assert sum(scenarios.WEIGHTS.values()) == 100
    assert {name: pytest.approx(100 * weight, rel=0.2) for name, weight in scenarios.WEIGHTS.items()} == drawn


@pytest.mark.parametrize(
    ("scenario", "verbs"),
    [
        ("steady", []),
        ("cancel", ["request", "confirm"]),
        ("cancel at once", ["request", "confirm"]),
        ("withdraw", ["request", "withdraw"]),
        ("suspend", ["suspend", "resume"]),
        ("delete", ["delete"]),
    ],
)
def test_the_actions_of_a_scenario_come_in_order(scenario: str, verbs: list[str]) -> None:
    actions = scenarios.actions(scenario, chance())
    assert [verb for _, verb in actions] == verbs
    assert actions == sorted(actions)
    assert {verb for verb in verbs if verb != "delete"} <= scenarios.CHANGES.keys()


def test_only_poison_jobs_have_few_attempts_and_only_some_scenarios_long_jobs() -> None:
    specs = {name: [made(seed, name) for seed in range(200)] for name in scenarios.WEIGHTS}
    few = {name for name, its in specs.items() if min(int(str(one["backoffLimit"])) for one in its) < 10}
    long = {name for name, its in specs.items() if any("'seconds': 10" in str(one["parameters"]) for one in its)}
    assert few == {"poison"}
    assert long == {"steady", "cancel", "withdraw"}


def test_results_are_delivered_to_the_folder_and_to_the_bucket() -> None:
    outputs = Counter(str(made(seed, "steady").get("output")) for seed in range(400))
    assert outputs.keys() == {"None", "{'uri': 'file:///copies/a'}", "{'uri': 's3://bucket/a'}"}
    assert outputs["{'uri': 's3://bucket/a'}"] > 20
