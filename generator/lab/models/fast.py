"""The transformer's passes near the limit of the chip: the fast twin of `CausalDiT.forward` and
`CausalDiT.remember`, with the same parameters and the same arithmetic up to rounding.

What lies between two matrix products is one compiled function; queries, keys and values are one
product; and on CUDA a whole pass is recorded as a graph for each place of the chunk in the cache,
so that starting some 700 kernels costs the host one call. No graph waits for the host: the bank's
choice is made before a pass, on the device (`KVCache.remember`), and what a pass is told (latents,
timestep, positions, text) lies in buffers that are filled before it starts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import torch
from torch.nn import functional

from generator.errors import UsageError
from generator.lab.models.attention import attend
from generator.lab.models.cache import KVCache, TextCache
from generator.lab.models.dit import (
    Attention,
    CausalDiT,
    Context,
    Modulation,
    Rotation,
    gated,
    modulated,
    normed,
    rotated,
)
from generator.measure.roofline import bank_frames, settled_chunk

__all__ = ["MODES", "FastPasses", "Passes", "Products", "check_mode"]

# Shapes as in dit.py: L tokens, d model width, H heads, D head dimension, S text tokens

MODES = {
    "none": "none (eager)",
    "fused": "fused (torch.compile between matrix products)",
    "graphs": "graphs (torch.compile between matrix products, CUDA graphs, decode on a second "
    "stream)",
}
"""Compile modes, and what a record says of them."""


def check_mode(mode: str, device: torch.device) -> None:
    """Raises UsageError for a compile mode that there is not, or not on this device."""
    if mode not in MODES:
        raise UsageError(f'compile mode "{mode}": known are {", ".join(MODES)}')
    if mode == "graphs" and device.type != "cuda":
        raise UsageError(
            f"compile mode graphs: CUDA records graphs, and the device is {device}; "
            "write fused or none"
        )


class Passes(Protocol):
    """What a pipeline asks of a network: `CausalDiT` itself is the slow twin."""

    def forward(
        self,
        x_TCHW: torch.Tensor,
        modulation: Modulation,
        rotation: Rotation,
        cache: KVCache,
        text: TextCache,
        context: Context | None = None,
    ) -> torch.Tensor: ...

    def remember(
        self,
        x_TCHW: torch.Tensor,
        modulation: Modulation,
        rotation: Rotation,
        cache: KVCache,
        text: TextCache,
    ) -> None: ...


def _modulated(
    x: torch.Tensor, table: torch.Tensor, time: torch.Tensor, shift: int, eps: float
) -> torch.Tensor:
    """`table` [1, n, d] is a block's own, `time` [n, d] the timestep's; rows `shift` and the next
    are taken."""
    told = table[0].float() + time.float()
    return modulated(x, told[shift + 1], told[shift], eps)


def _kept(
    qkv: torch.Tensor,
    norm_q: torch.Tensor,
    norm_k: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    k_slot: torch.Tensor,
    v_slot: torch.Tensor,
    eps: float,
) -> torch.Tensor:
    """Queries [1, L, H, D] of a product [1, L, 3 d]; its keys and values go into the cache."""
    heads = k_slot.shape[1]
    q, k, v = qkv.unflatten(2, (3, -1)).unbind(2)
    turn = Rotation(cos, sin)
    k_slot.copy_(rotated(normed(k, norm_k, eps).unflatten(2, (heads, -1)), turn)[0])
    v_slot.copy_(v.unflatten(2, (heads, -1))[0])
    return rotated(normed(q, norm_q, eps).unflatten(2, (heads, -1)), turn)


def _gated_normed(
    x: torch.Tensor,
    y: torch.Tensor,
    table: torch.Tensor,
    time: torch.Tensor,
    gate: int,
    weight: torch.Tensor,
    bias: torch.Tensor,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """x + y gate, and its LayerNorm."""
    x = gated(x, y, table[0, gate].float() + time[gate].float())
    return x, functional.layer_norm(x, (x.shape[-1],), weight, bias, eps)


def _added_modulated(
    x: torch.Tensor,
    y: torch.Tensor,
    table: torch.Tensor,
    time: torch.Tensor,
    shift: int,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """x + y, and the same modulated."""
    x = x + y
    return x, _modulated(x, table, time, shift, eps)


def _gated_modulated(
    x: torch.Tensor,
    y: torch.Tensor,
    table: torch.Tensor,
    time: torch.Tensor,
    gate: int,
    next_table: torch.Tensor,
    next_time: torch.Tensor,
    eps: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """x + y gate, and the same as the next block or the head has it modulated."""
    x = gated(x, y, table[0, gate].float() + time[gate].float())
    return x, _modulated(x, next_table, next_time, 0, eps)


def _gelu(x: torch.Tensor) -> torch.Tensor:
    return functional.gelu(x, approximate="tanh")


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """One kernel of it for every shape that it meets; falling back to eager code is an error."""
    import torch._dynamo

    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, 64)
    config.fail_on_recompile_limit_hit = True
    found: Callable[..., Any] = torch.compile(function, dynamic=False, fullgraph=True)
    return found


@functools.cache
def _fused() -> SimpleNamespace:
    """The functions between the products, compiled when they are first called."""
    return SimpleNamespace(
        modulated=compiled(_modulated),
        kept=compiled(_kept),
        gated_normed=compiled(_gated_normed),
        normed=compiled(normed),
        added_modulated=compiled(_added_modulated),
        gated_modulated=compiled(_gated_modulated),
        gelu=compiled(_gelu),
    )


@dataclass(slots=True)
class Recorded:
    """A pass as a graph, and where its output lies until the next one."""

    graph: Any
    out: torch.Tensor | None


class FastPasses:
    """Passes of one network over chunks, fused, and recorded where `graphs` says so.

    The rare passes go through the slow twin: with a VACE context, and those that make several
    chunks anew after a switch of prompts.
    """

    def __init__(
        self, dit: CausalDiT, *, graphs: bool, products: Callable[[Any], Products] | None = None
    ) -> None:
        """`products` makes those of a block, exact ones unless another way is to be measured."""
        self.dit, self.graphs = dit, graphs
        self.products = [(products or Products)(block) for block in dit.blocks]
        self._recorded: dict[tuple[Any, ...], Recorded] = {}
        self._pool: Any = None
        self._cache: KVCache | None = None
        self._sides: tuple[int, int] | None = None
        self._told: Told | None = None
        self._side = torch.cuda.Stream() if graphs else None
        """What is recorded on a stream shares cuBLAS's workspace; the decoder, which runs at the
        same time, records on one of its own."""

    def prepare(self, cache: KVCache, height: int, width: int) -> None:
        """Compile and record every pass that a stream in a new cache takes; latent sides. The cache
        is left empty. One that was prepared before is left as it is: what is not recorded for it
        is when it is needed."""
        sides, known = (height, width), self._cache is cache
        if not self.graphs or (known and self._sides == sides):
            return
        self.forget()
        self._sides = sides
        if known:
            return
        shape, dit = self.dit.shape, self.dit
        parameter = dit.patch_embedding.weight
        x = torch.zeros(
            (shape.chunk, shape.latent_channels, height, width),
            device=parameter.device,
            dtype=parameter.dtype,
        )
        text = TextCache()
        text.k = parameter.new_zeros((shape.layers, shape.text_tokens, shape.heads, shape.head_dim))
        text.v = text.k.clone()
        modulation, rotation = (
            dit.modulation(0.0),
            dit.rotation(0, shape.chunk, height // 2, width // 2),
        )
        for chunk in range(settled_chunk(shape) + shape.window // shape.chunk):
            cache.chunks, cache.bank_frames = chunk, bank_frames(shape, chunk)
            self.forward(x, modulation, rotation, cache, text)
            self.remember(x, modulation, rotation, cache, text)
        cache.wipe_window()
        cache.wipe_bank()

    def forget(self) -> None:
        """Give back what was recorded, and with it the cache."""
        self._cache = self._sides = self._told = self._pool = None
        if self._recorded:
            self._recorded.clear()
            torch.cuda.empty_cache()

    def forward(
        self,
        x_TCHW: torch.Tensor,
        modulation: Modulation,
        rotation: Rotation,
        cache: KVCache,
        text: TextCache,
        context: Context | None = None,
    ) -> torch.Tensor:
        """As `CausalDiT.forward`; the flow is overwritten by the next pass."""
        if context is not None or cache.making > 1:
            return self.dit(x_TCHW, modulation, rotation, cache, text, context)
        out = self._run("denoise", x_TCHW, modulation, rotation, cache, text)
        assert out is not None
        return out

    def remember(
        self,
        x_TCHW: torch.Tensor,
        modulation: Modulation,
        rotation: Rotation,
        cache: KVCache,
        text: TextCache,
    ) -> None:
        """As `CausalDiT.remember`."""
        if cache.making > 1:
            self.dit.remember(x_TCHW, modulation, rotation, cache, text)
            return
        self._run("clean", x_TCHW, modulation, rotation, cache, text)

    def _run(
        self,
        kind: str,
        x: torch.Tensor,
        modulation: Modulation,
        rotation: Rotation,
        cache: KVCache,
        text: TextCache,
    ) -> torch.Tensor | None:
        if not self.graphs:
            return self._pass(kind, Told(x, modulation, rotation, text), cache)
        if self._cache is not cache:
            sides = self._sides if self._cache is None else None
            self.forget()
            self._cache, self._sides = cache, sides
        if self._told is None:
            self._told = Told.like(x, modulation, rotation, text)
        self._told.take(x, modulation, rotation, text)
        key = (kind, *cache.place)
        if key not in self._recorded:
            return self._record(key, self._told, cache)
        recorded = self._recorded[key]
        recorded.graph.replay()
        return recorded.out

    def _record(self, key: tuple[Any, ...], told: Told, cache: KVCache) -> torch.Tensor | None:
        """Run the pass once, which compiles what it needs and gives its result, then record it."""
        side = self._side
        assert side is not None
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            first = self._pass(key[0], told, cache)
        torch.cuda.current_stream().wait_stream(side)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=side):
            out = self._pass(key[0], told, cache)
        self._recorded[key] = Recorded(graph=graph, out=out)
        if first is not None:
            first.record_stream(torch.cuda.current_stream())
        return first

    def _pass(self, kind: str, told: Told, cache: KVCache) -> torch.Tensor | None:
        """The arithmetic of a pass. "clean" ends with the last block's keys and values."""
        dit, fused = self.dit, _fused()
        eps = dit.shape.eps
        kept_k, kept_v = told.text_k, told.text_v
        rotation, time = told.rotation, told.modulation.blocks
        x = dit.patched(told.x.unsqueeze(0))
        m = fused.modulated(x, dit.blocks[0].modulation, time, 0, eps)
        last = len(self.products) - 1
        for layer, products in enumerate(self.products):
            block = products.block
            attention, cross, table = block.self_attn, block.cross_attn, block.modulation
            k_slot, v_slot = cache.slots(layer)
            q = fused.kept(
                products.qkv(m),
                attention.norm_q.weight,
                attention.norm_k.weight,
                rotation.cos,
                rotation.sin,
                k_slot,
                v_slot,
                attention.norm_q.eps,
            )
            if layer == last and kind == "clean":
                return None
            y = products.o(attend(q, *cache.attended(layer, q)).flatten(2))
            x, m = fused.gated_normed(
                x, y, table, time, 2, block.norm3.weight, block.norm3.bias, block.norm3.eps
            )
            q = fused.normed(products.cross_q(m), cross.norm_q.weight, cross.norm_q.eps)
            seen = (kept_k[layer : layer + 1], kept_v[layer : layer + 1])
            y = products.cross_o(attend(q.unflatten(2, (cross.heads, -1)), *seen).flatten(2))
            x, m = fused.added_modulated(x, y, table, time, 3, eps)
            y = products.down(products.up(m))
            after = (
                (dit.blocks[layer + 1].modulation, time)
                if layer < last
                else (dit.head.modulation, told.modulation.time.expand(2, -1))
            )
            x, m = fused.gated_modulated(x, y, table, time, 5, *after, eps)
        return dit._unpatched(dit.head.head(m), told.x.shape)


