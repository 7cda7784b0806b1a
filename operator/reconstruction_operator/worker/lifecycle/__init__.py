"""Lifecycle of the Celery worker, as bootsteps: hardening, start-up checks, watchdog, registration, metrics server."""
