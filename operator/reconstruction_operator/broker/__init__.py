"""Broker: Celery's settings, the hardened transport and result backend, dispatch, acknowledgement, and the backlog of
messages.
"""
