"""A Firefox that tests can talk to, through tests/browser/bidi.mjs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firefox import Found

SCRIPT = Path(__file__).resolve().with_suffix(".mjs")
PATIENCE_S = 60.0


class Firefox:
    """One page in one Firefox."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.complaints: list[str] = []
        """What pages wrote to the console, and errors that nobody caught."""

    def open(self, url: str, *, width: int = 1200, height: int = 900) -> None:
        """Show a page in place of the one before."""
        self._order(do="open", url=url, width=width, height=height)

    def ask(self, code: str, *given: object) -> Any:
        """What an expression comes to in the page; a function is called with `given`."""
        call = f"({code})({', '.join(map(json.dumps, given))})" if "=>" in code else code
        return self._order(do="ask", code=call)

    def press(self, key: str) -> None:
        self._order(do="press", key=key)

    def until(self, condition: str, *given: object) -> None:
        """Wait for a condition to come true.

        Raises:
            TimeoutError: it did not.
        """
        end = time.monotonic() + PATIENCE_S
        while not self.ask(condition, *given):
            if time.monotonic() > end:
                raise TimeoutError(f"never came true: {condition} {given}")
            time.sleep(0.05)

    @property
    def version(self) -> str:
        return str(self._order(do="version"))

    def _order(self, **order: object) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("Firefox or its driver has ended")
        told = json.loads(line)
        self.complaints += told["complaints"]
        if "error" in told:
            raise RuntimeError(f"{order}: {told['error']}")
        return told["answer"]


@contextmanager
def open_firefox(found: Found) -> Iterator[Firefox]:
    """A headless Firefox, closed at the end."""
    command = [found.node, str(SCRIPT), str(found.driver), found.firefox]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        try:
            yield Firefox(process)
            assert process.stdin
            process.stdin.close()
            process.wait(PATIENCE_S)
        finally:
            process.kill()
