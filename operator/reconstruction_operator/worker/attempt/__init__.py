"""One attempt of a job, from claim to end. `driver` is the way in."""
