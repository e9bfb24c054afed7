"""A real command in a process of its own, held to limits of time and memory, and how it ended."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ADDRESS_SPACE_BYTES = 1 << 30
LAUNCHER = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE_BYTES}, {ADDRESS_SPACE_BYTES}))
command = [sys.executable, "-m", "generator", *sys.argv[2:]]
_, status, usage = os.wait4(os.posix_spawn(sys.executable, command, os.environ), 0)
with open(sys.argv[1], "w") as file:
    file.write(f"{{os.waitstatus_to_exitcode(status)}} {{usage.ru_maxrss}}")
"""
"""Starts the command from a small process: a peak is inherited from whoever starts it."""
WALL_S = 90.0
"""A safety limit for busy machines: most inputs end within two seconds."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """Something a command is given, and the end that it must come to."""

    make: Callable[[Path], None]
    """Spoils a copy of the published sample project."""
    command: tuple[str, ...] = ("build",)
    """{root} stands for the project's folder."""
    code: int = 1
    says: str = ""
    """The line of the answer that names it, {root} for the project's folder."""
    peak_mib: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    peak_mib: float


def run(root: Path, *arguments: str) -> Ended:
    """`python -m generator <arguments>` in `root`, with 1 GiB of address space."""
    environment = {
        **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }

    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder)
        with (said / "out").open("wb") as out, (said / "err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, str(said / "end"), *arguments],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                process.wait(WALL_S)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        code, peak_kib = (said / "end").read_text().split()
        return Ended(
            code=int(code),
            out=(said / "out").read_text("utf-8", "replace"),
            err=(said / "err").read_text("utf-8", "replace"),
            peak_mib=int(peak_kib) / 1024,
        )


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file of a folder and the hash of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
