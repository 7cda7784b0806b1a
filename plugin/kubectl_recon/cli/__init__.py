"""The command line. Options and help texts alone: what a command does is imported when it runs, so --help is quick."""
