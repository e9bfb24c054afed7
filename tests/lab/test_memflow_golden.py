"""The same function as the official MemFlow code: every chunk of whole runs, with one prompt and
with prompts that are switched, with dense and with sparse memory."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("safetensors", reason="the extra `lab` is not installed")

from official import (  # noqa: E402
    TOLERANCE,
    every_chunk_equals,
    official,
    weights_are_those_of,
)

from generator.lab import schedulers  # noqa: E402
from generator.lab.models.cache import KVCache, TextCache  # noqa: E402
from generator.lab.models.dit import CausalDiT  # noqa: E402


@pytest.mark.parametrize("name", ["memflow_32x48_4steps", "memflow_48x64_2steps"])
def test_every_chunk_equals_the_official_codes(name: str, dit: CausalDiT, cpu: Any) -> None:
    """Bank, window, sampler, clean pass: what differs anywhere differs in some chunk's latents."""
    run = official(name)
    weights_are_those_of(run, dit)
    pipeline = run.pipeline(dit, cpu)
    assert pipeline.step_list(run.request) == tuple(run.tensors["denoising_steps"].tolist())
    every_chunk_equals(run, pipeline)


@pytest.mark.parametrize(
    "name",
    [
        "memflow_switch_32x48_4steps",
        "memflow_switch_64x48_2steps",
        "memflow_sparse_switch_48x48_2steps",
        "memflow_sparse_48x32_3steps",
    ],
)
def test_switched_prompts_and_sparse_memory_equal_the_official_codes(
    name: str, dit: CausalDiT, cpu: Any
) -> None:
    """Switches where sink and window are made anew and where only the window is, with a bank that
    has room and one that is full; the first lies within a chunk, and takes effect at the next."""
    run = official(name)
    weights_are_those_of(run, dit, near=1e-3)
    every_chunk_equals(run, run.pipeline(dit, cpu))


def test_the_first_pass_equals_the_official_codes(dit: CausalDiT, cpu: Any) -> None:
    """With empty caches, apart from sampler and memory: flow, and the latents it points to."""
    run = official("memflow_32x48_4steps")
    golden = run.tensors
    x = golden["noise"][0, :3]
    cache = KVCache(dit.shape, 6, device=cpu, dtype=torch.float32)
    heard = TextCache()
    with torch.inference_mode():
        dit.read_text(run.embed("0"), heard)
        flow = dit(x, dit.modulation(1000.0), dit.rotation(0, 3, 2, 3), cache, heard)
    for got, wanted in (
        (flow, golden["first_flow"][0]),
        (schedulers.clean(x, flow, 1000.0), golden["first_x0"][0]),
    ):
        assert (got - wanted).abs().max() / wanted.abs().max() <= TOLERANCE
