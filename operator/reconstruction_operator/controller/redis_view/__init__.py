"""What the operator knows from Redis: observations, liveness, epochs, queues."""
