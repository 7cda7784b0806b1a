"""The operator's process. In reading order:

| module | task |
|---|---|
| `process` | starts the operator, and stops it in order |
| `components` | constructs all components, and connects them |
| `entry` | all that the operator holds of one job |
| `supervision`, `probes` | stops the process if a task ends; serves health, readiness and metrics |
| `kube/` | Kubernetes: client, watch, cache, work queue, and the Lease |
| `redis_view/` | what the operator knows from Redis |
| `loop/` | the reconcile loop |
| `writes/` | writes of statuses and Events |
| `instruments`, `transition_log` | metrics, traces and log lines of each stored status |
"""
