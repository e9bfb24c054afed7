"""Neon's passes for training against the lab's streaming path, and what attributes become."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from generator.lab.models import neon as nets  # noqa: E402
from generator.lab.models.cache import KVCache, TextCache  # noqa: E402
from generator.lab.models.dit import rotated  # noqa: E402
from generator.lab.models.neon import TINY_NEON_DIT, Neon, flow, stream  # noqa: E402
from generator.lab.models.weights import fill_randomly  # noqa: E402
from generator.measure.roofline import NEON_DIT  # noqa: E402

CHUNKS = 5
HEIGHT, WIDTH = 4, 6
TOKENS = HEIGHT * WIDTH // 4


@pytest.fixture(scope="module")
def neon() -> Neon:
    made = Neon(TINY_NEON_DIT, scenes=2).eval().requires_grad_(False)
    fill_randomly(made, 5)
    return made


def drawn(*shape: int, seed: int = 1) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def condition() -> tuple[Any, Any]:
    return torch.tensor([1]), torch.tensor([[0.2, math.nan, 0.9, 0.5]])


def streamed(neon: Neon, clean: Any, noisy: Any, timesteps: list[float]) -> Any:
    """The streaming path: of every chunk the flow at its timestep, then its clean keys kept."""
    dit, shape = neon.dit, neon.dit.shape
    cache = KVCache(shape, TOKENS, device=clean.device, dtype=clean.dtype)
    text = TextCache()
    dit.read_text(neon.tokens(*condition())[0], text)
    flows = []
    for chunk, t in enumerate(timesteps):
        part = slice(chunk * shape.chunk, (chunk + 1) * shape.chunk)
        rotation = dit.rotation(chunk * shape.chunk, shape.chunk, HEIGHT // 2, WIDTH // 2)
        flows.append(dit(noisy[part], dit.modulation(t), rotation, cache, text))
        dit.remember(clean[part], dit.modulation(0.0), rotation, cache, text)
        cache.advance()
    return flows


def test_the_training_pass_is_the_streaming_path(neon: Neon) -> None:
    """Each chunk behind clean ones at timestep 0, with the block-causal pass over all at once, is
    what the KV cache gives: positions, window, sink and timesteps."""
    shape = TINY_NEON_DIT
    clean = drawn(CHUNKS * shape.chunk, 16, HEIGHT, WIDTH)
    noisy = drawn(CHUNKS * shape.chunk, 16, HEIGHT, WIDTH, seed=2)
    timesteps = [900.0, 40.5, 731.0, 500.0, 12.0]
    wanted = streamed(neon, clean, noisy, timesteps)
    texts = neon.texts(*condition())
    starts = shape.chunk * torch.arange(CHUNKS).unsqueeze(0)
    for chunk in range(CHUNKS):
        part = slice(chunk * shape.chunk, (chunk + 1) * shape.chunk)
        x = torch.cat([clean[: part.start], noisy[part], clean[part.stop :]])
        times = torch.zeros(1, CHUNKS)
        times[0, chunk] = timesteps[chunk]
        got = flow(neon.dit, x.unsqueeze(0), times, starts, texts)[0, part]
        torch.testing.assert_close(got, wanted[chunk], rtol=1e-4, atol=2e-5)


def test_a_dense_mask_gives_the_same(neon: Neon, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunk by chunk without a mask against one attention with the block-causal mask written out,
    for a batch with timesteps of its own in every chunk and a gap in time."""

    def masked(q: Any, k: Any, v: Any, tokens: int, seen: Any) -> Any:
        allowed = torch.zeros(q.shape[1], k.shape[1], dtype=torch.bool)
        for chunk, others in enumerate(seen):
            for other in others:
                rows = slice(chunk * tokens, (chunk + 1) * tokens)
                allowed[rows, other * tokens : (other + 1) * tokens] = True
        parts = (each.transpose(1, 2) for each in (q, k, v))
        out = torch.nn.functional.scaled_dot_product_attention(*parts, attn_mask=allowed)
        return out.transpose(1, 2)

    scenes = torch.tensor([0, 1, -1])
    values = torch.rand(3, 4, generator=torch.Generator().manual_seed(3))
    texts = neon.texts(scenes, values)
    x = drawn(3, CHUNKS * 3, 16, HEIGHT, WIDTH)
    times = 1000 * torch.rand(3, CHUNKS, generator=torch.Generator().manual_seed(4))
    starts = 3 * torch.tensor([[0, 1, 2, 3, 4], [0, 9, 10, 11, 12], [0, 2, 3, 4, 5]])
    got = flow(neon.dit, x, times, starts, texts)
    monkeypatch.setattr(nets, "_attended", masked)
    wanted = flow(neon.dit, x, times, starts, texts)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    moved = flow(neon.dit, x, times, starts + 3 * torch.arange(CHUNKS), texts)
    assert (moved - wanted).abs().max() > 1e-3, "positions that matter nowhere would prove nothing"


