"""Kubernetes: reads jobs into the cache, and holds the Lease, by the client and the parser of
`reconstruction_operator.kube`. In reading order:

| module | task |
|---|---|
| `objects` | JSON of jobs, decoded to `planning`'s Job |
| `listing`, `watch`, `feed` | lists, kopf's watch with its handler, and what kopf gets of each event |
| `cache`, `counts`, `work_queue` | the newest version of every job, their numbers, and the jobs to reconcile |
| `lease` | leader election, which also writes the Lease |
| `installation` | this installation: its id, its Lease and its namespaces |
"""
