"""Run a program alone: no terminal, no environment, no network, and bounds on all it can use up.

Whatever reads untrusted media runs through here, so that a crash, a hang or a hunger in a decoder
ends one child process and not the build. The bounds stand before the program's first
instruction: `prlimit`, `setpriv` and `unshare` of util-linux each set theirs and then become the
program, which needs no code of ours between fork and exec (unsafe beside threads) and 8 ms, where
an interpreter would need 30. What of them does not work here is left out; `door` says so.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from generator.errors import MediaError

SAID_BYTES = 64 << 10
"""How much is kept of the end of what a program says on standard error."""
STRAGGLERS_S = 5
"""How long the pipes of a program that has ended are waited for."""

CANNOT_PASS_ON_KILL = "unshare: sigprocmask unblock failed"
"""What `unshare` says, with status 1, where SIGKILL ended the program that it waits for."""
SHORTER = "shorten the clip or export it anew"

NAMESPACES = ("--net", "--pid", "--kill-child")
"""A network without interfaces; processes that all die with the first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one program may use up."""

    wall_s: float
    cpu_s: int
    memory_bytes: int
    """Address space of each process."""
    file_bytes: int = 0
    """Size of each file that it writes."""
    answer_bytes: int = 1 << 20
    """What it may write to standard output."""
    open_files: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended: negative status means the signal that ended it."""

    status: int
    output: bytes
    said: str
    """Standard error, its end where it is long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Which parts of the way into a program work on this system."""

    bounded_first: bool
    """Its limits are set before it starts; else right afterwards, where the system can."""
    dies_with_us: bool
    """The system ends it when this process dies, even by SIGKILL."""
    namespaces: tuple[str, ...]
    """Arguments of `unshare`; without any it keeps the network, and what leaves its group lives."""


def run_alone(command: Sequence[str], *, about: str, limits: Limits) -> Finished:
    """Run `command`, an absolute path and its arguments, to its end in a session of its own.

    Raises MediaError, naming what the work was `about`, when it oversteps a limit that ends it.
    However it ends, nothing that it started is left. `end_all` ends it from another thread.
    """
    with _guard:
        child = _Child(command, limits)
        _running.add(child)
    stopped = f"stopped after {limits.wall_s:g} s; {SHORTER}"
    deadline = threading.Timer(limits.wall_s, child.end, [stopped])
    deadline.daemon = True
    deadline.start()
    try:
        finished = child.finish()
    finally:
        child.reap()
        deadline.cancel()
        with _guard:
            _running.discard(child)
    why_ended = child.why_ended or _overstepped(finished.status, limits)
    if why_ended:
        raise MediaError(f"{about}: {why_ended}")
    return finished


def end_all() -> None:
    """End every program that `run_alone` has under way in any thread: the build is interrupted."""
    with _guard:
        for child in _running:
            child.end("interrupted; build again")


