"""Starts the demo. Its imports take seconds; until they are done, Ctrl-C ends it without a traceback."""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from demo.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
