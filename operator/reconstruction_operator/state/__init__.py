"""The protocol between operator, Redis and workers: the heart of the system.

Every change of state is one Lua script that checks what it relies on, with Redis's own clock. A change is a value
(`Call`), made by the functions of `workers` and `operators`, and carried out by `run`, `arun` or `arun_all`.

| key | who writes it | what it says |
|---|---|---|
| `job:{job_id}` | operator | the record: which attempt is wanted. It never falls |
| `claim:{task_id}` | worker or operator | who has begun the attempt. Given once |
| `alive:{task_id}` | worker | its heartbeat. Decides nothing by being absent for a moment |
| `stop:{task_id}` | operator | why the attempt should stop. Final for it |
| `cancel_request:{job_id}`, `cancel:{job_id}` | operator, or the job manager | the two steps of a cancel |
| `end:{task_id}` | worker or operator | how the attempt ended. Written once |
| `fence:{install_id}` | operator | the newest leader's number: older ones are refused |
| `folders:{install_id}` | workers | job folders that they found after Redis had forgotten things |
| `epoch` | operator | missing or of another run: Redis may have forgotten things |

    from reconstruction_operator.services import protocol
    reply = protocol.run(client, protocol.claim(Keys(), task_id=…, job_id=…, attempt=1, token=…, worker=…))
"""

from __future__ import annotations

from reconstruction_operator.state.calls import Call, Script, arun, arun_all, run
from reconstruction_operator.state.errors import DeposedError, ProtocolError, UnexpectedReplyError
from reconstruction_operator.state.operator_calls import (
    OPERATOR_TOKEN,
    assert_cancelled,
    clear_flags,
    drop_folders,
    force_end,
    forget,
    index_records,
    mark_sent,
    open_epoch,
    put_record,
    request_cancel,
    request_stop,
    take_claim,
    withdraw_request,
)
from reconstruction_operator.state.reads import (
    FOLDERS_BATCH,
    OBSERVE_BATCH,
    list_folders,
    list_records,
    live_workers,
    observe,
    with_heartbeat,
)
from reconstruction_operator.state.replies import (
    BeatReply,
    ClaimReply,
    ClaimVerdict,
    Epoch,
    FinishReply,
    FinishVerdict,
    Observed,
    ObservedJob,
    WorkerInfo,
)
from reconstruction_operator.state.worker_calls import (
    beat,
    claim,
    finish,
    mark_cleaned,
    register_worker,
    report_folders,
    start_draining,
    unregister_worker,
)

__all__ = [
    "FOLDERS_BATCH",
    "OBSERVE_BATCH",
    "OPERATOR_TOKEN",
    "BeatReply",
    "Call",
    "ClaimReply",
    "ClaimVerdict",
    "DeposedError",
    "Epoch",
    "FinishReply",
    "FinishVerdict",
    "Observed",
    "ObservedJob",
    "ProtocolError",
    "Script",
    "UnexpectedReplyError",
    "WorkerInfo",
    "arun",
    "arun_all",
    "assert_cancelled",
    "beat",
    "claim",
    "clear_flags",
    "drop_folders",
    "finish",
    "force_end",
    "forget",
    "index_records",
    "list_folders",
    "list_records",
    "live_workers",
    "mark_cleaned",
    "mark_sent",
    "observe",
    "open_epoch",
    "put_record",
    "register_worker",
    "report_folders",
    "request_cancel",
    "request_stop",
    "run",
    "start_draining",
    "take_claim",
    "unregister_worker",
    "with_heartbeat",
    "withdraw_request",
]
