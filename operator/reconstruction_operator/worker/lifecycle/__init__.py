"""Lifecycle of the Celery worker, as bootsteps: start-up, watchdog, registration, metrics server."""
