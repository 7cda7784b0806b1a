"""Redis view: what the operator knows from Redis, and how long ago it was true."""
