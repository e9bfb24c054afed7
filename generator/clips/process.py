"""Run a program alone: no terminal, no environment, bounded memory, and a deadline.

Whatever reads untrusted media runs through here, so that a crash or a hang in a decoder ends
one child process and not the build.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from generator.errors import MediaError

MAX_FILE_BYTES = 4 << 30
MAX_ADDRESS_SPACE_BYTES = 8 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended: negative status means the signal that ended it."""

    status: int
    output: bytes
    said: str
    """Standard error."""


_running: set[subprocess.Popen[bytes]] = set()
_guard = threading.Lock()


def end_all() -> None:
    """End every program that `run_alone` has under way in any thread: the build is interrupted."""
    with _guard:
        for process in _running:
            _end(process)


def run_alone(command: Sequence[str], *, about: str, deadline_s: float) -> Finished:
    """Run `command` to its end in a session of its own.

    Raises MediaError, naming what the work was `about`, when it takes longer than `deadline_s`
    of real time; then it and all it started are ended. `end_all` does so from another thread.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
        start_new_session=True,
    ) as process:
        _limit(process.pid)
        with _guard:
            _running.add(process)
        try:
            output, said = process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            _end(process)
            raise MediaError(
                f"{about}: stopped after {deadline_s:g} s; shorten the clip or export it anew"
            ) from None
        except BaseException:
            _end(process)
            raise
        finally:
            with _guard:
                _running.discard(process)
    return Finished(
        status=process.returncode, output=output, said=said.decode("utf-8", errors="replace")
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None and hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _limit(pid: int) -> None:
    """Bound memory and file size of a child, where the system can (Linux)."""
    try:
        import resource

        prlimit = resource.prlimit
    except (ImportError, AttributeError):
        return
    for kind, bound in (
        (resource.RLIMIT_AS, MAX_ADDRESS_SPACE_BYTES),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            prlimit(pid, kind, (bound, bound))
        except (ProcessLookupError, PermissionError, ValueError):
            continue  # it has ended, or stands under a stricter bound already


def _environment() -> dict[str, str]:
    """Nothing, save what Windows needs to start any program."""
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
