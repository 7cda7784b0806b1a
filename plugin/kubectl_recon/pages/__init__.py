"""Pages for a browser on this machine, served by this process while it runs."""
