"""Redis view: what the operator knows from Redis, and how old that knowledge is."""
