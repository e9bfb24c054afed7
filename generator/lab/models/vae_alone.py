"""A chunk decoded alone by the Wan2.1 VAE, in one pass over all of its frames.

diffusers decodes one latent frame after the other and hands causal features on. Where nothing comes
before, all frames can go through each layer at once: zeros stand before the first, and the first
latent frame never doubles in time, nor is it seen where the others do. Same sums, fewer and larger
kernels, and nothing kept. Padding in time is written together with what comes before it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from generator.lab.models.helios import compile_each

__all__ = ["AloneDecoder", "decode_eagerly"]

# Shapes: B batch, C channels, T frames, H and W sides

LAST = torch.channels_last_3d
MOST_ELEMENTS = 2**31
"""Of one tensor: kernels of convolutions count no further. Larger chunks are decoded eagerly."""


class AloneDecoder:
    """Decodes chunks by a VAE of diffusers. `last` lays channels out innermost throughout, in a
    copy of the decoder; `compiled` is one graph for each size."""

    def __init__(self, vae: Any, *, last: bool, compiled: bool) -> None:
        self.vae = vae
        net = laid_out(vae.decoder) if last else vae.decoder

        def decode(latents: torch.Tensor) -> torch.Tensor:
            return decoded(vae.post_quant_conv, net, latents, last=last)

        self._decode: Callable[[torch.Tensor], torch.Tensor] = (
            compile_each(decode) if compiled else decode
        )

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents [B, C, T, H, W] as the VAE has them -> pictures [B, 3, 4 T - 3, 8 H, 8 W]."""
        b, _, t, h, w = latents.shape
        widest = b * (4 * t - 3) * 64 * h * w * 2 * self.vae.decoder.conv_out.in_channels
        return (
            self._decode(latents) if widest < MOST_ELEMENTS else decode_eagerly(self.vae, latents)
        )


def decode_eagerly(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """diffusers' own decoding, one latent frame after the other: the slow twin."""
    pictures: torch.Tensor = type(vae).decode(vae, latents, return_dict=False)[0]
    return pictures


def decoded(
    enter: Any,
    net: Any,
    latents: torch.Tensor,
    *,
    last: bool,
    act: Callable[..., torch.Tensor] | None = None,
) -> torch.Tensor:
    """All of it. `act` stands in for `activated`."""
    act = act or activated
    x = enter(latents)
    if last:
        x = x.contiguous(memory_format=LAST)
    x = causal(net.conv_in, padded(x))
    middle = net.mid_block
    x = residual(middle.resnets[0], x, act, last)
    for attention, resnet in zip(middle.attentions, middle.resnets[1:], strict=True):
        x = residual(resnet, attention(x), act, last)
    for up in net.up_blocks:
        for resnet in up.resnets:
            x = residual(resnet, x, act, last)
        for resample in up.upsamplers or ():
            x = upsampled(resample, x, last=last)
    return causal(net.conv_out, act(x, net.norm_out.gamma, last)).clamp(-1, 1)


def residual(block: Any, x: torch.Tensor, act: Callable[..., torch.Tensor], last: bool) -> Any:
    y = causal(block.conv1, act(x, block.norm1.gamma, last))
    y = causal(block.conv2, act(y, block.norm2.gamma, last))
    return y + block.conv_shortcut(x)


def activated(x: torch.Tensor, gamma: torch.Tensor, last: bool) -> torch.Tensor:
    """Normed over channels, SiLU, and two frames of zeros before."""
    normed = functional.normalize(x.float(), dim=1).to(x.dtype)
    y = padded(functional.silu(normed * x.shape[1] ** 0.5 * gamma))
    return y.contiguous(memory_format=LAST) if last else y


def padded(x: torch.Tensor) -> torch.Tensor:
    return functional.pad(x, (0, 0, 0, 0, 2, 0))


def causal(conv: Any, x: torch.Tensor) -> torch.Tensor:
    """A causal convolution over frames that were padded in time."""
    _, high, wide = conv.kernel_size
    return functional.conv3d(
        x, conv.weight, conv.bias, stride=conv.stride, padding=(0, high // 2, wide // 2)
    )


def upsampled(resample: Any, x: torch.Tensor, *, last: bool) -> torch.Tensor:
    """Twice the sides, and of all frames but the first twice the number where the stage has it."""
    if resample.mode == "upsample3d" and x.shape[2] > 1:
        first, rest = x[:, :, :1], x[:, :, 1:]
        b, c, t, h, w = rest.shape
        rest = causal(resample.time_conv, padded(rest)).view(b, 2, c, t, h, w)
        if last:
            rest = rest.permute(0, 3, 1, 4, 5, 2).reshape(b, 2 * t, h, w, c).permute(0, 4, 1, 2, 3)
        else:
            rest = rest.permute(0, 2, 3, 1, 4, 5).reshape(b, c, 2 * t, h, w)
        x = torch.cat([first, rest], dim=2)
    b, _, t, _, _ = x.shape
    flat = x.transpose(1, 2).flatten(0, 1)
    flat = functional.interpolate(flat, scale_factor=2.0, mode="nearest-exact")
    flat = resample.resample[1](flat)
    return flat.unflatten(0, (b, t)).transpose(1, 2)


def laid_out(network: Any) -> Any:
    """A copy with channels innermost in every convolution's weights."""
    network = copy.deepcopy(network)
    for module in network.modules():
        weight = getattr(module, "weight", None)
        if isinstance(weight, torch.nn.Parameter) and weight.ndim in (4, 5):
            layout = LAST if weight.ndim == 5 else torch.channels_last
            weight.data = weight.data.contiguous(memory_format=layout)
    return network
