"""Fault runs: break every real part around running jobs, and check each job. `python -m chaos --help`.

One run starts a control plane, a Redis, two operators and three workers, keeps 50 jobs unfinished, and injects faults
in rounds. Then it checks the invariants of `judge/invariants.py` for each job by what can be observed from outside.

    system     the parts, the proxies between them, and the users, who create, cancel, suspend and delete jobs
    faults     the faults and how each is healed; `plan` orders them by a seed
    running    the rounds, and the collection of evidence; `recovery` waits until the jobs progress, and measures
               late statuses
    witnesses  what the API showed, the model processes' journals, results, copies, and what is left in Redis and files
    judge      evidence as plain data, excuses, checks by subject, invariants and the report
    models     the models that the workers run; `skew` shifts the workers' clocks
"""
