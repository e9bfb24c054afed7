"""The roofline's counts against torch's own counter, on real modules at small sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from generator.lab.models import attention, weights  # noqa: E402
from generator.lab.models import vae as vaes  # noqa: E402
from generator.lab.models.cache import KVCache, TextCache  # noqa: E402
from generator.lab.pipelines.memflow import TINY_DIT, TINY_VAE  # noqa: E402
from generator.measure import roofline  # noqa: E402


def plain_attention() -> Any:
    """The counter knows no formula for the CPU's fused attention."""
    return attention.using("math")


@pytest.mark.parametrize("size", [(64, 32), (48, 80)])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_pass_of_every_chunk_counts_the_same(
    size: tuple[int, int], layers: int, cpu: Any
) -> None:
    """To the last operation, from the first chunk to the steady state."""
    shape = replace(TINY_DIT, layers=layers)
    width, height = size
    model = weights.build(shape, device=cpu, dtype=torch.float32)
    weights.fill_randomly(model, 0)
    cache = KVCache(
        shape, roofline.tokens_per_frame(shape, width, height), device=cpu, dtype=torch.float32
    )
    heard = TextCache()
    x = torch.randn(3, 16, height // 8, width // 8)
    with torch.no_grad():
        model.read_text(torch.ones(2, shape.text_dim), heard)
        modulation = model.modulation(500.0)
        for chunk in range(9):
            cache.remember(chunk, heard.filled()[0])
            rotation = model.rotation(3 * chunk, 3, height // 16, width // 16)
            with plain_attention(), FlopCounterMode(display=False) as counter:
                model(x, modulation, rotation, cache, heard)
            wanted = roofline.dit_pass(shape, width, height, chunk=chunk).flop
            assert counter.get_total_flops() == wanted, f"chunk {chunk}"
            cache.advance()
        assert wanted == roofline.dit_pass(shape, width, height).flop
        with FlopCounterMode(display=False) as counter:
            model.modulation(500.0)
        assert counter.get_total_flops() == roofline.time_flop(shape, 1)


@pytest.mark.parametrize(
    "shape", [TINY_VAE, replace(TINY_VAE, base=4, multiples=(1, 2, 4, 4), resnets=2)]
)
@pytest.mark.parametrize("latent_frames", [1, 3])
def test_decoding_a_chunk_counts_the_same(
    shape: roofline.VAEShape, latent_frames: int, cpu: Any
) -> None:
    """diffusers' decoder in the middle of a stream."""
    vae = vaes.build_vae(shape, device=cpu, dtype=torch.float32)
    weights.fill_randomly(vae, 0)
    decoder = vaes.StreamingDecoder(vae)
    with torch.no_grad():
        decoder.decode(torch.randn(3, 16, 4, 6))
        with plain_attention(), FlopCounterMode(display=False) as counter:
            decoder.decode(torch.randn(latent_frames, 16, 4, 6))
    wanted = roofline.vae_chunk(shape, 48, 32, latent_frames=latent_frames).flop
    assert counter.get_total_flops() == wanted
