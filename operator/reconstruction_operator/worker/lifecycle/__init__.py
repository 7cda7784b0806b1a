"""The Celery worker's lifecycle, as bootsteps: start-up checks, watchdog, registration, metrics server."""
