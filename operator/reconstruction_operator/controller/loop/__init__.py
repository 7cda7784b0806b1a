"""The reconcile loop. In reading order:

| module | task |
|---|---|
| `reconciler` | takes jobs from the work queue, and runs all steps for them |
| `planner` | plans the observed jobs, and the reports on jobs that another installation manages |
| `actor` | carries out the actions of plans |
| `admission`, `waiting` | choose the jobs to dispatch from those that wait here, by the load of the queues |
| `preflight` | has workers check the inputs of waiting jobs |
| `polling` | enqueues jobs whose state in Redis changed |
| `sweeper` | carries out resyncs, and finds orphans |
| `orphans` | cleans up after deleted objects |
| `brake` | holds deletions that a loss of data may have caused |
"""