def test_no_chunk_sees_a_later_one(neon: Neon) -> None:
    texts = neon.texts(*condition())
    x = drawn(1, 9, 16, HEIGHT, WIDTH)
    other = x.clone()
    other[:, 6:] += 1
    times, starts = torch.full((1, 3), 300.0), torch.tensor([[0, 3, 6]])
    one, two = (flow(neon.dit, each, times, starts, texts) for each in (x, other))
    assert torch.equal(one[:, :6], two[:, :6])
    assert not torch.equal(one[:, 6:], two[:, 6:])


def test_many_clips_at_once_are_streamed_as_one_is(neon: Neon) -> None:
    """The batched stream that measures against the KV cache: four chunks, two steps each."""
    shape, timesteps = TINY_NEON_DIT, (1000.0, 600.0)
    noise = [drawn(2, shape.chunk, 16, HEIGHT, WIDTH, seed=chunk) for chunk in range(4)]
    scene, values = condition()
    texts = neon.texts(scene.repeat(2), values.repeat(2, 1))
    made = stream(neon, texts, timesteps, lambda chunk: noise[chunk], torch.ones(16))
    many = [next(made) for _ in range(4)]

    dit = neon.dit
    cache = KVCache(shape, TOKENS, device=noise[0].device, dtype=torch.float32)
    text = TextCache()
    dit.read_text(neon.tokens(scene, values)[0], text)
    for chunk in range(4):
        rotation = dit.rotation(chunk * shape.chunk, shape.chunk, HEIGHT // 2, WIDTH // 2)
        x = noise[chunk][1]
        x = x - 0.4 * (dit(x, dit.modulation(1000.0), rotation, cache, text) + x)
        known = 0.2 / (0.4**2 + 0.6**2)
        x = x - 0.6 * (dit(x, dit.modulation(600.0), rotation, cache, text) + known * x)
        dit.remember(x, dit.modulation(0.0), rotation, cache, text)
        cache.advance()
        torch.testing.assert_close(many[chunk][1], x, rtol=1e-3, atol=1e-4)


def test_a_fresh_network_changes_nothing_but_through_its_gates() -> None:
    """Begun with adaLN-zero: the flow is 0 whatever goes in, and gradients reach the head."""
    made = Neon(TINY_NEON_DIT, scenes=2)
    nets.initialise(made, 0)
    texts = made.texts(*condition())
    x = drawn(1, 3, 16, HEIGHT, WIDTH)
    out = flow(made.dit, x, torch.tensor([[500.0]]), torch.tensor([[0]]), texts)
    assert out.abs().max() == 0
    (out - x).pow(2).mean().backward()
    assert made.dit.head.head.weight.grad.abs().sum() > 0


def test_what_is_not_stated_is_a_token_of_its_own(neon: Neon) -> None:
    """A value behind "not stated" plays no part, and 0 is not the same as nothing."""
    scene = torch.tensor([0])
    base = torch.tensor([[0.3, 0.0, 0.6, 1.0]])
    unknown = base.clone()
    unknown[0, 1] = math.nan
    one, two = neon.tokens(scene, base), neon.tokens(scene, unknown)
    assert one.shape == (1, 5, TINY_NEON_DIT.text_dim)
    changed = (one - two).abs().amax(dim=2)[0] > 0
    assert changed.tolist() == [False, False, True, False, False]
    assert not two.isnan().any()


def test_places_begin_as_waves_and_are_stretched_over_any_picture() -> None:
    """Sines and cosines of half a wave to one for four patches, down and then to the right; a table
    that rises evenly rises evenly at twice the size, but for its rim."""
    table = nets.waves(4, 8, 16)
    assert table[0, 1, 5].item() == pytest.approx(nets.PLACE_SIZE * math.sin(math.pi * 1.5 / 4))
    assert table[12, 1, 5].item() == pytest.approx(nets.PLACE_SIZE * math.cos(math.pi * 5.5 / 8))
    assert table[15, 1, 5].item() == pytest.approx(
        nets.PLACE_SIZE * math.cos(4 * math.pi * 5.5 / 8)
    )
    made = Neon(TINY_NEON_DIT, scenes=2).requires_grad_(False)
    nets.initialise(made, 0)
    dit, (rows, columns) = made.dit, TINY_NEON_DIT.places
    latents = torch.zeros(1, 2, TINY_NEON_DIT.latent_channels, 2 * rows, 2 * columns)
    wanted = dit.place_embedding.flatten(1).T
    for frame in dit.patched(latents)[0].split(rows * columns):
        torch.testing.assert_close(frame, wanted)
    dit.place_embedding.copy_(torch.arange(columns).expand_as(dit.place_embedding))
    large = torch.zeros(1, 1, TINY_NEON_DIT.latent_channels, 4 * rows, 4 * columns)
    across = dit.patched(large)[0].unflatten(0, (2 * rows, 2 * columns))[3, :, 0]
    torch.testing.assert_close(across.diff()[1:-1], torch.full((2 * columns - 3,), 0.5))


def test_conditions_are_dropped_as_often_as_stated() -> None:
    """Of 20,000 clips a tenth loses everything, the scene too; about four tenths lose some."""
    generator = torch.Generator().manual_seed(0)
    scene, values = torch.ones(20_000, dtype=torch.long), torch.full((20_000, 12), 0.5)
    kept, left = nets.dropped(scene, values, generator, share=0.1)
    gone = left.isnan().sum(dim=1)
    assert (kept == -1).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert (gone[kept == -1] == 12).all()
    some = ((gone > 0) & (kept == 1)).float().mean().item()
    assert some == pytest.approx(0.4 * (1 - 1 / 13), abs=0.02)


def test_the_full_size_is_as_counted() -> None:
    """16 d^2 a layer, and what stands before and behind them: 21.0 M."""
    with torch.device("meta"):
        full = Neon(nets.shape_for(NEON_DIT, 20), scenes=2)
    count = sum(p.numel() for p in full.parameters())
    assert round(count / 1e6, 1) == 21.0
    assert NEON_DIT.head_dim == 64
    assert nets.shape_for(NEON_DIT, 12) == replace(NEON_DIT, text_tokens=13)


def test_a_block_is_one_graph_for_all_blocks(neon: Neon) -> None:
    """What `--compile` compiles is traced whole, once for all blocks, and comes to the same. (Only
    traced: what Inductor makes of it is for a GPU to show.)"""
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    texts = neon.texts(*condition())
    x, times = drawn(1, 9, 16, HEIGHT, WIDTH), torch.tensor([[900.0, 0.0, 300.0]])
    starts = torch.tensor([[0, 30, 33]])
    run = torch.compile(nets.block_pass, backend="aot_eager", fullgraph=True)
    got = flow(neon.dit, x, times, starts, texts, run=run)
    assert counters["stats"]["unique_graphs"] == 1
    torch.testing.assert_close(got, flow(neon.dit, x, times, starts, texts))
    torch._dynamo.reset()


@pytest.mark.parametrize("sigma", [0.05, 0.3, 0.5, 0.8, 1.0])
def test_what_is_known_without_the_network_is_the_best_linear_guess(sigma: float) -> None:
    """Against least squares over drawn latents of two spreads."""
    generator = torch.Generator().manual_seed(4)
    x_0, noise = (torch.randn(200_000, generator=generator) for _ in range(2))
    for spread in (1.0, 0.3):
        drawn = spread * x_0
        x = (1 - sigma) * drawn + sigma * noise
        fitted = (x * (noise - drawn)).sum() / x.pow(2).sum()
        for level in (sigma, torch.tensor(sigma)):
            got = nets.known_share(level, torch.tensor(spread))
            assert float(got) == pytest.approx(float(fitted), abs=0.01 / spread)


def test_a_network_that_says_nothing_leaves_noise_as_it_is() -> None:
    """But for the spread of each channel: between two normal distributions the exact flow carries
    every number to the same place among its like."""
    noise = torch.randn((1, 3, 2, 4, 4), generator=torch.Generator().manual_seed(5))
    spread = torch.tensor([0.5, 2.0])
    timesteps = [1000 - i for i in range(1000)]
    made = nets.euler_chunk(lambda x, t: torch.zeros_like(x), noise, timesteps, spread)
    torch.testing.assert_close(made, noise * spread.view(-1, 1, 1), rtol=1e-2, atol=0)


def test_heads_begin_by_looking_at_what_lies_near() -> None:
    """Without any content, each head of each block sees most of the token that lies at its step in
    time, rows and columns, wherever it is asked from; in a picture of the full head's width."""
    shape = replace(nets.TINY_NEON_DIT, layers=3, dim=192, heads=3)
    neon = Neon(shape, scenes=2)
    nets.initialise(neon, 0)
    rows, columns = 5, 6
    at = torch.cartesian_prod(*(torch.arange(side) for side in (shape.chunk, rows, columns)))
    rotation = neon.dit.rotation(0, shape.chunk, rows, columns)
    nothing = torch.zeros(1, len(at), shape.dim)
    head = 0
    for block in neon.dit.blocks:
        q = rotated(block.self_attn.queries(nothing), rotation)
        k = rotated(block.self_attn.keys_values(nothing)[0], rotation)
        scores = torch.einsum("ihd,jhd->hij", q[0], k[0])
        for of_head in scores:
            step = torch.tensor(nets.NEAR[head % len(nets.NEAR)])
            head += 1
            for place in (torch.tensor([1, 2, 2]), torch.tensor([1, 3, 4])):
                wanted = place + step
                if not 0 <= wanted[0] < shape.chunk:
                    continue  # a chunk ago
                here = int((at == place).all(dim=1).nonzero())
                assert at[of_head[here].argmax()].tolist() == wanted.tolist()
    assert head == 9
