"""The protocol between operator, Redis and workers: the heart of the system.

Every change of state is one Lua script that checks what it relies on, with Redis's own clock. A change is a value
(`Call`), made by the functions of `worker_calls` and `operator_calls`, and carried out by `run`, `arun` or `arun_all`.

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

    from reconstruction_operator.state import calls, worker_calls
    reply = calls.run(client, worker_calls.claim(Keys(), task_id=…, job_id=…, attempt=1, token=…, worker=…))
"""
