"""The worker: one attempt of a job, the model process, and the worker's own lifecycle."""
