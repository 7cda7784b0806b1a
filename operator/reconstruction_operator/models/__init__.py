"""Reconstruction models: photos in, a mesh with previews out.

A model implements `interface.Model` and is found by its entry point. It knows nothing of Celery, Redis or Kubernetes.
"""
