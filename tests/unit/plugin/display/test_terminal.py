"""Terminal: detection of features from responses."""

from __future__ import annotations

import pytest
from kubectl_recon.display.terminal import Terminal, parse

from tests.support.plugin import KITTY, XTERM


@pytest.mark.parametrize(
    ("answer", "cell", "expected"),
    [
        pytest.param(KITTY, None, Terminal(80, 24, (9, 18), kitty=True), id="kitty"),
        pytest.param(XTERM, (8, 16), Terminal(80, 24, (8, 16), sixel_colours=16), id="xterm-as-a-VT340"),
        pytest.param(b"\x1b[?62;4c", (0, 0), Terminal(80, 24, sixel_colours=256), id="sixel-of-unknown-colours"),
        pytest.param(b"\x1b[?1;2c", None, Terminal(80, 24), id="text-alone"),
        pytest.param(b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?64;14c", None, Terminal(80, 24), id="no-4-among-attributes"),
        pytest.param(b"", None, Terminal(80, 24), id="silent"),
    ],
)
def test_the_features_of_a_terminal_come_from_its_response(
    answer: bytes, cell: tuple[int, int] | None, expected: Terminal
) -> None:
    assert parse(answer, 80, 24, cell) == expected
