"""Redis view: what the operator knows from Redis, and how old that knowledge is. In reading order:

| module | facts |
|---|---|
| `view` | all of them, with the clients |
| `connection` | whether Redis responds and kept its data; requests to compare everything again |
| `observer` | the state of a batch of jobs; for how long their workers have been silent |
| `queues`, `catalogue` | workers and messages of each queue; models of the workers |
| `messages` | sent messages that are missing |
"""
