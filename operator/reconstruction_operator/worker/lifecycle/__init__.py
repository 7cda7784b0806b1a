"""The Celery worker's lifecycle: registration, metrics server, watchdog, start-up checks."""
