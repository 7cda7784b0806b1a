"""`why`: reads the job and its surroundings, as far as the user may, and prints a diagnosis and what to do."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import Final

from reconstruction_operator.contract.installation import Installation
from reconstruction_operator.kube import paths

from kubectl_recon.diagnosis import rules
from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.display.formats import Format, document
from kubectl_recon.display.screen import Screen, screen
from kubectl_recon.errors import ApiError
from kubectl_recon.installation import published
from kubectl_recon.installation.rights import may
from kubectl_recon.jobs.attention import phase_text
from kubectl_recon.jobs.job import Job, JobEvent
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import find

_MOST_CELLS: Final = 100
_BULLET: Final = "  - "


def run(connection: Connection, name: str, how: Format | None) -> int:
    """Print the diagnosis. Exit code 0: there is always one."""
    job = find(connection, name)
    facts = gather(connection, job, connection.api.now())
    answer = rules.answer(facts)
    if how is not None:
        print(document(answer.document(facts), how))  # noqa: T201  # the result
        return 0
    where = screen()
    for line in lines(facts, answer, where):
        where.print(line)
    return 0


def gather(connection: Connection, job: Job, now: datetime) -> Facts:
    """Read the facts for the rules. The facts also contain the reasons why parts could not be read."""
    events, refused = _events(connection, job)
    # The surroundings of a finished job matter only for a next one.
    needless = job.finished and job.phase != "Failed"
    installation = Installation() if needless else published.read(connection.api, [job])
    may_change = may(connection, "patch") is not False
    return Facts(job, now, installation, events, refused, may_change, connection.options)


def lines(facts: Facts, answer: Answer, where: Screen) -> list[str]:
    """Return the lines of the answer."""
    job = facts.job
    colour = "green" if answer.well else "red" if job.phase == "Failed" else "yellow"
    width = min(where.width or _MOST_CELLS, _MOST_CELLS)
    output = [where.styled(f"{job.name}: {phase_text(job)}", colour), *_wrapped(answer.text, width)]
    for detail in answer.details:
        output += _wrapped(detail, width, "  ", "  ")
    if answer.actions:
        editor = f"What an editor of namespace {job.namespace} can do (you may only read):"
        output.append("What to do:" if facts.may_change else editor)
        for action in answer.actions:
            output += _action(action, width)
    return output


def _action(action: str, width: int) -> list[str]:
    """Return the lines of an action. A command has its own line and is not wrapped, so that it can be copied."""
    text, separator, command = action.partition(": kubectl ")
    if not separator or len(action) + len(_BULLET) <= width:
        text, command = action, ""
    lines = _wrapped(text + (":" if command else ""), width, _BULLET, "    ")
    return [*lines, f"    kubectl {command}"] if command else lines


def _wrapped(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    """Return the lines of a text, with their indents. An address stays whole, so that it can be copied."""
    wrapper = textwrap.TextWrapper(width, initial_indent=first, subsequent_indent=later)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.wrap(text)


def _events(connection: Connection, job: Job) -> tuple[list[JobEvent], str]:
    """Return the job's Events, oldest first, and the reason if they could not be read."""
    path = paths.core(job.namespace, "events")
    try:
        bodies = connection.api.items(path, fieldSelector=f"involvedObject.uid={job.uid}")
    except ApiError as error:
        return [], str(error)
    return sorted(map(JobEvent.of, bodies), key=lambda event: event.when or datetime.min.replace(tzinfo=UTC)), ""
