"""Helios' transformer as diffusers holds it, and the same passes in fewer operations.

diffusers gives every token its own row of modulation in float32, though only two rows differ (the
history's, at timestep 0, and the chunk's own), and makes positions, history tokens and the text's
keys and values anew in each pass. Here there are two rows, and the rest is kept as long as it
holds. The weights and submodules are diffusers' own, and so is the slow twin, its `forward`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from generator.errors import MediaError, UsageError
from generator.lab.models import attention, weights
from generator.measure.roofline import HeliosShape

__all__ = ["FastHelios", "build_helios", "load_helios"]

# Shapes: B batch, N tokens (history first, then the chunk's own), S tokens of the prompt, D width,
# H heads, E head dimension

HEAD_AXES = {128: (44, 42, 42), 12: (4, 4, 4)}
"""Head dimension -> how many of it turn with time, height and width."""
MOST_GRAPHS = 64
NEEDED = {
    "guidance_cross_attn": True,
    "zero_history_timestep": True,
    "has_multi_term_memory_patch": True,
    "patch_size": [1, 2, 2],
}
"""What a configuration must state, if it states it, for the passes here to be its own."""
COUNTS = (
    *("num_attention_heads", "attention_head_dim", "in_channels", "out_channels", "text_dim"),
    *("freq_dim", "ffn_dim", "num_layers"),
)


class FastHelios:
    """Stands in for a transformer's `forward`; `put_in` does it.

    What it keeps: the prompt's keys and values until `forget_text`, the history's tokens until
    `new_chunk`, positions (of sizes, not of clips) for good. `compiled` blocks are fused by
    torch.compile, one graph for each count of tokens.
    """

    def __init__(self, net: Any, *, compiled: bool) -> None:
        self.net, self.compiled = net, compiled
        self._block: Callable[..., torch.Tensor] = (
            compile_each(block_pass) if compiled else block_pass
        )
        self._text: list[tuple[torch.Tensor, torch.Tensor]] | None = None
        self._history: torch.Tensor | None = None
        self._turns: dict[tuple[int, ...], tuple[torch.Tensor, torch.Tensor]] = {}

    def put_in(self) -> None:
        """From now on the network passes this way."""
        self.net.forward = self.forward

    def take_out(self) -> None:
        """The network passes as diffusers has it."""
        self.net.__dict__.pop("forward", None)

    def forget_text(self) -> None:
        self._text = None

    def new_chunk(self) -> None:
        self._history = None

    def forward(
        self,
        hidden_states: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        indices_hidden_states: torch.Tensor,
        indices_latents_history_short: torch.Tensor,
        indices_latents_history_mid: torch.Tensor,
        indices_latents_history_long: torch.Tensor,
        latents_history_short: torch.Tensor,
        latents_history_mid: torch.Tensor,
        latents_history_long: torch.Tensor,
        return_dict: bool = True,
        attention_kwargs: dict[str, Any] | None = None,
    ) -> tuple[torch.Tensor]:
        """One clip at a time, with history: as the pipeline calls it. Latents [1, C, T, h, w]."""
        net = self.net
        own = net.patch_embedding(hidden_states)
        frames, height, width = own.shape[2:]
        own = own.flatten(2).transpose(1, 2)
        if self._text is None:
            self._text = self._read_text(encoder_hidden_states)
        if self._history is None:
            self._history = self._patched(
                latents_history_short, latents_history_mid, latents_history_long
            )
        cos, sin = self._turn(
            (frames, height, width, *latents_history_short.shape[-2:]),
            (
                indices_hidden_states,
                indices_latents_history_short,
                indices_latents_history_mid,
                indices_latents_history_long,
            ),
            own.device,
        )
        before = self._history.shape[1]
        times = torch.cat([torch.zeros_like(timestep[:1]), timestep[:1]])
        temb, rows, _ = net.condition_embedder(
            times, encoder_hidden_states, is_return_encoder_hidden_states=False
        )
        rows = rows.unflatten(-1, (6, -1))
        x = torch.cat([self._history, own], dim=1)
        for block, (k, v) in zip(net.blocks, self._text, strict=True):
            x = self._block(block, x, k, v, rows, cos, sin, before)
        shift, scale = (net.norm_out.scale_shift_table + temb[1:].unsqueeze(1)).chunk(2, dim=1)
        own = x[:, before:]
        own = (net.norm_out.norm(own.float()) * (1 + scale) + shift).type_as(own)
        out = net.proj_out(own).unflatten(1, (frames, height, width))
        return (unpatched(out, net.config.patch_size),)

    def _read_text(self, embeds_BSE: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values [B, S, H, E] of the prompt in every block."""
        text = self.net.condition_embedder.text_embedder(embeds_BSE)
        return [
            (
                heads(block.attn2.norm_k(block.attn2.to_k(text)), block.attn2.heads),
                heads(block.attn2.to_v(text), block.attn2.heads),
            )
            for block in self.net.blocks
        ]

    def _patched(self, short: torch.Tensor, mid: torch.Tensor, long: torch.Tensor) -> torch.Tensor:
        net = self.net
        t, h, w = net.config.patch_size
        parts = (
            net.patch_long(filled(long, (4 * t, 4 * h, 4 * w))),
            net.patch_mid(filled(mid, (2 * t, 2 * h, 2 * w))),
            net.patch_short(short),
        )
        return torch.cat([part.flatten(2).transpose(1, 2) for part in parts], dim=1)

    def _turn(
        self, size: tuple[int, ...], indices: tuple[torch.Tensor, ...], device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosines and sines [1, N, 1, E / 2] of all tokens' positions."""
        if size not in self._turns:
            _, height, width, full_height, full_width = size
            _, ph, pw = self.net.config.patch_size
            h, w = full_height // ph, full_width // pw
            own, short, mid, long = indices
            rope = self.net.rope

            def turned(frames: torch.Tensor, height: int, width: int, fewer: int) -> torch.Tensor:
                found = rope(frame_indices=frames, height=height, width=width, device=device)
                if fewer > 1:
                    kernel = (fewer, fewer, fewer)
                    found = functional.avg_pool3d(filled(found, kernel), kernel, stride=kernel)
                return found.flatten(2).transpose(1, 2)

            parts = (
                turned(long, h, w, 4),
                turned(mid, h, w, 2),
                turned(short, h, w, 1),
                turned(own, height, width, 1),
            )
            cos, sin = torch.cat(parts, dim=1).unsqueeze(2).chunk(2, dim=-1)
            self._turns[size] = cos[..., 0::2].contiguous(), sin[..., 1::2].contiguous()
        return self._turns[size]


def compile_each(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled once for each set of shapes that it meets; more than torch's own eight are let be,
    and past that it fails rather than run slowly unseen."""
    import torch._dynamo as dynamo

    dynamo.config.recompile_limit = max(dynamo.config.recompile_limit, MOST_GRAPHS)
    compiled: Callable[..., Any] = torch.compile(function, fullgraph=True, dynamic=False)
    return compiled


def block_pass(
    block: Any,
    x: torch.Tensor,
    text_k: torch.Tensor,
    text_v: torch.Tensor,
    rows: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    before: int,
) -> torch.Tensor:
    """One transformer block over tokens [1, N, D], `before` of them history.

    `rows` [2, 6, D]: what the timestep makes of shift, scale and gate, of history and of the rest.
    """
    table = block.scale_shift_table + rows.float()
    is_own = (torch.arange(x.shape[1], device=x.device) >= before).view(1, -1, 1)
    shift, scale, gate, shift_f, scale_f, gate_f = (
        torch.where(is_own, row[1], row[0]) for row in table.unbind(1)
    )
    attn = block.attn1
    h = (block.norm1(x.float()) * (1 + scale) + shift).type_as(x)
    q = turned(heads(attn.norm_q(attn.to_q(h)), attn.heads), cos, sin)
    k = turned(heads(attn.norm_k(attn.to_k(h)), attn.heads), cos, sin)
    if attn.is_amplify_history:
        louder = 1 + torch.sigmoid(attn.history_key_scale) * (attn.max_scale - 1)
        k = torch.where(is_own.unsqueeze(-1), k, k * louder.view(1, 1, -1, 1)).type_as(k)
    mixed = attention.attend(q, k, heads(attn.to_v(h), attn.heads)).flatten(2)
    x = (x.float() + attn.to_out[0](mixed.type_as(q)) * gate).type_as(x)
    heard = block.attn2
    y = x[:, before:]
    q = heads(heard.norm_q(heard.to_q(block.norm2(y.float()).type_as(y))), heard.heads)
    y = y + heard.to_out[0](attention.attend(q, text_k, text_v).flatten(2))
    x = torch.cat([x[:, :before], y], dim=1)
    h = (block.norm3(x.float()) * (1 + scale_f) + shift_f).type_as(x)
    return (x.float() + block.ffn(h).float() * gate_f).type_as(x)


def heads(x_BND: torch.Tensor, count: int) -> torch.Tensor:
    return x_BND.unflatten(2, (count, -1))


def turned(x_BNHE: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary positions: neighbouring pairs turned, computed in float32."""
    a, b = x_BNHE.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2).type_as(x_BNHE)


def filled(x: torch.Tensor, multiple: tuple[int, int, int]) -> torch.Tensor:
    """Filled up at the ends with what stands there, until the last three sides divide."""
    t, h, w = (-side % to for side, to in zip(x.shape[2:], multiple, strict=True))
    return functional.pad(x, (0, w, 0, h, 0, t), mode="replicate")


def unpatched(x: torch.Tensor, patch: tuple[int, int, int]) -> torch.Tensor:
    """[B, T, h, w, patch * C] -> [B, C, T, H, W]."""
    x = x.unflatten(-1, (*patch, -1)).permute(0, 7, 1, 4, 2, 5, 3, 6)
    return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)


