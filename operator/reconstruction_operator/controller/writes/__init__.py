"""Writes to the API server: a fixed number at a time, so that a slow server gets fewer. In reading order:

| module | task |
|---|---|
| `status_writer`, `write_queue` | writes statuses, in the order of urgency |
| `event_recorder` | posts Events, one at a time |
| `publisher` | publishes the installation's info for every user |
"""
