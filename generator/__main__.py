"""`python -m generator`, and `matrix-archive` where the package is installed."""

import gc
import os
import sys

from generator.cli import main

OBJECTS_BETWEEN_LOOKS = 20_000
"""For garbage: what is imported and read is none, and Python would look at it every 700."""


def run() -> int:
    """The command line, as a process of its own."""
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS)
    code = main()
    gc.freeze()  # before it ends Python looks for garbage once more, which is slow and in vain
    if code == 130:
        # An interrupt that struck inside exec() is remembered by CPython although it was handled,
        # and would end this process by a signal instead of with its exit code.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(run())
