"""The Celery task: claim, steps, progress, stop, publish."""