class Kept:
    """A program that is started once and asked many times, one question at a time.

    It answers a line with a line `STATUS LENGTH` and that many bytes, and is to do the work itself
    in a process that it forks. Bounded like any other, and only where a namespace holds all that
    it starts (`can_keep`).
    """

    def __init__(self, command: Sequence[str], limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [*_leading_in(limits), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        with _guard:
            _running.add(self)

    def ask(self, question: bytes) -> bytes | None:
        """The answer to one line; None where there is none, and then there will be no other."""
        deadline = threading.Timer(self._limits.wall_s, self.end)
        deadline.daemon = True
        deadline.start()
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        try:
            asked.write(question + b"\n")
            asked.flush()
            status, length = map(int, answers.readline(64).split())
            if status == 0 and 0 <= length <= self._limits.answer_bytes:
                answer = answers.read(length)
                if len(answer) == length:
                    return answer
        except (OSError, ValueError):
            pass
        finally:
            deadline.cancel()
        self.end()
        return None

    def end(self, why: str = "") -> None:
        """Kill it, with all that it started."""
        with self._lock:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def close(self) -> None:
        self.end()
        with _guard:
            _running.discard(self)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):  # what it was asked last, perhaps
                    pipe.close()


def can_keep() -> bool:
    """Whether this system can run a `Kept` program."""
    return door().bounded_first and bool(door().namespaces)


class _Child:
    """A program under way. It is ended with its group, and never after its number was given up."""

    def __init__(self, command: Sequence[str], limits: Limits) -> None:
        self.why_ended = ""
        self._reaped = False
        self._lock = threading.Lock()
        self._most = limits.answer_bytes
        self._answer, self._said = bytearray(), bytearray()
        self._process = subprocess.Popen(
            [*_leading_in(limits), *command],
            bufsize=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        if not door().bounded_first:
            _limit(self._process.pid, limits)
        self._listeners = [
            threading.Thread(target=self._hear, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._keep_end, args=(self._process.stderr,), daemon=True),
        ]
        for listener in self._listeners:
            listener.start()

    def end(self, why: str) -> None:
        with self._lock:
            if not self._reaped:
                self.why_ended = self.why_ended or why
                self._kill()

    def finish(self) -> Finished:
        """Wait for its end and all that it says."""
        _until_ended(self._process)
        status = self.reap()
        for listener in self._listeners:
            listener.join(STRAGGLERS_S)
        if any(listener.is_alive() for listener in self._listeners):
            self.why_ended = self.why_ended or f"something that it started outlived it; {SHORTER}"
        said = self._said.decode("utf-8", errors="replace")
        if status == 1 and CANNOT_PASS_ON_KILL in said:
            status, said = -signal.SIGKILL, said.partition(CANNOT_PASS_ON_KILL)[0]
        return Finished(status=status, output=bytes(self._answer), said=said)

    def reap(self) -> int:
        """End it, with whatever it left behind, and give up its number."""
        with self._lock:
            if not self._reaped:
                self._kill()
            self._reaped = True
            return self._process.wait()

    def _hear(self, pipe: IO[bytes]) -> None:
        for part in _parts(pipe):
            if len(self._answer) + len(part) > self._most:
                self.end(f"stopped, as it answered with more than {_size(self._most)}; {SHORTER}")
            else:
                self._answer += part

    def _keep_end(self, pipe: IO[bytes]) -> None:
        for part in _parts(pipe):
            self._said += part
            del self._said[:-SAID_BYTES]

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()


_running: set[_Child | Kept] = set()
_guard = threading.Lock()


def _until_ended(process: subprocess.Popen[bytes]) -> None:
    """Wait, but leave the number of the ended process taken where that can be asked for."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


def _parts(pipe: IO[bytes]) -> Iterator[bytes]:
    with pipe:
        while part := pipe.read(1 << 16):
            yield part


def _overstepped(status: int, limits: Limits) -> str:
    """Which limit an end by signal tells of; "" where it tells of none."""
    name = signal.Signals(-status).name if status < 0 else ""
    if name in ("SIGKILL", "SIGXCPU"):
        return (
            f"ended by the system, which grants {limits.cpu_s} s of processor "
            f"and {_size(limits.memory_bytes)} of memory; {SHORTER}"
        )
    if name == "SIGXFSZ":
        return f"ended, as it wrote a file of more than {_size(limits.file_bytes)}; {SHORTER}"
    return ""


def _size(count: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"


# The way in


@functools.cache
def door() -> Door:
    """What works here, found out once by trying it."""
    prlimit, setpriv, unshare = (_tool(name) for name in ("prlimit", "setpriv", "unshare"))
    works = [prlimit, "--version"] if prlimit else []
    dying = [*_dying_with_us(setpriv), *works]
    return Door(
        bounded_first=bool(prlimit) and _answers([prlimit, "--core=0", *works]),
        dies_with_us=bool(works and setpriv) and _answers(dying),
        namespaces=next(
            (
                names
                for names in (NAMESPACES, ("--map-root-user", *NAMESPACES))
                if works and unshare and _answers([unshare, *names, *works])
            ),
            (),
        ),
    )


def _leading_in(limits: Limits) -> list[str]:
    """The programs that lead into another, each becoming the next."""
    known = door()
    return [
        *(_bounding(_tool("prlimit"), limits) if known.bounded_first else ()),
        *(_dying_with_us(_tool("setpriv")) if known.dies_with_us else ()),
        *((_tool("unshare"), *known.namespaces) if known.namespaces else ()),
    ]


def _bounding(prlimit: str, limits: Limits) -> list[str]:
    named = {"AS": "as", "CPU": "cpu", "FSIZE": "fsize", "NOFILE": "nofile", "CORE": "core"}
    return [prlimit, *(f"--{named[kind]}={most}" for kind, most in _bounds(limits))]


def _dying_with_us(setpriv: str) -> list[str]:
    return [setpriv, "--pdeathsig", "KILL"]


def _bounds(limits: Limits) -> list[tuple[str, int]]:
    """(kind, bound), never above what this process itself must keep to."""
    import resource

    wanted = {
        "AS": limits.memory_bytes,
        "CPU": limits.cpu_s,
        "FSIZE": limits.file_bytes,
        "NOFILE": limits.open_files,
        "CORE": 0,
    }
    kept = []
    for kind, most in wanted.items():
        _, own = resource.getrlimit(getattr(resource, f"RLIMIT_{kind}"))
        kept.append((kind, most if own == resource.RLIM_INFINITY else min(most, own)))
    return kept


def _limit(pid: int, limits: Limits) -> None:
    """Bound a program that has just started: where there is no `prlimit`, but a Linux."""
    try:
        import resource

        prlimit = resource.prlimit
    except (ImportError, AttributeError):
        return
    for kind, most in _bounds(limits):
        with contextlib.suppress(ProcessLookupError, PermissionError, ValueError):
            prlimit(pid, getattr(resource, f"RLIMIT_{kind}"), (most, most))


@functools.cache
def _tool(name: str) -> str:
    """Where a program is; "" where there is none."""
    found = shutil.which(name)
    return str(Path(found).absolute()) if found else ""


def _answers(command: Sequence[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_environment(),
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _environment() -> dict[str, str]:
    """Nothing, save what Windows needs to start any program."""
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
