"""The in-place ring against its slow twin: lists of frames, joined anew, chosen by all pairs."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from generator.lab.models.cache import KVCache, frame_scores  # noqa: E402
from generator.measure.roofline import DiTShape, attended_frames  # noqa: E402

SHAPE = DiTShape(layers=3, dim=8, heads=2, ffn=8, text_dim=4, text_tokens=5)
F = 4
"""Tokens of a latent frame."""


class JoinedCache:
    """As the official code describes it, one layer at a time: every frame in a list."""

    def __init__(self) -> None:
        self.frames: list[list[Any]] = [[] for _ in range(SHAPE.layers)]
        self.bank: list[list[Any]] = [[] for _ in range(SHAPE.layers)]

    def remember(self, position: int, text_keys: Any) -> None:
        if position == 0:
            return
        for layer in range(SHAPE.layers):
            bank, newest = self.bank[layer], self.frames[layer][-SHAPE.chunk]
            slots = (position - 1) // SHAPE.bank_interval + 1
            if slots > SHAPE.bank:
                self.bank[layer] = [*self._best(bank, text_keys[layer]), newest]
            elif slots > len(bank):
                bank.append(newest)
            else:
                bank[-1] = newest

    def _best(self, bank: list[Any], text_keys: Any) -> list[Any]:
        """The two of three with the highest mean over heads, text and image tokens."""
        keys = torch.stack([k for k, _ in bank])
        scores = torch.einsum("shd,bfhd->bhsf", text_keys, keys) / SHAPE.head_dim**0.5
        order = scores.mean(dim=(1, 2, 3)).topk(SHAPE.bank - 1).indices.tolist()
        return [bank[i] for i in sorted(order)]

    def add(self, layer: int, k: Any, v: Any) -> None:
        self.frames[layer] += zip(k.split(F), v.split(F), strict=True)

    def read(self, layer: int) -> Any:
        frames = self.frames[layer]
        kept = frames[: SHAPE.sink] + frames[SHAPE.sink :][-SHAPE.window :]
        seen = self.bank[layer] + kept
        return torch.stack([torch.cat(pair) for pair in seen])


def as_frames(k: Any, v: Any) -> Any:
    return torch.stack([torch.cat(pair) for pair in zip(k[0].split(F), v[0].split(F), strict=True)])


def in_order(frames: Any) -> list[list[float]]:
    """Attention does not ask for order, so frames are compared as a bag."""
    return sorted(frames.flatten(1).tolist())


@pytest.mark.parametrize("passes", [1, 3])
def test_the_ring_holds_what_joined_lists_hold(passes: int, cpu: Any) -> None:
    """20 chunks, every pass of which writes its keys anew; each layer's bank chooses by itself."""
    generator = torch.Generator().manual_seed(5)

    def draw(*size: int) -> Any:
        return torch.randn(*size, generator=generator)

    ring = KVCache(SHAPE, F, device=cpu, dtype=torch.float32)
    joined = JoinedCache()
    text_keys = draw(SHAPE.layers, SHAPE.text_tokens, SHAPE.heads, SHAPE.head_dim)
    banks = set()
    for chunk in range(20):
        ring.remember(chunk, text_keys)
        joined.remember(chunk, text_keys)
        for last in (False,) * (passes - 1) + (True,):
            for layer in range(SHAPE.layers):
                k, v = (draw(SHAPE.chunk * F, SHAPE.heads, SHAPE.head_dim) for _ in range(2))
                ring.write(layer, k, v)
                if last:
                    joined.add(layer, k, v)
        for layer in range(SHAPE.layers):
            seen = as_frames(*ring.read(layer))
            assert len(seen) == attended_frames(SHAPE, chunk)
            assert in_order(seen) == in_order(joined.read(layer))
        ring.advance()
        banks.add(
            tuple(str(in_order(torch.stack([k for k, _ in bank]))) for bank in joined.bank)
            if chunk
            else ()
        )
    assert len(banks) > 10, "the bank must have changed for this to prove anything"


def test_sparse_reading_is_a_choice_of_frames_for_each_head(cpu: Any) -> None:
    """Against a loop over heads: three of sink and bank by mean query and mean key, then all of
    the window; 3, 6, 9 and then 12 latent frames."""
    generator = torch.Generator().manual_seed(6)

    def draw(*size: int) -> Any:
        return torch.randn(*size, generator=generator)

    ring = KVCache(SHAPE, F, device=cpu, dtype=torch.float32, sparse=True)
    text_keys = draw(SHAPE.layers, SHAPE.text_tokens, SHAPE.heads, SHAPE.head_dim)
    counts, chosen = [], set()
    for chunk in range(12):
        ring.remember(chunk, text_keys)
        for layer in range(SHAPE.layers):
            ring.write(
                layer, *(draw(SHAPE.chunk * F, SHAPE.heads, SHAPE.head_dim) for _ in range(2))
            )
        q = draw(1, SHAPE.chunk * F, SHAPE.heads, SHAPE.head_dim)
        k, v = ring.attended(1, q)
        dense_k, dense_v = ring.read(1)
        for head in range(SHAPE.heads):
            frames = dense_k[0, :, head].split(F)
            values = dense_v[0, :, head].split(F)
            old = (SHAPE.sink + ring.bank_frames) if chunk else 0
            mean = q[0, :, head].mean(dim=0)
            order = sorted(range(old), key=lambda i: -float(mean @ frames[i].mean(dim=0)))
            picked = sorted(order[: SHAPE.sink])
            wanted = [*picked, *range(old, len(frames))]
            assert torch.equal(k[0, :, head], torch.cat([frames[i] for i in wanted]))
            assert torch.equal(v[0, :, head], torch.cat([values[i] for i in wanted]))
            chosen.add((chunk, tuple(picked)))
        counts.append(k.shape[1] // F)
        ring.advance()
    assert counts == [3, 6, 9, *[12] * 9]
    assert len(chosen) > 12, "heads must differ for this to prove anything"


def test_scores_from_means_equal_means_of_scores() -> None:
    """The official code multiplies all pairs of tokens; means are linear, so ours are the same."""
    generator = torch.Generator().manual_seed(2)
    text = torch.randn(3, 7, 2, 6, generator=generator)
    frames = torch.randn(3, 4, 5, 2, 6, generator=generator)
    pairs = torch.einsum("nshd,nbfhd->nbhsf", text, frames) / 6**0.5

    torch.testing.assert_close(frame_scores(text, frames), pairs.mean(dim=(2, 3, 4)))


def test_what_is_read_is_a_view_of_one_buffer(cpu: Any) -> None:
    """No key is copied to be attended to."""
    ring = KVCache(SHAPE, F, device=cpu, dtype=torch.float32)
    text_keys = torch.ones(SHAPE.layers, SHAPE.text_tokens, SHAPE.heads, SHAPE.head_dim)
    for chunk in range(9):
        ring.remember(chunk, text_keys)
        k, v = ring.read(1)
        assert k.untyped_storage().data_ptr() == ring.k.untyped_storage().data_ptr()
        assert v.untyped_storage().data_ptr() == ring.v.untyped_storage().data_ptr()
        ring.advance()
