"""Writes to the API server, at the rate that it can handle. In reading order:

| module | task |
|---|---|
| `status_writer`, `write_queue` | writes statuses, in the order of urgency |
| `event_recorder`, `event_queue` | posts Events, after the statuses |
| `write_budget` | the rate of all writes |
"""
