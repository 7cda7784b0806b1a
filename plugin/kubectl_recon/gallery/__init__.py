"""The web gallery as a client: reached by a port-forward, signed in with the user's own token."""
