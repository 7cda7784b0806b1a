"""Celery: its settings, the hardened transport, dispatch and acknowledgement."""
