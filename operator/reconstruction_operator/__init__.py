"""Kubernetes operator and Celery workers for 3D reconstruction."""
