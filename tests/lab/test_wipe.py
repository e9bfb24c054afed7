"""A wiped pipeline is a fresh one, and every memory that a wipe empties matters."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from generator.lab.pipelines import Parts, Request, open_pipeline
from generator.lab.proof import Proof, prove, streamed

PARTS = Parts(device="cpu", dtype="float32", weights="random", tiny=True)
REQUEST = Request(prompt="a lake at dawn", width=32, height=32, steps=(1,), seed=7)
BEFORE = replace(REQUEST, prompt="a city at night, in the rain", seed=1)
MEMORIES = (*("kv-cache", "memory-bank", "cross-attention", "vae-features", "positions", "noise"),)


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


def test_another_size_in_between_leaves_nothing_behind() -> None:
    """Buffers of another size are made anew."""
    pipeline = open_pipeline("memflow", PARTS)
    first = streamed(pipeline, REQUEST, 2)
    pipeline.wipe()
    streamed(pipeline, replace(BEFORE, width=64, height=64), 3)
    pipeline.wipe()
    assert streamed(pipeline, REQUEST, 2) == first


@pytest.mark.parametrize("other", [{"prompt": "a lake at dusk"}, {"seed": 8}, {"steps": (3,)}])
def test_prompt_seed_and_steps_each_matter(other: dict[str, object]) -> None:
    pipeline = open_pipeline("memflow", PARTS)
    first = streamed(pipeline, REQUEST, 1)
    pipeline.wipe()
    assert streamed(pipeline, replace(REQUEST, **other), 1) != first  # type: ignore[arg-type]
