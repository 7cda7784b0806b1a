"""Command line: options and help texts. The code of a command is imported when it runs, so that --help is fast."""
