import io

from rich.console import Console

from demo.board import Board
from demo.display import Display


def running(percent: int, step: str = "Running reconstruction", index: int = 3) -> Board:
    status = {"phase": "Running", "progress": {"percent": percent, "step": step, "stepIndex": index, "etaSeconds": 30}}
    return Board().with_job({"metadata": {"name": "banana"}, "status": status}, 1.0)


def logged(*boards: Board) -> list[str]:
    out = io.StringIO()
    display = Display(Console(file=out), lambda: 12.34)
    for board in boards:
        display.board(board)
    return out.getvalue().splitlines()


def test_a_log_has_one_line_for_each_ten_percent() -> None:
    assert logged(running(21), running(22), running(29), running(31)) == [
        "  12.3 s  banana: Running, 21% Running reconstruction, about 30 s to go",
        "  12.3 s  banana: Running, 31% Running reconstruction, about 30 s to go",
    ]


def test_log_has_each_event_once() -> None:
    job = {"kind": "ReconstructionJob", "name": "banana"}
    event = {"involvedObject": job, "type": "Normal", "reason": "Dispatched", "message": "Attempt 1 was sent"}
    board = Board().with_event(event, 1.0)
    assert logged(board, board) == ["  12.3 s  banana: event Dispatched: Attempt 1 was sent"]


def test_a_log_has_no_control_codes() -> None:
    out = io.StringIO()
    with Display(Console(file=out), lambda: 0.0) as display:
        display.title("A part")
        display.command("kubectl get recon")
        display.output("NAME\nbanana")
        display.board(running(50))
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().splitlines()[:4] == [
        "   0.0 s  == A part",
        "   0.0 s  $ kubectl get recon",
        "   0.0 s      NAME",
        "   0.0 s      banana",
    ]


def test_a_terminal_shows_the_table_and_a_bar_for_each_job() -> None:
    out = io.StringIO()
    with Display(Console(file=out, force_terminal=True, width=100, height=30), lambda: 0.0) as display:
        display.table("NAME     PHASE\nbanana   Running")
        display.board(running(50))
    shown = out.getvalue()
    assert "banana   Running" in shown
    assert " 50%" in shown


def test_a_terminal_never_wraps_a_path() -> None:
    out = io.StringIO()
    display = Display(Console(file=out, force_terminal=True, width=20), lambda: 0.0)
    path = "export KUBECONFIG=/a/rather/long/path/to/a/file.kubeconfig"
    display.text(path)
    assert path in out.getvalue()
