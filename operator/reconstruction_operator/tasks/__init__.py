"""The Celery tasks: Celery in, Celery out. `worker` does the work."""
