"""Pages for the browser of this machine, served by this process for as long as it runs."""
