"""Job state in Redis: the protocol between operator and workers.

Every change of state is one Lua script that checks what it relies on, with Redis's own clock. A change is a value
(`Call`), made by the functions of `worker_calls` and `operator_calls`, and run by `run`, `arun` or `arun_all`.
Records are hashes: the scripts read the one or two fields that they need, and parse no JSON. `fields` reads the rest.

| key | written by | meaning |
|---|---|---|
| `job:{job_id}` | operator | the record: which attempt is wanted. Its number never decreases |
| `claim:{task_id}` | worker or operator | which delivery has begun the attempt (given once), in which epoch it last sent a heartbeat, and whether it ended |
| `alive:{task_id}` | worker | the run's heartbeat. A short absence decides nothing |
| `stop:{task_id}` | operator | why the attempt should stop. Final for it |
| `cancel_request:{job_id}`, `cancel:{job_id}` | operator, or the job manager | the two steps of a cancel |
| `end:{task_id}` | worker or operator | how the attempt ended. Written once |
| `cleaned:{job_id}` | worker | the job's files are deleted, as the operator ordered |
| `records:{install_id}` | operator | index of the jobs that have a record |
| `fence:{install_id}` | operator | the fencing token: the newest leader's number. Older ones are refused |
| `folders:{install_id}` | worker | job folders, reported at its start, every hour and in a new epoch |
| `worker:{node}`, `workers` | worker | registrations of live workers, and their index by expiry |
| `draining:{node}` | worker | when a worker that shuts down gives up its attempts |
| `models:{digest}` | worker | the models that workers announce |
| `checks:{pool}`, `checked:{install_id}` | operator, then worker | requests and results of preflights |
| `epoch` | operator | the sentinel. If it is missing, of another run, or has fewer looks than known, Redis may have lost data |

    from reconstruction_operator.state import calls, worker_calls
    reply = calls.run(client, worker_calls.claim(Keys(), task_id=…, job_id=…, attempt=1, token=…, worker=…))
"""
