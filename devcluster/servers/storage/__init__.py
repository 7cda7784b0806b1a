"""Object storage on this machine: an S3 server, and emulators of other clouds."""
