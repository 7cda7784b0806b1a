import io

from rich.console import Console

from demo.board import Board
from demo.display import LogDisplay, TerminalDisplay


def running(percent: int, step: str = "Running reconstruction", index: int = 3) -> Board:
    status = {"phase": "Running", "progress": {"percent": percent, "step": step, "stepIndex": index, "etaSeconds": 30}}
    return Board().with_job({"metadata": {"name": "banana"}, "status": status}, 1.0)


def logged(*boards: Board) -> list[str]:
    lines: list[str] = []
    display = LogDisplay(lines.append, lambda: 12.34)
    for board in boards:
        display.board(board)
    return lines


def test_a_log_gets_a_line_for_each_ten_percent_and_none_between() -> None:
    assert logged(running(21), running(22), running(29), running(31)) == [
        "  12.3 s  banana: Running, 21% Running reconstruction, about 30 s to go",
        "  12.3 s  banana: Running, 31% Running reconstruction, about 30 s to go",
    ]


def test_a_log_tells_each_event_once() -> None:
    event = {
        "involvedObject": {"kind": "ReconstructionJob", "name": "banana"},
        "type": "Normal",
        "reason": "Dispatched",
        "message": "Attempt 1 was sent to queue celery",
    }
    board = Board().with_event(event, 1.0)
    assert logged(board, board) == ["  12.3 s  banana: event Dispatched: Attempt 1 was sent to queue celery"]


def test_a_log_has_no_control_codes() -> None:
    lines: list[str] = []
    display = LogDisplay(lines.append, lambda: 0.0)
    with display:
        display.title("A part")
        display.command("kubectl get recon")
        display.output("NAME\nbanana")
        display.board(running(50))
    assert "\x1b" not in "".join(lines)
    assert lines[:3] == [
        "   0.0 s  == A part",
        "   0.0 s  $ kubectl get recon",
        "   0.0 s      NAME\n   0.0 s      banana",
    ]


def test_a_terminal_shows_the_table_and_a_bar_for_each_job() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=30)
    display = TerminalDisplay(console)
    with display:
        display.table("NAME     PHASE\nbanana   Running")
        display.board(running(50))
    shown = out.getvalue()
    assert "banana   Running" in shown
    assert " 50%" in shown


def test_a_terminal_never_cuts_a_path_in_two() -> None:
    out = io.StringIO()
    display = TerminalDisplay(Console(file=out, force_terminal=True, width=20))
    path = "export KUBECONFIG=/a/rather/long/path/to/a/file.kubeconfig"
    display.say(path)
    assert path in out.getvalue()
