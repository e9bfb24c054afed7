"""Proof that a wipe wipes: a clip made after another one is the same, bit for bit, as the same clip
from a fresh process; and leaving out any one memory is noticed.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

from generator.lab.pipelines import Parts, Pipeline, Request, open_pipeline

__all__ = ["Proof", "another", "fresh", "prove", "streamed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of it. Digests are sha256 of each chunk's pictures."""

    fresh: tuple[str, ...]
    """From a process of its own."""
    wiped: tuple[str, ...]
    """From a pipeline that had made another clip, and was wiped."""
    mutations: Mapping[str, int | None]
    """Memory that was left as it was -> the first chunk, from 0, that came out otherwise; None
    where nothing was noticed, which would make the proof worthless for it."""

    @property
    def identical(self) -> bool:
        return self.fresh == self.wiped

    @property
    def holds(self) -> bool:
        return self.identical and all(chunk is not None for chunk in self.mutations.values())


def prove(
    name: str, parts: Parts, request: Request, before: Request, *, chunks: int, chunks_before: int
) -> Proof:
    """Make `request` in a fresh process, then here after `before`, wiped; then once for each
    memory, leaving that one as `before` left it."""
    pipeline = open_pipeline(name, parts)
    import torch  # at hand, or there were no pipeline

    threads = torch.get_num_threads()  # sums are rounded in the order that threads make
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as processes:
        alone = processes.submit(fresh, name, parts, request, chunks, threads).result()

    def after(but: frozenset[str]) -> tuple[str, ...]:
        pipeline.wipe()
        streamed(pipeline, before, chunks_before)
        pipeline.wipe(but=but)
        return streamed(pipeline, request, chunks)

    wiped = after(frozenset())
    return Proof(
        fresh=alone,
        wiped=wiped,
        mutations={
            memory: _first_other(after(frozenset({memory})), alone) for memory in pipeline.memories
        },
    )


def another(request: Request, prompt: str = "") -> Request:
    """A clip to make before `request`: of its size, and other in all that memories hold. `prompt`
    is one that reads otherwise, where a few more words do not."""
    context = request.context
    if context is not None:
        context = replace(
            context,
            references=tuple(255 - picture for picture in context.references),
            control=None if context.control is None else 255 - context.control,
        )
    return replace(
        request,
        prompt=prompt or f"{request.prompt} Another scene.",
        seed=request.seed + 1,
        context=context,
    )


def fresh(name: str, parts: Parts, request: Request, chunks: int, threads: int) -> tuple[str, ...]:
    """Digests from a pipeline that has done nothing before, in a process that has not either."""
    import torch

    torch.set_num_threads(threads)
    return streamed(open_pipeline(name, parts), request, chunks)


def streamed(pipeline: Pipeline, request: Request, chunks: int) -> tuple[str, ...]:
    """Digests of the next chunks, whatever the memories hold."""
    pipeline.prepare(request)
    return tuple(
        hashlib.sha256(frames.tobytes()).hexdigest() for frames in islice(pipeline.stream(), chunks)
    )


def _first_other(one: tuple[str, ...], other: tuple[str, ...]) -> int | None:
    pairs = enumerate(zip(one, other, strict=True))
    return next((chunk for chunk, (a, b) in pairs if a != b), None)
