"""Fault runs: break every real part around running jobs, and check each job. `python -m chaos --help`.

One run starts a control plane, a Redis, two operators and three workers, keeps 50 jobs unfinished, and injects faults in
rounds. Then it checks the invariants of `judge/invariants.py` for each job, from the outside.

    system     the parts, the proxies between them, and the users, who create, cancel, suspend and delete jobs
    faults     what can be broken and healed; `plan` puts them in the order that a seed gives
    running    the rounds, and the gathering of evidence; `recovery` waits until the jobs move again, and measures how late statuses are
    witnesses  what the API showed, the model processes' journals, results, copies, and what is left in Redis and files
    judge      facts as plain data, what a fault excuses, the checks by subject, the invariants, figures and the report
    models     the models that the workers run; `skew` shifts their clocks
"""
