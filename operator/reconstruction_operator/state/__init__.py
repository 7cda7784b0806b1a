"""Job state in Redis: the protocol between operator and workers.

Every change of state is one Lua script that checks what it relies on, with Redis's own clock. A change is a value
(`Call`), made by the functions of `worker_calls` and `operator_calls`, and run by `run`, `arun` or `arun_all`.
Records are hashes: the scripts read the one or two fields that they need, and parse no JSON. `fields` reads the rest.

`contract/keys.py` lists the keys; docs/protocol.md tells who writes them.

    from reconstruction_operator.state import calls, worker_calls
    reply = calls.run(client, worker_calls.claim(Keys(), task_id=…, job_id=…, attempt=1, token=…, worker=…))
"""
