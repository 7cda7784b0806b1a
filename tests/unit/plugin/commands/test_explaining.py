import io
from datetime import UTC, datetime

from kubectl_recon.commands.explaining import lines
from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.display.screen import Screen
from kubectl_recon.installation.operator import NAMESPACE, Operator

from tests.support.plugin import job

FACTS = Facts(job(phase="Pending"), datetime(2026, 3, 1, tzinfo=UTC), Operator(NAMESPACE, metrics_refused="not you"))
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


def test_the_last_line_lists_what_could_not_be_checked() -> None:
    assert lines(FACTS, ANSWER, Screen(io.StringIO(), None, False))[-1] == "Not checked: not you"
