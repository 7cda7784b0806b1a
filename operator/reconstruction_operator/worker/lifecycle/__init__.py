"""The Celery worker's lifecycle, as bootsteps: hardening, start-up checks, watchdog, registration, metrics server."""
