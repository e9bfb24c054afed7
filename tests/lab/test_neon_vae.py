"""Neon's autoencoder: a stream is the whole, the past does not know the future, work is counted."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from generator.lab.models.neon_vae import TINY_NEON_VAE, NeonDecoder, NeonVAE  # noqa: E402
from generator.lab.models.weights import fill_randomly  # noqa: E402
from generator.measure import roofline  # noqa: E402


@pytest.fixture(scope="module")
def vae() -> NeonVAE:
    made = NeonVAE(TINY_NEON_VAE).eval().requires_grad_(False)
    fill_randomly(made, 3)
    made.latents_mean.copy_(torch.linspace(-0.2, 0.2, 16))
    made.latents_std.copy_(torch.linspace(0.5, 1.5, 16))
    return made


def video(frames: int, seed: int = 1) -> Any:
    return torch.rand(2, frames, 3, 24, 16, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("chunk", [1, 2, 3, 6])
def test_streamed_decoding_equals_whole_decoding(vae: NeonVAE, chunk: int) -> None:
    """Chunking changes when frames appear, never what they show."""
    latents = torch.randn(6, 16, 3, 2, generator=torch.Generator().manual_seed(2))
    decoder = NeonDecoder(vae)
    whole = vae.decode(latents.unsqueeze(0))[0].clamp(0, 1)
    streamed = torch.cat([decoder.decode(part) for part in latents.split(chunk)])
    torch.testing.assert_close(streamed, whole, rtol=0, atol=2e-6)
    decoder.wipe()
    torch.testing.assert_close(decoder.decode(latents), whole, rtol=0, atol=2e-6)
    assert whole.std() > 1e-2


def test_streamed_encoding_equals_whole_encoding(vae: NeonVAE) -> None:
    clip = video(16)
    memory: Any = [None] * vae.encoder.memories
    streamed = torch.cat([vae.encode(part, memory) for part in clip.split(4, dim=1)], dim=1)
    torch.testing.assert_close(streamed, vae.encode(clip), rtol=0, atol=2e-5)


def test_blocks_are_what_their_definition_says(vae: NeonVAE) -> None:
    """Frame by frame by hand, with the frame before beside it, as a slow twin."""
    block = vae.decoder.layers[1]
    x = torch.randn(1, 5, 8, 6, 4, generator=torch.Generator().manual_seed(4))
    before = torch.zeros_like(x[:, 0])
    frames = []
    for frame in x.unbind(1):
        y = torch.relu(block.mix(torch.cat([frame, before], dim=1)))
        frames.append(torch.relu(frame + block.out(y)))
        before = frame
    wanted = torch.stack(frames, dim=1)
    torch.testing.assert_close(block(x, None), wanted, rtol=0, atol=1e-6)


def test_twenty_seconds_are_whole_latent_frames(vae: NeonVAE) -> None:
    """240 frames at 12 a second: 60 latent frames, 20 chunks of three, the first one too."""
    assert tuple(vae.encode(video(240)[:1, :, :, :8, :8]).shape) == (1, 60, 16, 1, 1)
    assert tuple(vae.decode(torch.zeros(1, 1, 16, 2, 3)).shape) == (1, 4, 3, 16, 24)
    assert roofline.chunks_for(roofline.NETWORKS["neon"], 240) == 20


@pytest.mark.parametrize("frame", [4, 7, 8])
def test_what_comes_later_changes_nothing_before_it(vae: NeonVAE, frame: int) -> None:
    """Another frame changes its own latent frame and later ones, and no picture before them."""
    one = video(16)
    other = one.clone()
    other[:, frame] = 1 - other[:, frame]
    latents = [vae.encode(clip) for clip in (one, other)]
    changed = (latents[0] - latents[1]).abs().amax(dim=(0, 2, 3, 4)) > 0
    assert changed.nonzero().min() == frame // 4
    pictures = [vae.decode(each) for each in latents]
    differs = (pictures[0] - pictures[1]).abs().amax(dim=(0, 2, 3, 4)) > 0
    assert differs.nonzero().min() == 4 * (frame // 4)


def test_whitening_is_taken_back(vae: NeonVAE) -> None:
    """Latents are (raw - mean) / std: told apart from an encoder that leaves them raw."""
    clip = video(8)
    raw = vae.encoder(2 * clip - 1)
    mean, std = (each.view(1, 1, -1, 1, 1) for each in (vae.latents_mean, vae.latents_std))
    torch.testing.assert_close(vae.encode(clip) * std + mean, raw, rtol=1e-5, atol=1e-5)
    bent = 3 * torch.tanh(raw / 3)
    torch.testing.assert_close(
        vae.decode(vae.encode(clip)), (vae.decoder(bent) + 1) / 2, rtol=1e-5, atol=1e-5
    )


def test_size_and_work_are_as_counted() -> None:
    """Parameters by hand, operations by torch's own counter, both at full size."""
    with torch.device("meta"):
        full = NeonVAE(roofline.NEON_VAE)
        latents = torch.zeros(1, 3, 16, 36, 64)
        with FlopCounterMode(display=False) as counter:
            full.decode(latents)
    encoder = sum(p.numel() for p in full.encoder.parameters())
    decoder = sum(p.numel() for p in full.decoder.parameters())
    assert (round(encoder / 1e6, 2), round(decoder / 1e6, 2)) == (1.29, 2.28)
    counted = roofline.neon_vae_chunk(roofline.NEON_VAE, 512, 288).flop
    assert counter.get_total_flops() == counted
