import pytest
from kubectl_recon.commands.waiting import goal
from kubectl_recon.errors import UsageError
from kubectl_recon.jobs import outcomes
from kubectl_recon.jobs.job import Job

from tests.support.plugin import job

RUNNING = job(phase="Running", conditions={"Running": ("True", "Started"), "Finished": ("False", "NotFinished")})


@pytest.mark.parametrize(
    ("text", "seen", "expected"),
    [
        ("finished", RUNNING, False),
        ("finished", job(phase="Cancelled"), True),
        ("succeeded", job(phase="Failed"), False),
        ("Running", RUNNING, True),
        ("condition=Running", RUNNING, True),
        ("condition=Finished=false", RUNNING, True),
        ("condition=Finished", RUNNING, False),
        ("condition=Unknown", RUNNING, False),
        ("delete", RUNNING, False),
    ],
)
def test_a_state_has_the_syntax_of_kubectl_wait(text: str, seen: Job, expected: bool) -> None:
    assert goal(text)(seen) == expected


def test_an_unknown_state_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"use finished, succeeded, .* or condition=TYPE"):
        goal("ready")


@pytest.mark.parametrize(
    ("codes", "worst"), [([0, 0], 0), ([0, 4, 3], 3), ([4, 5, 6], 4), ([6, 5], 5), ([0, 6], 6), ([], 0)]
)
def test_the_exit_code_for_several_jobs_is_the_worst(codes: list[int], worst: int) -> None:
    assert outcomes.of_all(codes) == worst
