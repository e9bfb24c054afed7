"""The transformer against diffusers' own, against its size on paper, and against its twins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
diffusers = pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from generator.lab.models import weights  # noqa: E402
from generator.lab.models.cache import KVCache, TextCache  # noqa: E402
from generator.lab.models.dit import CausalDiT  # noqa: E402
from generator.lab.pipelines.memflow import TINY_DIT  # noqa: E402
from generator.measure.roofline import WAN_1_3B  # noqa: E402


def first_flow(model: CausalDiT, x: Any, timestep: float, embeds: Any) -> Any:
    _, _, height, width = x.shape
    cache = KVCache(model.shape, height * width // 4, device=x.device, dtype=x.dtype)
    heard = TextCache()
    with torch.inference_mode():
        model.read_text(embeds, heard)
        rotation = model.rotation(0, x.shape[0], height // 2, width // 2)
        return model(x, model.modulation(timestep), rotation, cache, heard)


def test_a_first_chunk_is_what_diffusers_computes(tmp_path: Path, cpu: Any) -> None:
    """Without a past, a chunk is a short video: WanTransformer3DModel on the same weights agrees.

    They come through a folder that diffusers wrote, names and configuration translated.
    """
    torch.manual_seed(3)
    theirs = diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=24,
        in_channels=16,
        out_channels=16,
        text_dim=20,
        freq_dim=32,
        ffn_dim=64,
        num_layers=2,
    ).eval()
    weights.fill_randomly(theirs, 7)
    theirs.save_pretrained(tmp_path)
    ours, _ = weights.from_pretrained(tmp_path, device=cpu, dtype=torch.float32)
    x = torch.randn(3, 16, 6, 4)
    embeds = torch.randn(9, 20)
    padded = torch.nn.functional.pad(embeds, (0, 0, 0, 512 - 9)).unsqueeze(0)

    with torch.inference_mode():
        wanted = (
            theirs(
                hidden_states=x.transpose(0, 1).unsqueeze(0),
                timestep=torch.tensor([731.0]),
                encoder_hidden_states=padded,
            )
            .sample[0]
            .transpose(0, 1)
        )

    got = first_flow(ours, x, 731.0, embeds)
    assert (got - wanted).abs().max() / wanted.abs().max() < 1e-5


def test_the_full_size_has_as_many_parameters_as_published() -> None:
    """1,419 M in all, 46.44 M a layer; counted without allocating one."""
    with torch.device("meta"):
        model = CausalDiT(WAN_1_3B)
    assert sum(p.numel() for p in model.parameters()) == 1_418_996_800
    layer = sum(p.numel() for p in model.blocks[0].parameters())
    assert round(layer / 1e6, 2) == 46.44


def test_the_short_clean_pass_keeps_what_the_whole_one_keeps(cpu: Any) -> None:
    """Leaving out what comes after the last keys changes no bit of them."""
    model = weights.build(TINY_DIT, device=cpu, dtype=torch.float32)
    weights.fill_randomly(model, 4)
    x = torch.randn(3, 16, 4, 6, generator=torch.Generator().manual_seed(1))
    heard = TextCache()
    caches = [KVCache(TINY_DIT, 6, device=cpu, dtype=torch.float32) for _ in range(2)]
    with torch.inference_mode():
        model.read_text(torch.ones(3, TINY_DIT.text_dim), heard)
        rotation, modulation = model.rotation(0, 3, 2, 3), model.modulation(0.0)
        model(x, modulation, rotation, caches[0], heard)
        model.remember(x, modulation, rotation, caches[1], heard)
    assert torch.equal(caches[0].k, caches[1].k)
    assert torch.equal(caches[0].v, caches[1].v)
    assert caches[0].k.abs().sum() > 0


def test_positions_end_where_the_table_ends(cpu: Any) -> None:
    """341 chunks have positions; the official code would read beyond its table at the 342nd."""
    model = weights.build(TINY_DIT, device=cpu, dtype=torch.float32)
    assert TINY_DIT.most_chunks == 341
    model.rotation(340 * 3, 3, 1, 1)
    with pytest.raises(ValueError, match="341 chunks"):
        model.rotation(341 * 3, 3, 1, 1)


def test_positions_are_relative_to_attention(cpu: Any) -> None:
    """A chunk later in time, alone in the cache, gives the same flow: turns cancel in q k."""
    model = weights.build(replace(TINY_DIT, layers=1), device=cpu, dtype=torch.float32)
    weights.fill_randomly(model, 4)
    x = torch.randn(3, 16, 4, 6, generator=torch.Generator().manual_seed(1))
    heard = TextCache()
    flows = []
    with torch.inference_mode():
        model.read_text(torch.ones(3, TINY_DIT.text_dim), heard)
        for first in (0, 600):
            cache = KVCache(model.shape, 6, device=cpu, dtype=torch.float32)
            rotation = model.rotation(first, 3, 2, 3)
            flows.append(model(x, model.modulation(500.0), rotation, cache, heard))
    torch.testing.assert_close(flows[0], flows[1], atol=1e-4, rtol=1e-4)
