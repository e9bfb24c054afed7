"""`python -m generator`."""

import os
import sys

from generator.cli import main

if __name__ == "__main__":
    code = main()
    if code == 130:
        # An interrupt that struck inside exec() is remembered by CPython although it was handled,
        # and would end this process by a signal instead of with its exit code.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
