import io
from dataclasses import replace
from datetime import UTC, datetime

from kubectl_recon.commands.explaining import lines
from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.display.screen import Screen
from reconstruction_operator.contract.installation import Installation

from tests.support.plugin import job

FACTS = Facts(job(phase="Pending"), datetime(2026, 3, 1, tzinfo=UTC), Installation())
COMMAND = 'kubectl patch recon banana --type=merge -p \'{"spec":{"queue":"gpu-large"}}\''
ANSWER = Answer(
    "queue-unserved", "word " * 30, ("detail " * 20,), (f"correct the queue of the job: {COMMAND}", "or wait")
)


def test_texts_are_wrapped_but_commands_are_not() -> None:
    output = lines(FACTS, ANSWER, Screen(io.StringIO(), 80, False))
    assert f"    {COMMAND}" in output
    assert "  - correct the queue of the job:" in output
    assert "  - or wait" in output
    assert max(len(line) for line in output if COMMAND not in line) <= 80


def test_an_address_stays_whole_so_that_it_can_be_copied() -> None:
    address = f"file:///jobs/{'banana-'.join('0123456789')}/output"
    answer = replace(ANSWER, details=(f"the result is at {address}",))
    assert f"  {address}" in lines(FACTS, answer, Screen(io.StringIO(), 60, False))


def test_a_user_who_may_only_read_learns_who_can_follow_the_advice() -> None:
    output = lines(replace(FACTS, may_change=False), ANSWER, Screen(io.StringIO(), None, False))
    assert "What an editor of namespace team can do (you may only read):" in output
