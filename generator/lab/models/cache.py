"""What a causal transformer remembers: keys and values of the sink, the bank and the window.

One buffer a layer, written in place and never rolled, for keys are stored with their absolute
positions already turned into them and attention does not ask for order:

    [ bank 2 | bank 1 | bank 0 | sink | window 0 | window 1 | window 2 ]

Sink and each window slot hold one chunk, a bank slot holds one latent frame. The bank grows
towards the front, so that whatever is filled is always one unbroken slice. All indices are Python
integers, or stay on the device: nothing here waits for it. Its slow twin, which keeps lists of
frames and joins them anew for every read, stands in tests/lab/test_kv_cache.py.
"""

from __future__ import annotations

import torch

from generator.measure.roofline import DiTShape

__all__ = ["KVCache", "TextCache", "frame_scores"]

# Shapes: N layers, L tokens, F tokens of one latent frame, H heads, D head dimension, S text tokens


class KVCache:
    """Keys and values of the past, all layers: k and v [N, (bank + sink + window) F, H, D]."""

    def __init__(
        self,
        shape: DiTShape,
        frame_tokens: int,
        *,
        device: torch.device,
        dtype: torch.dtype,
        sparse: bool = False,
    ) -> None:
        """`sparse` turns on Sparse Memory Activation, which no published configuration uses."""
        if shape.sink != shape.chunk or shape.window % shape.chunk:
            raise ValueError("the sink is one chunk, and the window consists of whole chunks")
        self.shape, self.frame_tokens, self.sparse = shape, frame_tokens, sparse
        tokens = (shape.bank + shape.sink + shape.window) * frame_tokens
        size = (shape.layers, tokens, shape.heads, shape.head_dim)
        self.k = torch.zeros(size, device=device, dtype=dtype)
        self.v = torch.zeros(size, device=device, dtype=dtype)
        self.chunks = 0
        """Chunks whose clean keys are kept; the one being made is not among them."""
        self.making = 1
        """Chunks that the pass under way makes: one, or more when the past is made anew."""
        self.bank_frames = 0
        self._newest = torch.zeros(shape.layers, device=device, dtype=torch.long)
        """Of each layer, the bank's slot that was written last."""
        self._waiting: tuple[torch.Tensor, torch.Tensor] | None = None
        """Keys and values [N, F, H, D] that `mark` chose for the bank."""

    def wipe_window(self) -> None:
        """Forget sink and window."""
        self.chunks, self.making = 0, 1
        self.k[:, self._sink :].zero_()
        self.v[:, self._sink :].zero_()

    def wipe_bank(self) -> None:
        """Forget the bank."""
        self.bank_frames = 0
        self._newest.zero_()
        self._waiting = None
        self.k[:, : self._sink].zero_()
        self.v[:, : self._sink].zero_()

    def remember(self, position: int, text_keys: torch.Tensor | None) -> None:
        """Before chunk number `position` begins: put the first frame of an earlier one into the
        bank, the one before it, or what `mark` chose. Where the bank has no room, the frame that
        fits the text least makes place, and the newest where no text is given.

        `text_keys` [N, S, H, D] are the keys of the cross-attention. Each layer chooses by itself.
        Quirk kept: a frame is in the window as well for one to three more chunks, so that its keys
        count twice; and it is put in anew before every chunk, not once an interval, so that what
        `mark` chose can stand in the bank two or three times.
        """
        if position == 0 or self.chunks == 0 or self.shape.bank == 0:
            return
        slots = -(-position // self.shape.bank_interval)
        k_new, v_new = self._waiting or self._first_frame(self.chunks - 1)
        if slots <= self.shape.bank:
            self.bank_frames = slots
            self._newest.fill_(self.shape.bank - slots)
            start = (self.shape.bank - slots) * self.frame_tokens
            self.k[:, start : start + self.frame_tokens].copy_(k_new)
            self.v[:, start : start + self.frame_tokens].copy_(v_new)
            return
        if text_keys is not None:
            worst = frame_scores(text_keys, self._banked(self.k)).argmin(dim=1)
            self._newest.copy_(worst)
        self._replace(self.k, self._newest, k_new)
        self._replace(self.v, self._newest, v_new)

    def mark(self) -> None:
        """Choose the first frame of the chunk that was just kept for the bank, until the next
        `mark`: its keys as they are now, whatever the window is made to hold later."""
        k, v = self._first_frame(self.chunks - 1)
        if self._waiting is None:
            self._waiting = k.clone(), v.clone()
            return
        self._waiting[0].copy_(k)
        self._waiting[1].copy_(v)

    def rewind(self, chunks: int) -> None:
        """Make the last `chunks` anew, all of them in the next pass, which `advance` ends."""
        self.chunks -= chunks
        self.making = chunks

    def write(self, layer: int, k: torch.Tensor, v: torch.Tensor) -> None:
        """Keep the keys and values [L, H, D] of what is being made until they are written again.

        Of several chunks, one that has left the window is not kept, for its slot is another's.
        """
        for i in range(self.making):
            if 0 < self.chunks + i <= self._last - self._turns:
                continue
            start, size = self._slot(self.chunks + i), self._chunk_tokens
            self.k[layer, start : start + size].copy_(k[i * size : (i + 1) * size])
            self.v[layer, start : start + size].copy_(v[i * size : (i + 1) * size])

    @property
    def place(self) -> tuple[int, ...]:
        """What the views of a pass follow from: passes with the same one read and write the same
        places."""
        return self.bank_frames, self.making, self._slot(self.chunks), min(self._last, self._turns)

    def slots(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the keys and values of the one chunk that is being made belong: views [L, H, D]."""
        start, end = self._slot(self.chunks), self._slot(self.chunks) + self._chunk_tokens
        return self.k[layer, start:end], self.v[layer, start:end]

    def read(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Everything that is attended to, what is being made included: views [1, M, H, D]."""
        start = self._sink - self.bank_frames * self.frame_tokens
        end = self._slot(min(self._last, self._turns)) + self._chunk_tokens
        return self.k[layer : layer + 1, start:end], self.v[layer : layer + 1, start:end]

    def attended(self, layer: int, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the queries [1, L, H, D] of the current chunk attend to: [1, M, H, D] each."""
        return self.read_sparse(layer, q) if self.sparse else self.read(layer)

    def read_sparse(self, layer: int, q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sparse Memory Activation: of sink and bank only the frames that fit the queries best.

        Each head takes as many frames as the sink holds: those whose mean key has the largest
        product with the mean of its queries `q` [1, L, H, D]. The window is read whole. Copies, as
        heads see different frames.
        """
        k, v = self.read(layer)
        remembered = (self.bank_frames + self.shape.sink) * self.frame_tokens
        if self.bank_frames == 0:
            return k, v
        frames = k[:, :remembered].unflatten(1, (-1, self.frame_tokens))
        mean_q = q.mean(dim=1, dtype=torch.float32)
        mean_k = frames.mean(dim=2, dtype=torch.float32)
        fit = torch.einsum("bhd,bnhd->bhn", mean_q, mean_k)
        best = fit.topk(self.shape.sink, dim=2).indices.sort(dim=2).values
        return self._chosen(k, best, remembered), self._chosen(v, best, remembered)

    def _chosen(self, kept: torch.Tensor, best: torch.Tensor, remembered: int) -> torch.Tensor:
        """The best frames [1, H, n] of what is remembered, then the rest, as [1, M, H, D]."""
        frames = kept[:, :remembered].unflatten(1, (-1, self.frame_tokens))
        where = best.transpose(1, 2)[:, :, None, :, None].expand(
            -1, -1, self.frame_tokens, -1, self.shape.head_dim
        )
        return torch.cat([frames.gather(1, where).flatten(1, 2), kept[:, remembered:]], dim=1)

    def advance(self) -> None:
        """What was made is clean: keep it."""
        self.chunks += self.making
        self.making = 1

    @property
    def _sink(self) -> int:
        return self.shape.bank * self.frame_tokens

    @property
    def _chunk_tokens(self) -> int:
        return self.shape.chunk * self.frame_tokens

    @property
    def _turns(self) -> int:
        """Chunks that the window holds."""
        return self.shape.window // self.shape.chunk

    @property
    def _last(self) -> int:
        """Number of the last chunk that is being made."""
        return self.chunks + self.making - 1

    def _slot(self, chunk: int) -> int:
        """First token of a chunk: the first chunk is the sink, the others take turns."""
        place = 0 if chunk == 0 else 1 + (chunk - 1) % self._turns
        return self._sink + place * self._chunk_tokens

    def _first_frame(self, chunk: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of a kept chunk's first frame, views [N, F, H, D]."""
        start = self._slot(chunk)
        end = start + self.frame_tokens
        return self.k[:, start:end], self.v[:, start:end]

    def _banked(self, kept: torch.Tensor) -> torch.Tensor:
        """The bank as [N, slots, F, H, D], a view."""
        shape = self.shape
        return kept[:, : self._sink].view(
            shape.layers, shape.bank, self.frame_tokens, shape.heads, shape.head_dim
        )

    def _replace(self, kept: torch.Tensor, slot: torch.Tensor, new: torch.Tensor) -> None:
        where = slot.view(-1, 1, 1, 1, 1).expand(-1, 1, *self._banked(kept).shape[2:])
        self._banked(kept).scatter_(1, where, new.unsqueeze(1))


def frame_scores(text_keys: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """How well remembered frames [N, slots, F, H, D] fit the text [N, S, H, D]: [N, slots].

    The mean over heads, text tokens and image tokens of the scaled product of their keys, without
    a softmax. Means are linear, so the means of both sides are multiplied, not all pairs.
    """
    text = text_keys.mean(dim=1, dtype=torch.float32)
    image = frames.mean(dim=2, dtype=torch.float32)
    return torch.einsum("nhd,nshd->ns", text, image) / (text.shape[1] * text.shape[2] ** 0.5)


class TextCache:
    """Keys and values of the cross-attention, made at the first pass after a wipe and then kept."""

    def __init__(self) -> None:
        self.k: torch.Tensor | None = None
        self.v: torch.Tensor | None = None

    def wipe(self) -> None:
        self.k = self.v = None

    def filled(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Both, [blocks, S, H, D]; it is an error to ask before the text was read."""
        if self.k is None or self.v is None:
            raise RuntimeError("the text is read before the first pass")
        return self.k, self.v