class Products:
    """The matrix products of one block. Queries, keys and values are one."""

    def __init__(self, block: Any) -> None:
        self.block = block
        self.qkv_weight, self.qkv_bias = _joined(block.self_attn)

    def qkv(self, m: torch.Tensor) -> torch.Tensor:
        return functional.linear(m, self.qkv_weight, self.qkv_bias)

    def o(self, a: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.block.self_attn.o(a)
        return y

    def cross_q(self, m: torch.Tensor) -> torch.Tensor:
        q: torch.Tensor = self.block.cross_attn.q(m)
        return q

    def cross_o(self, a: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.block.cross_attn.o(a)
        return y

    def up(self, m: torch.Tensor) -> torch.Tensor:
        """The first layer of the feed-forward net with its GELU, which cuBLAS computes at the end
        of the product, before its one rounding."""
        linear = self.block.ffn[0]
        if m.is_cuda and m.dtype != torch.float32:
            out = torch._addmm_activation(linear.bias, m[0], linear.weight.t(), use_gelu=True)
            return out.unsqueeze(0)
        h: torch.Tensor = _fused().gelu(linear(m))
        return h

    def down(self, h: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.block.ffn[2](h)
        return y


def _joined(attention: Attention) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and biases of queries, keys and values one below the other. The layers keep views of
    them, so that the slow twin goes on working and nothing lies in memory twice."""
    layers = (attention.q, attention.k, attention.v)
    weight = torch.cat([layer.weight.detach() for layer in layers])
    bias = torch.cat([layer.bias.detach() for layer in layers])
    for i, layer in enumerate(layers):
        dim = layer.out_features
        layer.weight.data = weight[i * dim : (i + 1) * dim]
        layer.bias.data = bias[i * dim : (i + 1) * dim]
    return weight, bias


class Told:
    """What a pass is told: the latents, the timestep, the positions and the text."""

    def __init__(
        self, x: torch.Tensor, modulation: Modulation, rotation: Rotation, text: TextCache
    ) -> None:
        self.x, self.modulation, self.rotation = x, modulation, rotation
        self.text_k, self.text_v = text.filled()
        self._text: torch.Tensor | None = None

    @classmethod
    def like(
        cls, x: torch.Tensor, modulation: Modulation, rotation: Rotation, text: TextCache
    ) -> Told:
        """Buffers of these shapes."""
        made = cls(x.clone(), modulation, rotation, text)
        made.modulation = Modulation(modulation.time.clone(), modulation.blocks.clone())
        made.rotation = Rotation(rotation.cos.clone(), rotation.sin.clone())
        made.text_k, made.text_v = made.text_k.clone(), made.text_v.clone()
        return made

    def take(
        self, x: torch.Tensor, modulation: Modulation, rotation: Rotation, text: TextCache
    ) -> None:
        """Fill the buffers; the text's only when it was read anew."""
        self.x.copy_(x)
        self.modulation.time.copy_(modulation.time)
        self.modulation.blocks.copy_(modulation.blocks)
        self.rotation.cos.copy_(rotation.cos)
        self.rotation.sin.copy_(rotation.sin)
        k, v = text.filled()
        if self._text is not k:
            self.text_k.copy_(k[: len(self.text_k)])
            self.text_v.copy_(v[: len(self.text_v)])
            self._text = k
