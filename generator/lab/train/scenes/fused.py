"""Heavy functions as few kernels of a GPU: torch.compile, within a budget of seconds.

Compiling takes time that a short run may not have, and how much is known only where it is done. So
functions are compiled as a first frame meets them, until the time is spent; the rest stay as they
are. So does one that takes half of what was left when it began, lest it leave nothing for those
behind it (an alarm of the system ends it, in a program's first thread). Either way the pictures are
the same up to rounding.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import torch

__all__ = ["Compiler", "Kernels", "fused"]

P = ParamSpec("P")
R = TypeVar("R")
LEAST_S = 5.0
"""What a function gets at least that is begun within the budget."""
_OPTIONS = {"triton.autotune_pointwise": False}
"""One shape of a kernel instead of two to six: each costs seconds with kernels as long as these."""
_MOST_GRAPHS = 32
"""Of one function: families, sizes and batches that a program may render. Past that it fails rather
than run slowly unseen."""


class Kernels:
    """What is called for each function, where all shapes are the same."""

    def __init__(self, budget_s: float) -> None:
        self.budget_s = budget_s
        self.called: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.seconds: dict[str, float] = {}
        """Of first calls, by function, in the order in which they were met."""
        self.eager: dict[str, str] = {}
        """Functions that are not compiled, and why not."""

    def of(self, function: Callable[P, R]) -> Callable[P, R]:
        found: Callable[P, R] | None = self.called.get(function)
        if found is not None:
            return found
        if sum(self.seconds.values()) >= self.budget_s:
            self.eager[function.__name__] = f"the {self.budget_s:g} s for compiling were spent"
            self.called[function] = function
            return function
        return self._first(function)

    def _first(self, function: Callable[P, R]) -> Callable[P, R]:
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            began, compiled = time.monotonic(), _compiled(function)
            left_s = max(LEAST_S, (self.budget_s - sum(self.seconds.values())) / 2)
            try:
                with _at_most(left_s):
                    out = compiled(*args, **kwargs)
                self.called[function] = compiled
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # whatever the compiler has: the frame can be had without
                self.eager[function.__name__] = f"{type(error).__name__}: {error}"[:2000]
                self.called[function] = function
                out = function(*args, **kwargs)
            self.seconds[function.__name__] = time.monotonic() - began
            return out

        return call


class Compiler:
    """Kernels by what shapes depend on, each with `budget_s` seconds for compiling."""

    def __init__(self, budget_s: float) -> None:
        self.budget_s = budget_s
        self.kernels: dict[tuple[Hashable, ...], Kernels] = {}

    def at(self, *place: Hashable) -> Kernels:
        return self.kernels.setdefault(place, Kernels(self.budget_s))

    def report(self) -> list[dict[str, Any]]:
        """For each place seconds of first calls by function, and what stayed eager and why."""
        return [
            {
                "place": " ".join(map(str, place)),
                "compile_s": round(sum(found.seconds.values()), 1),
                "functions": {name: round(s, 2) for name, s in found.seconds.items()},
                "eager": found.eager,
            }
            for place, found in self.kernels.items()
        ]


def fused(kernels: Kernels | None, function: Callable[P, R]) -> Callable[P, R]:
    """`function`, or with kernels the same as one graph of torch.compile.

    For functions of tensors without side effects that do not call `fused` themselves. What changes
    from call to call must come in tensors: every other number is built into the graph. So is which
    tensors are the same one; a loop begins with tensors apart where it goes on with such.
    """
    return function if kernels is None else kernels.of(function)


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the midst of what takes longer, again each second until it is heard.
    Without alarms, and outside of the first thread, nothing is ended."""
    first = threading.current_thread() is threading.main_thread()
    if not first or not hasattr(signal, "setitimer"):
        yield
        return
    over = False

    def ring(number: int, frame: object) -> None:
        if not over:
            raise TimeoutError(f"not compiled within {seconds:.0f} s")

    quiet = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # where it was ended would be told at length
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, min(seconds, 1e6), 1.0)
    try:
        try:
            yield
        finally:
            over = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        logging.disable(quiet)


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    import torch._dynamo as dynamo

    dynamo.config.recompile_limit = max(dynamo.config.recompile_limit, _MOST_GRAPHS)
    made: Callable[P, R] = torch.compile(function, fullgraph=True, dynamic=False, options=_OPTIONS)
    return made
