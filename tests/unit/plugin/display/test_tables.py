import io

from kubectl_recon.display.screen import Screen
from kubectl_recon.display.tables import Column, table

ROWS = [("banana", "Running", "celery", "NOT_ENOUGH_OVERLAP"), ("a-much-longer-name", "Failed", "gpu", "")]


def columns() -> list[Column[tuple[str, ...]]]:
    return [
        Column("NAME", lambda row: row[0], cut=True),
        Column("PHASE", lambda row: row[1], colour=lambda row: "red" if row[1] == "Failed" else ""),
        Column("QUEUE", lambda row: row[2], drop=1),
        Column("REASON", lambda row: row[3], cut=True),
    ]


def lines(width: int | None, *, colour: bool = False) -> list[str]:
    return table(columns(), ROWS, Screen(io.StringIO(), width, colour))


def test_a_file_gets_full_texts_without_colours() -> None:
    assert lines(None) == [
        "NAME                 PHASE     QUEUE    REASON",
        "banana               Running   celery   NOT_ENOUGH_OVERLAP",
        "a-much-longer-name   Failed    gpu",
    ]


def test_a_narrow_terminal_drops_columns_before_texts_are_cut() -> None:
    assert lines(50) == [
        "NAME                PHASE    REASON",
        "banana              Running  NOT_ENOUGH_OVERLAP",
        "a-much-longer-name  Failed",
    ]


def test_a_very_narrow_terminal_cuts_texts() -> None:
    rows = lines(40)
    assert max(map(len, rows)) <= 40
    assert rows[2].startswith("a-much-long…")


def test_colours_do_not_move_the_columns() -> None:
    plain = lines(80)
    coloured = lines(80, colour=True)
    assert coloured[2] == plain[2].replace("Failed", "\x1b[31mFailed\x1b[0m")


def test_an_empty_column_is_not_shown() -> None:
    text = table(columns(), [("banana", "Running", "celery", "")], Screen(io.StringIO(), None, False))
    assert text[0] == "NAME     PHASE     QUEUE"
