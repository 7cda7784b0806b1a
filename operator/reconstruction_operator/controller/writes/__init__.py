"""Writes to the API server: statuses and Events, their queues, and the rate that the server takes."""
