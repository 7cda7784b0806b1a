"""The Lua scripts, one file for each state change in `lua/`. The prelude (and for the operator's, the fence) comes first."""

from __future__ import annotations

from importlib import resources
from typing import Final

from reconstruction_operator.state.calls import Script

_FOLDER: Final = resources.files("reconstruction_operator.state") / "lua"


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


def _plain(name: str) -> Script:
    return Script.of(name, _text("prelude") + _text(name))


def _fenced(name: str) -> Script:
    return Script.of(name, _text("prelude") + _text("fence") + _text(name))


# The worker's.
CLAIM: Final = _plain("claim")
BEAT: Final = _plain("beat")
FINISH: Final = _plain("finish")
REGISTER_WORKER: Final = _plain("register_worker")
UNREGISTER_WORKER: Final = _plain("unregister_worker")
START_DRAINING: Final = _plain("start_draining")
MARK_CLEANED: Final = _plain("mark_cleaned")
REPORT_FOLDERS: Final = _plain("report_folders")

# The operator's.
PUT_RECORD: Final = _fenced("put_record")
INDEX_RECORDS: Final = _fenced("index_records")
MARK_SENT: Final = _fenced("mark_sent")
REQUEST_CANCEL: Final = _fenced("request_cancel")
ASSERT_CANCELLED: Final = _fenced("assert_cancelled")
DELETE: Final = _fenced("delete")
TAKE_CLAIM: Final = _fenced("take_claim")
REQUEST_STOP: Final = _fenced("request_stop")
FORCE_END: Final = _fenced("force_end")
FORGET: Final = _fenced("forget")
OPEN_EPOCH: Final = _fenced("open_epoch")
DROP_FOLDERS: Final = _fenced("drop_folders")

# Reads.
OBSERVE: Final = _plain("observe")
RESULTS: Final = _plain("results")
PRESENT: Final = _plain("present")
LIST_RECORDS: Final = _plain("list_records")
LIST_FOLDERS: Final = _plain("list_folders")
LIVE_WORKERS: Final = _plain("live_workers")
