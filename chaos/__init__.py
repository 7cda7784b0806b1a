"""Fault runs: break every real part around running jobs, and check each job. `python -m chaos --help`.

One run starts a control plane, a Redis, two operators and three workers, keeps 50 jobs unfinished, and injects faults in
rounds. Then it checks the invariants of `invariants.py` for each job, from the outside.

    scene, proxies   the parts, and the network between them
    load             the users, who create, cancel, suspend and delete jobs
    models, journal  the model processes' own journals
    faults, plan     what can be broken and healed, and the plan that a seed gives
    running          the rounds, and the gathering of evidence
    watcher          what the API showed
    results          the published results
    deliveries       the copies at `spec.output`
    remains          what is left in Redis and among the files
    evidence         the facts, as plain data
    excuses          what a fault excuses: pure
    invariants       the judge: pure
    report           the tables
    clock, polling   seconds since boot; waits
"""
