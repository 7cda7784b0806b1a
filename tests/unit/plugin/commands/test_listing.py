"""`get`: the table of jobs, and what -o wide adds."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from kubectl_recon.commands.listing import lines
from kubectl_recon.display.screen import Screen

from tests.support.plugin import job

NOW = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
REQUESTED = job("banana", "Running", spec={"cancelRequested": True, "cancelReason": "wrong photos"})


def test_only_the_wide_table_has_the_reason_of_a_cancel() -> None:
    screen = Screen(io.StringIO(), 80, colour=False)

    assert lines([REQUESTED], screen, NOW, wide=True)[0].split()[-2:] == ["CANCEL", "REASON"]
    assert lines([REQUESTED], screen, NOW, wide=True)[1].endswith("wrong photos")
    assert "wrong photos" not in lines([REQUESTED], screen, NOW)[1]
