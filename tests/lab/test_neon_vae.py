"""Neon's autoencoder: a stream is the whole, the past does not know the future, work is counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from generator.lab.models.neon_vae import (  # noqa: E402
    TINY_NEON_VAE,
    NeonDecoder,
    NeonVAE,
    blocks_of,
    frames_of,
)
from generator.lab.models.weights import fill_randomly  # noqa: E402
from generator.lab.train import loops  # noqa: E402
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
    block = vae.decoder.network.layers[1]
    x = torch.randn(1, 5, 8, 6, 4, generator=torch.Generator().manual_seed(4))
    before = torch.zeros_like(x[:, 0])
    frames = []
    for frame in x.unbind(1):
        y = torch.nn.functional.silu(block.mix(torch.cat([frame, before], dim=1)))
        frames.append(frame + block.out(y))
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
    torch.testing.assert_close(
        vae.decode(vae.encode(clip)), (vae.decoder(raw) + 1) / 2, rtol=1e-5, atol=1e-5
    )


def test_a_decoders_paths_add_up_and_only_the_network_sees_bent_latents(vae: NeonVAE) -> None:
    raw = 4 * torch.randn(1, 2, 16, 3, 2, generator=torch.Generator().manual_seed(5))
    decoder = vae.decoder
    network = decoder.network(5 * torch.tanh(raw / 5))
    linear = decoder(raw) - network
    weight = decoder.linear.weight[:, :, 0, 0].numpy().reshape(4, 3, 8, 8, 16)
    bias = decoder.linear.bias.numpy().reshape(4, 3, 8, 8)
    column = raw[0, 1, :, 2, 1].numpy()
    wanted = np.einsum("fcyxk,k->fcyx", weight, column) + bias
    got = linear[0, 4:8, :, 16:24, 8:16].numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def smooth(clips: int, seed: int) -> Any:
    """Clips with as much structure as is left of noise when it is blurred."""
    noise = torch.rand(clips, 3, 8, 24, 32, generator=torch.Generator().manual_seed(seed))
    blurred = torch.nn.functional.avg_pool3d(noise, (3, 5, 5), stride=1, padding=(1, 2, 2))
    return (2 * blurred - 0.5).clamp(0, 1).transpose(1, 2).contiguous()


def test_what_is_begun_with_is_the_best_linear_code() -> None:
    """At the beginning a reconstruction is that of rank 16 by NumPy's own singular value
    decomposition of the same blocks, cut by hand; whole and streamed; latents have spread 1."""
    torch.manual_seed(0)
    made = NeonVAE(TINY_NEON_VAE).eval().requires_grad_(False)
    video = smooth(6, 1)
    columns = (
        (2 * video.double().numpy() - 1)
        .reshape(6, 2, 4, 3, 3, 8, 4, 8)
        .transpose(0, 1, 4, 6, 2, 3, 5, 7)
        .reshape(-1, 768)
    )
    mean = columns.mean(0)
    left, sizes, right = np.linalg.svd(columns - mean, full_matrices=False)
    best = left[:, :16] * sizes[:16] @ right[:16] + mean
    covariance = (columns - mean).T @ (columns - mean) / len(columns)
    made.set_linear(torch.from_numpy(mean), torch.from_numpy(covariance))
    latents = made.encode(video)
    seen = 2 * made.decode(latents) - 1
    again = (
        seen.numpy()
        .reshape(6, 2, 4, 3, 3, 8, 4, 8)
        .transpose(0, 1, 4, 6, 2, 3, 5, 7)
        .reshape(-1, 768)
    )
    assert np.abs(best - columns).max() > 0.05, "something is lost"
    np.testing.assert_allclose(again, best, rtol=0, atol=2e-4)
    spread = latents.transpose(0, 2).flatten(1).std(dim=1)
    torch.testing.assert_close(spread, torch.ones(16), rtol=0.02, atol=0)
    memory = made.fresh_memory()
    streamed = torch.cat([made.decode(part, memory) for part in latents.split(1, dim=1)], dim=1)
    torch.testing.assert_close(2 * streamed - 1, seen, rtol=0, atol=1e-5)


def test_the_beginning_is_found_from_clips() -> None:
    """Covariance over a pool of 8-bit clips, some at a time, against NumPy's over all at once; the
    whole of the pool is read back better than by the means of its blocks alone."""
    torch.manual_seed(0)
    made = NeonVAE(TINY_NEON_VAE).eval()
    video = (255 * smooth(11, 2)).round().to(torch.uint8)
    mean, covariance = loops.block_moments(video, 11)
    columns = blocks_of(2 * video.double() / 255 - 1).permute(0, 1, 3, 4, 2).reshape(-1, 768)
    np.testing.assert_allclose(mean.numpy(), columns.numpy().mean(0), atol=1e-10)
    wanted = np.cov(columns.numpy().T, bias=True)
    np.testing.assert_allclose(covariance.numpy(), wanted, atol=1e-10)
    made.set_linear(mean, covariance)
    pictures = video.float() / 255
    with torch.inference_mode():
        off = (made.decode(made.encode(pictures)) - pictures).double().pow(2).mean().item()
    kept = np.linalg.eigvalsh(wanted)[:-16].sum() / 768 / 4  # of -1 to 1, told for 0 to 1
    assert off == pytest.approx(kept, rel=1e-3)


def test_blocks_and_frames_are_inverse() -> None:
    clip = video(8)
    torch.testing.assert_close(frames_of(blocks_of(clip)), clip, rtol=0, atol=0)
    assert blocks_of(clip).shape == (2, 2, 768, 3, 2)


def test_size_and_work_are_as_counted() -> None:
    """Parameters by hand, operations by torch's own counter, both at full size."""
    with torch.device("meta"):
        full = NeonVAE(roofline.NEON_VAE)
        latents = torch.zeros(1, 3, roofline.NEON_VAE.latent_channels, 36, 64)
        with FlopCounterMode(display=False) as counter:
            full.decode(latents)
    encoder = sum(p.numel() for p in full.encoder.parameters())
    decoder = sum(p.numel() for p in full.decoder.parameters())
    assert (round(encoder / 1e6, 2), round(decoder / 1e6, 2)) == (1.33, 2.33)
    counted = roofline.neon_vae_chunk(roofline.NEON_VAE, 512, 288).flop
    assert counter.get_total_flops() == counted
