"""Latents to pictures and back while they arrive: the Wan2.1 VAE of diffusers, fed by the chunk.

diffusers decodes a whole video, one latent frame at a time, and keeps its causal features to
itself. Here they live between chunks, and the latent frames of a chunk go through the decoder in
one call: the same pictures from a third of the launches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from generator.errors import MediaError, UsageError
from generator.measure.roofline import VAEShape

__all__ = ["StreamingDecoder", "StreamingEncoder", "as_levels", "build_vae", "load_vae"]

# Shapes: T latent frames, C latent channels, H and W latent sides


class StreamingDecoder:
    """The decoder with the features that it keeps from chunk to chunk.

    `batched=False` is the slow twin: one latent frame a call, as diffusers does it.
    """

    def __init__(self, vae: Any, *, batched: bool = True) -> None:
        self.vae, self.batched = vae, batched
        config = vae.config
        parameter = vae.post_quant_conv.weight
        self.device, self.dtype = parameter.device, parameter.dtype
        self._mean = torch.tensor(config.latents_mean, device=self.device).view(1, -1, 1, 1, 1)
        self._std = torch.tensor(config.latents_std, device=self.device).view(1, -1, 1, 1, 1)
        self._slots = _caching_convolutions(vae.decoder)
        self._features: list[Any] = [None] * self._slots

    def wipe(self) -> None:
        """Forget the features: the next latent frame is a first one."""
        self._features = [None] * self._slots

    @property
    def is_fresh(self) -> bool:
        return all(feature is None for feature in self._features)

    def decode(self, latents_TCHW: torch.Tensor) -> torch.Tensor:
        """Pictures [frames, 3, 8 H, 8 W], -1 to 1, of the next latent frames of the stream.

        4 frames for each latent frame, but 1 for the very first.
        """
        latents = latents_TCHW.transpose(0, 1).unsqueeze(0).to(self.device)
        x = self.vae.post_quant_conv((latents.float() * self._std + self._mean).to(self.dtype))
        parts = [x[:, :, :1], x[:, :, 1:]] if self.is_fresh else [x]
        if not self.batched:
            parts = list(x.split(1, dim=2))
        pictures = [self._decoded(part) for part in parts if part.shape[2]]
        return torch.cat(pictures, dim=2)[0].transpose(0, 1).clamp(-1, 1)

    def levels(self, latents_TCHW: torch.Tensor) -> torch.Tensor:
        """The same pictures as 8-bit levels, [frames, 8 H, 8 W, 3]."""
        return as_levels(self.decode(latents_TCHW)).permute(0, 2, 3, 1).contiguous()

    def _decoded(self, x: torch.Tensor) -> torch.Tensor:
        first = self.is_fresh
        out = self.vae.decoder(x, feat_cache=self._features, feat_idx=[0], first_chunk=first)
        assert isinstance(out, torch.Tensor)
        return out


def as_levels(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures as 8-bit levels; what is beyond -1 or 1 counts as that."""
    return ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


class StreamingEncoder:
    """The encoder with the features that it keeps from chunk to chunk.

    Fed in parts that begin and end where a latent frame does, it gives what diffusers gives for
    the whole video.
    """

    def __init__(self, vae: Any) -> None:
        self.vae = vae
        config = vae.config
        parameter = vae.quant_conv.weight
        self.device, self.dtype = parameter.device, parameter.dtype
        self._mean = torch.tensor(config.latents_mean, device=self.device).view(-1, 1, 1, 1)
        self._std = torch.tensor(config.latents_std, device=self.device).view(-1, 1, 1, 1)
        self._slots = _caching_convolutions(vae.encoder)
        self._features: list[Any] = [None] * self._slots

    def wipe(self) -> None:
        """Forget the features: the next picture is a first one."""
        self._features = [None] * self._slots

    def needs(self, latent_frames: int) -> int:
        """Pictures that the next so many latent frames are made of: 4 each, but 1 for the very
        first."""
        return 4 * latent_frames - (3 if self._is_fresh else 0)

    @property
    def _is_fresh(self) -> bool:
        return all(feature is None for feature in self._features)

    def encode(self, pictures_FCHW: torch.Tensor) -> torch.Tensor:
        """Latents [C, T, H / 8, W / 8], normalised, of the next pictures [frames, 3, H, W], -1 to
        1: as many as `needs` says for T."""
        x = pictures_FCHW.transpose(0, 1).unsqueeze(0).to(self.device, self.dtype)
        parts = [x[:, :, :1], *x[:, :, 1:].split(4, dim=2)] if self._is_fresh else x.split(4, dim=2)
        made = [
            self.vae.encoder(part, feat_cache=self._features, feat_idx=[0])
            for part in parts
            if part.shape[2]
        ]
        moments = self.vae.quant_conv(torch.cat(made, dim=2))[0]
        mode = moments.chunk(2, dim=0)[0]
        return ((mode.float() - self._mean) / self._std).to(self.dtype)


def build_vae(shape: VAEShape, *, device: torch.device, dtype: torch.dtype) -> Any:
    """A Wan VAE whose parameters are allocated on the device and hold nothing yet."""
    autoencoder = _autoencoder()
    downs = list(reversed(shape.time_up))
    with torch.device("meta"):
        vae = autoencoder(
            base_dim=shape.base,
            z_dim=shape.latent_channels,
            dim_mult=list(shape.multiples),
            num_res_blocks=shape.resnets,
            temperal_downsample=downs,
        )
    torch.nn.Module.to(vae, dtype)  # diffusers' own `to` warns of an empty list
    return vae.to_empty(device=device).eval().requires_grad_(False)


def load_vae(path: Path, *, device: torch.device, dtype: torch.dtype) -> Any:
    """A Wan VAE from a folder in diffusers' manner. Raises MediaError where it is none."""
    try:
        vae = _autoencoder().from_pretrained(path, torch_dtype=dtype, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MediaError(
            f"{path}: no Wan VAE that diffusers can read ({said[:200]}); name the folder that "
            "holds its config.json and its weights"
        ) from error
    return vae.to(device).eval().requires_grad_(False)


def _autoencoder() -> Any:
    try:
        from diffusers import AutoencoderKLWan
    except ImportError as error:
        raise UsageError(
            "the Wan VAE comes from diffusers, which is not installed here; install the extra `lab`"
        ) from error
    return AutoencoderKLWan


def _caching_convolutions(network: Any) -> int:
    """Slots that an encoder or decoder fills: one for each causal convolution, as in diffusers."""
    return sum(type(module).__name__ == "WanCausalConv3d" for module in network.modules())