def build_helios(shape: HeliosShape, *, device: torch.device, dtype: torch.dtype) -> Any:
    """diffusers' transformer on its device, its parameters holding nothing of use yet."""
    return of_config(config_of(shape), device=device, dtype=dtype)


def config_of(shape: HeliosShape) -> dict[str, Any]:
    """As diffusers words it. What is not named here is as its class has it."""
    return {
        "patch_size": shape.patch,
        "num_attention_heads": shape.heads,
        "attention_head_dim": shape.head_dim,
        "in_channels": shape.latent_channels,
        "out_channels": shape.latent_channels,
        "text_dim": shape.text_dim,
        "freq_dim": shape.time_dim,
        "ffn_dim": shape.ffn,
        "num_layers": shape.layers,
        "rope_dim": HEAD_AXES[shape.head_dim],
    }


def of_config(config: dict[str, Any], *, device: torch.device, dtype: torch.dtype) -> Any:
    """The network, with the parameters in float32 that diffusers keeps so when it loads one.

    Made on its device under a default dtype: made elsewhere and moved, its position tables would
    hold garbage or be rounded.
    """
    kind = transformer_class()
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            net = kind(**config)
    finally:
        torch.set_default_dtype(before)
    keep = set(kind._keep_in_fp32_modules)
    for name, parameter in net.named_parameters():
        if keep & set(name.split(".")):
            parameter.data = parameter.data.float()
    return net.eval().requires_grad_(False)


