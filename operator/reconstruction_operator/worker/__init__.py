"""Worker: runs attempts of jobs (`attempt`, `heartbeat`, `model`), checks inputs (`preflight`), deletes files
(`deleting`).

`lifecycle` holds the bootsteps of the Celery worker; `local` runs a model without Kubernetes and Redis.
"""
