"""Notifications: sends what `planning.status.notifications` has written into a job's status, as CloudEvents over HTTP.

The status is the outbox. Each notification is sent at least once, in the order of its job, until the receiver accepts
it or its time is over, and is then marked. The parts, from the inside out:

- `cloudevent`: the event, and the headers of HTTP's binary mode
- `signature`: the key of a receiver, and the signature over id, time and body
- `sending`: one POST, to an address that the allowlist permits
- `notifier`: which job's notification is next, and what becomes of it
"""
