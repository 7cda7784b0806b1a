"""State of jobs in Redis: the protocol between operator and workers.

Every change of state is one Lua script that checks what it relies on, with Redis's own clock. A change is a value
(`Call`), made by the functions of `worker_calls` and `operator_calls`, and carried out by `run`, `arun` or `arun_all`.
Records are hashes: the scripts read the one or two fields that they need, and open no JSON. `fields` reads the rest.

| key | written by | meaning |
|---|---|---|
| `job:{job_id}` | operator | the record: which attempt is wanted. It never falls |
| `claim:{task_id}` | worker or operator | which delivery has begun the attempt. Given once. In which epoch it was heard; whether it ended |
| `alive:{task_id}` | worker | its heartbeat. Being absent for a moment decides nothing |
| `stop:{task_id}` | operator | why the attempt should stop. Final for it |
| `cancel_request:{job_id}`, `cancel:{job_id}` | operator, or the job manager | the two steps of a cancel |
| `end:{task_id}` | worker or operator | how the attempt ended. Written once |
| `fence:{install_id}` | operator | the fencing token: the newest leader's number. Older ones are refused |
| `folders:{install_id}` | workers | job folders that they found after Redis lost data |
| `epoch` | operator | the sentinel: missing, of another run, or with fewer looks than are known, if Redis may have lost data |

    from reconstruction_operator.state import calls, worker_calls
    reply = calls.run(client, worker_calls.claim(Keys(), task_id=…, job_id=…, attempt=1, token=…, worker=…))
"""
