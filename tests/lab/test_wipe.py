"""A wiped pipeline is a fresh one, and every memory that a wipe empties matters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from generator.lab.context import VaceContext
from generator.lab.pipelines import Parts, Request, open_pipeline
from generator.lab.proof import Proof, another, prove, streamed

PARTS = Parts(device="cpu", dtype="float32", weights="random", tiny=True, vace=True)
PIXELS = np.random.default_rng(4)
CONTEXT = VaceContext(
    references=(PIXELS.integers(0, 256, (20, 30, 3), np.uint8),),
    control=PIXELS.integers(0, 256, (21, 32, 32, 3), np.uint8),
    mask=PIXELS.integers(0, 256, (21, 32, 32), np.uint8),
)
REQUEST = Request(prompt="a lake at dawn", width=32, height=32, steps=(1,), seed=7, context=CONTEXT)
BEFORE = another(replace(REQUEST, prompt="a city at night, in the rain", seed=1))
MEMORIES = (
    *("kv-cache", "memory-bank", "cross-attention", "vae-features", "vace-context"),
    *("positions", "noise"),
)


@pytest.fixture(scope="module")
def proof() -> Proof:
    """11 chunks before, so that window and bank are full and have turned over."""
    return prove("memflow", PARTS, REQUEST, BEFORE, chunks=2, chunks_before=11)


def test_a_clip_after_a_wipe_is_the_clip_of_a_fresh_process(proof: Proof) -> None:
    assert proof.wiped == proof.fresh
    assert len(set(proof.fresh)) == 2, "chunks that are all alike would prove nothing"


@pytest.mark.parametrize("memory", MEMORIES)
def test_leaving_a_memory_out_is_noticed(proof: Proof, memory: str) -> None:
    """In its first chunk already."""
    assert proof.mutations[memory] == 0


def test_no_memory_is_left_out_of_the_proof(proof: Proof) -> None:
    assert tuple(proof.mutations) == MEMORIES
    assert proof.holds


@pytest.mark.parametrize(
    "context",
    [
        VaceContext(references=CONTEXT.references),
        VaceContext(control=CONTEXT.control),
        VaceContext(control=CONTEXT.control, mask=CONTEXT.mask),
    ],
    ids=["references", "control", "mask"],
)
def test_each_half_of_the_context_matters_to_the_proof(context: VaceContext) -> None:
    """References' latents and the encoder's features are kept apart; both are noticed."""
    pipeline = open_pipeline("memflow", PARTS)
    request = replace(REQUEST, context=context)
    first = streamed(pipeline, request, 2)

    def after(*but: str) -> tuple[str, ...]:
        pipeline.wipe()
        streamed(pipeline, another(request), 3)
        pipeline.wipe(but=frozenset(but))
        return streamed(pipeline, request, 2)

    assert after() == first
    assert after("vace-context")[0] != first[0]


def test_a_clip_whose_prompt_is_switched_leaves_nothing_behind() -> None:
    """Neither to one that is switched as well nor to one that is not; and each memory matters to
    it, the frame that waits for the bank and the latents for making keys anew among them."""
    pipeline = open_pipeline("memflow", replace(PARTS, vace=False))
    plain = replace(REQUEST, context=None)
    switched = replace(plain, switches=((2, "rain"), (5, "snow")))
    alone = {request: streamed(pipeline, request, 7) for request in (plain,)}
    pipeline.wipe()
    alone[switched] = streamed(pipeline, switched, 7)
    assert alone[switched][0] == alone[plain][0]
    assert alone[switched][2] != alone[plain][2]

    def after(request: Request, *but: str) -> tuple[str, ...]:
        pipeline.wipe()
        streamed(pipeline, replace(switched, seed=99, prompt="a forest"), 12)
        pipeline.wipe(but=frozenset(but))
        return streamed(pipeline, request, 7)

    for request, wanted in alone.items():
        assert after(request) == wanted
        for memory in pipeline.memories:
            assert after(request, memory) != wanted, memory


def test_another_size_in_between_leaves_nothing_behind() -> None:
    """Buffers of another size are made anew."""
    pipeline = open_pipeline("memflow", PARTS)
    first = streamed(pipeline, REQUEST, 2)
    pipeline.wipe()
    streamed(pipeline, replace(BEFORE, width=64, height=64, context=None), 3)
    pipeline.wipe()
    assert streamed(pipeline, REQUEST, 2) == first


@pytest.mark.parametrize("other", [{"prompt": "a lake at dusk"}, {"seed": 8}, {"steps": (3,)}])
def test_prompt_seed_and_steps_each_matter(other: dict[str, object]) -> None:
    pipeline = open_pipeline("memflow", PARTS)
    first = streamed(pipeline, REQUEST, 1)
    pipeline.wipe()
    assert streamed(pipeline, replace(REQUEST, **other), 1) != first  # type: ignore[arg-type]
