"""Kubernetes for all programs: operator, gallery, kubectl plugin and tools. It needs neither Celery nor Redis.

| module | task |
|---|---|
| `access`, `errors` | the API server's address and the credentials; what requests raise |
| `paths` | paths of objects |
| `parsing` | JSON of the API server: pages of lists, watch events and objects, whatever a tenant stored |
| `loglines` | which job a line of a log is about, and what it says to a user |
| `pages`, `reflector` | lists in bounded pages, and a list with a watch after it, for threads and event loops |
| `client` | requests from an event loop; it needs aiohttp, as no other module does |
"""
