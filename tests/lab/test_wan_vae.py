"""Decoding chunk by chunk against diffusers' decoding of the whole."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from generator.lab.models import vae as vaes  # noqa: E402
from generator.lab.models import weights  # noqa: E402
from generator.lab.pipelines.memflow import TINY_VAE  # noqa: E402


@pytest.fixture(scope="module")
def vae(cpu: Any) -> Any:
    built = vaes.build_vae(TINY_VAE, device=cpu, dtype=torch.float32)
    weights.fill_randomly(built, 11)
    return built


@pytest.fixture(scope="module")
def latents() -> Any:
    return torch.randn(9, 16, 4, 6, generator=torch.Generator().manual_seed(8))


@torch.inference_mode()
def whole(vae: Any, latents: Any) -> Any:
    """As diffusers decodes a finished video."""
    config = vae.config
    mean = torch.tensor(config.latents_mean).view(1, -1, 1, 1, 1)
    std = torch.tensor(config.latents_std).view(1, -1, 1, 1, 1)
    z = latents.transpose(0, 1).unsqueeze(0) * std + mean
    return vae.decode(z).sample[0].transpose(0, 1)


@torch.inference_mode()
def streamed(decoder: vaes.StreamingDecoder, latents: Any, sizes: list[int]) -> Any:
    decoder.wipe()
    return torch.cat([decoder.decode(part) for part in latents.split(sizes)])


@pytest.mark.parametrize("sizes", [[3, 3, 3], [1, 4, 4], [9], [1] * 9])
def test_streamed_frame_by_frame_it_is_diffusers_to_the_bit(
    vae: Any, latents: Any, sizes: list[int]
) -> None:
    """Chunking changes when pictures appear, never what they show."""
    decoder = vaes.StreamingDecoder(vae, batched=False)
    got = streamed(decoder, latents, sizes)
    assert got.shape == (33, 3, 32, 48)
    assert torch.equal(got, whole(vae, latents))


@pytest.mark.parametrize("sizes", [[3, 3, 3], [1, 4, 4], [9], [2, 7]])
def test_several_latents_in_one_call_give_the_same_pictures(
    vae: Any, latents: Any, sizes: list[int]
) -> None:
    """The fast path differs by rounding only: less than 2e-5 on one processor, 3.3e-5 on another,
    where convolutions of another number of frames sum in another order."""
    fast = streamed(vaes.StreamingDecoder(vae), latents, sizes)
    slow = streamed(vaes.StreamingDecoder(vae, batched=False), latents, [1] * 9)
    torch.testing.assert_close(fast, slow, atol=5e-5, rtol=0)
    assert slow.std() > 0.05, "pictures of one grey would prove nothing"


def test_a_wiped_decoder_begins_with_one_frame(vae: Any, latents: Any) -> None:
    decoder = vaes.StreamingDecoder(vae)
    with torch.inference_mode():
        counts = [len(decoder.decode(latents[:3])) for _ in range(2)]
        decoder.wipe()
        counts.append(len(decoder.decode(latents[:3])))
    assert counts == [9, 12, 9]