def transformer_class() -> Any:
    try:
        from diffusers import HeliosTransformer3DModel
    except ImportError as error:
        raise UsageError(
            "Helios comes from diffusers, which is not installed here; install the extra `lab`"
        ) from error
    return HeliosTransformer3DModel


def load_helios(
    folder: Path, *, device: torch.device, dtype: torch.dtype
) -> tuple[Any, weights.Weights]:
    """The network from a folder in diffusers' manner. Raises MediaError for what is none."""
    net = of_config(_config(folder / weights.CONFIG), device=device, dtype=dtype)
    return net, weights.fill(net, folder)


def _config(path: Path) -> dict[str, Any]:
    stated = weights.read_json(path)
    name = stated.get("_class_name")
    if name != "HeliosTransformer3DModel":
        raise MediaError(
            f"{path}: _class_name is {name!r}; Helios' transformer is a HeliosTransformer3DModel"
        )
    given = {key: value for key, value in stated.items() if not key.startswith("_")}
    known = inspect.signature(transformer_class().__init__).parameters
    unknown = sorted(given.keys() - known.keys())
    wrong = [f"{key} is not known" for key in unknown]
    wrong += [
        f"{key} is {given[key]!r}, where a count belongs"
        for key in COUNTS
        if key in given and (type(given[key]) is not int or given[key] < 1)
    ]
    wrong += [
        f"{key} is {given[key]!r}, where {value!r} is computed"
        for key, value in NEEDED.items()
        if given.get(key, value) != value
    ]
    if not wrong:
        whole = {name: one.default for name, one in known.items()} | given
        axes, width = whole["rope_dim"], whole["attention_head_dim"]
        if not isinstance(axes, list | tuple) or len(axes) != 3 or sum(axes) != width:
            wrong.append(f"rope_dim is {axes!r}, which does not make attention_head_dim {width}")
    if wrong:
        raise MediaError(f"{path}: {'; '.join(wrong)}; fetch it again, or check what it describes")
    return given
