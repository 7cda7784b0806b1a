"""Reconstruction models: photos in, a mesh with previews out.

A model implements `interface.Model` and is found by its entry point. It does not depend on Celery, Redis or Kubernetes.
"""
