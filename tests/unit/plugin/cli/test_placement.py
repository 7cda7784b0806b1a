"""Options that choose the workers of a job."""

from __future__ import annotations

import pytest
from kubectl_recon.cli.options import placement
from kubectl_recon.errors import UsageError


def test_only_given_options_become_members_of_the_spec() -> None:
    assert placement(None, None, None, None) == {}
    chosen = placement("maps", ["depth=gpu", "texture=gpu"], 4, "high")
    assert chosen == {
        "queue": "maps",
        "stageQueues": {"depth": "gpu", "texture": "gpu"},
        "parts": 4,
        "priority": "high",
    }


@pytest.mark.parametrize("text", ["depth", "depth=", "=gpu", ""])
def test_an_incomplete_queue_of_a_stage_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not STAGE=QUEUE, such as depth=gpu"):
        placement(None, [text], None, None)
