"""Writes the tables of the documentation from the code that they describe: `make docs`. A test says when they are old."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reconstruction_operator.api.outcomes import REASONS

CHECKOUT = Path(__file__).resolve().parent.parent
CONFIG = "operator/reconstruction_operator/config.py"
_READERS = {"_text", "_number", "_integer", "_choice", "_names"}


class Setting(NamedTuple):
    """One environment variable."""

    section: str
    name: str
    default: str  # as the code has it
    choices: str
    meaning: str


def settings(source: str) -> Iterator[Setting]:
    """The settings in the source of `config.py`: each an assignment, with a comment at its end that says what it is."""
    lines = source.splitlines()
    headings = {number: line.strip("# -") for number, line in enumerate(lines, 1) if line.startswith("# ---")}
    for statement in ast.parse(source).body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.value, ast.Call):
            continue
        call = statement.value
        if not isinstance(call.func, ast.Name) or call.func.id not in _READERS:
            continue
        comment = re.search(r"#(?! noqa) (.*)", lines[(statement.end_lineno or 0) - 1].replace("  # noqa: S104", ""))
        yield Setting(
            section=headings[max(number for number in headings if number < statement.lineno)],
            name=ast.literal_eval(call.args[0]),
            default=ast.unparse(call.args[1]).strip("'"),
            choices=", ".join(f"`{each}`" for each in ast.literal_eval(call.args[2])) if len(call.args) > 2 else "",  # noqa: PLR2004  # _choice's third
            meaning=comment[1] if comment else "",
        )


def settings_page() -> str:
    """docs/settings.md."""
    parts = [
        "# Settings",
        "",
        f"Every setting is an environment variable. This table is made from `{CONFIG}` by `make docs`.",
    ]
    section = ""
    for setting in settings((CHECKOUT / CONFIG).read_text()):
        if setting.section != section:
            section = setting.section
            parts += ["", f"## {section}", "", "| variable | default | meaning |", "|---|---|---|"]
        default = f"`{setting.default}`" if setting.default else "(empty)"
        choices = f"{setting.choices}: " if setting.choices else ""
        meaning = setting.meaning.replace("<", "&lt;")  # or a reader of Markdown takes it for a tag
        parts.append(f"| `{setting.name}` | {default} | {choices}{meaning} |")
    return "\n".join(parts) + "\n"


def reasons_page() -> str:
    """docs/reasons.md."""
    parts = [
        "# Why a job failed, or began again",
        "",
        "`.status.failure.reason` is one of these; the message beside it has the numbers. *Tried again*: another attempt",
        "follows, as long as `spec.backoffLimit` allows; *counts*: against that limit. This table is made from",
        "`operator/reconstruction_operator/api/outcomes.py` by `make docs`.",
        "",
        "| reason | tried again | counts | what to do |",
        "|---|---|---|---|",
    ]
    for reason in REASONS.values():
        again, counts = ("yes" if each else "no" for each in (reason.retriable, reason.counts))
        parts.append(f"| `{reason.code}` | {again} | {counts} | {reason.advice} |")
    return "\n".join(parts) + "\n"


def pages() -> dict[str, str]:
    """Path in the checkout -> content."""
    return {"docs/settings.md": settings_page(), "docs/reasons.md": reasons_page()}


if __name__ == "__main__":
    for name, content in pages().items():
        path = CHECKOUT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        print(f"docs: wrote {name}")
