"""`python -m generator`, and `matrix-archive` where the package is installed."""

import gc
import os
import signal
import sys
from types import FrameType

OBJECTS_BETWEEN_LOOKS = 20_000
"""For garbage: what is imported and read is none, and Python would look at it every 700."""
INTERRUPTED = 130


def run() -> int:
    """The command line, as a process of its own."""
    heeded = signal.getsignal(signal.SIGINT)
    if heeded is signal.default_int_handler:  # else Ctrl-C is not for us
        signal.signal(signal.SIGINT, _end_at_once)
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS)
    from generator.cli import main

    try:
        signal.signal(signal.SIGINT, heeded)
        code = main()
    except KeyboardInterrupt:  # before `main` listens, or again while it ends
        code = INTERRUPTED
    gc.freeze()  # before it ends Python looks for garbage once more, which is slow and in vain
    if code == INTERRUPTED:
        # An interrupt that struck inside exec() is remembered by CPython although it was handled,
        # and would end this process by a signal instead of with its exit code.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """While our own modules are loaded there is nothing to undo yet, and nobody to catch it."""
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(run())
