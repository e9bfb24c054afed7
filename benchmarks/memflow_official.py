"""The official MemFlow code as `memflow_fast.py compare` runs it, from a checkout that whoever runs
it has fetched (KlingTeam/MemFlow, commit 7ed5147). Nothing of it stands here.

Adapted while it is loaded, in three places: the token count of a latent frame, which it fixes for
832x480, follows the picture; attention goes through PyTorch's cuDNN kernel in place of
FlashAttention; networks are built from their configuration and filled with given or random weights
instead of read from files. Its own loop (`CausalInferencePipeline.inference`) runs as it is; its
own streaming decode (`WanVAEWrapper.decode_to_pixel(use_cache=True)`) is called after each chunk's
last pass, so that chunks arrive one by one.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import time
import types
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["Official", "attention_kernels", "told_of"]

FIXED = "1560"
COMMIT = "7ed5147"
SHA256 = "4c4ed85adcc70d40bde017efa6ef5384a377262c39c9f527e898b22836d1b318"
"""Of the modules that this script loads, at that commit."""


class Settings(dict[str, Any]):
    """A dictionary whose entries are attributes as well, as the official code's settings are."""

    __getattr__ = dict.__getitem__


KERNELS = [SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""In this order; the VAE's one head is too wide for the first."""


def attend(q: Any, k: Any, v: Any, *_: Any, **__: Any) -> Any:
    out = functional.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    )
    return out.transpose(1, 2).contiguous()


def attention_kernels(device: str, dtype: Any) -> list[str]:
    """Names of what computes attention of the transformer's shape here."""
    from torch.profiler import ProfilerActivity, profile

    q = torch.randn(1, 12, 1728, 128, device=device, dtype=dtype)
    with sdpa_kernel(KERNELS, set_priority=True):
        functional.scaled_dot_product_attention(q, q, q)
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            functional.scaled_dot_product_attention(q, q, q)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
    return [one.name for one in seen.events() if str(one.device_type).endswith("CUDA")]


class Official:
    """The official pipeline on one device, with the weights of `state` (Wan's names)."""

    def __init__(
        self, folder: Path, state: dict[str, Any], *, layers: int, device: str, dtype: Any
    ) -> None:
        self.device, self.dtype = torch.device(device), dtype
        if not torch.cuda.is_available():
            torch.cuda.current_device = lambda: 0  # asked for while it is imported
        self._causal_model = load(folder)
        causal = importlib.import_module("pipeline.causal_inference")
        wrapper = importlib.import_module("utils.wan_wrapper")
        with torch.device("meta"):
            network = self._causal_model.CausalWanModel(
                model_type="t2v",
                in_dim=16,
                out_dim=16,
                dim=1536,
                ffn_dim=8960,
                freq_dim=256,
                num_heads=12,
                num_layers=layers,
                local_attn_size=12,
                sink_size=3,
                bank_size=3,
                record_interval=3,
                SMA=False,
            )
        network = network.to_empty(device=self.device).to(dtype)
        network.load_state_dict(state, strict=True)
        network.freqs = rope(self._causal_model, 128).to(self.device)
        generator = wrapper.WanDiffusionWrapper.__new__(wrapper.WanDiffusionWrapper)
        torch.nn.Module.__init__(generator)
        generator.model = network.eval().requires_grad_(False)
        generator.uniform_timestep = False
        scheduler = importlib.import_module("utils.scheduler").FlowMatchScheduler
        generator.scheduler = scheduler(shift=5.0, sigma_min=0.0, extra_one_step=True)
        generator.scheduler.set_timesteps(1000, training=True)
        generator.seq_len = 32760
        generator.post_init()
        self.vae = self._vae(wrapper)
        self._generator, self._pipeline_class, self._layers = generator, causal, layers

    def _vae(self, wrapper: Any) -> Any:
        made = wrapper.WanVAEWrapper.__new__(wrapper.WanVAEWrapper)
        torch.nn.Module.__init__(made)
        vae = importlib.import_module("wan.modules.vae")
        torch.manual_seed(1)
        made.model = vae.WanVAE_(
            dim=96,
            z_dim=16,
            dim_mult=[1, 2, 4, 4],
            num_res_blocks=2,
            attn_scales=[],
            temperal_downsample=[False, True, True],
            dropout=0.0,
        )
        for name, parameter in made.model.named_parameters():
            if parameter.dim() > 1 and not name.endswith("gamma"):
                fan_in = parameter[0].numel()
                torch.nn.init.normal_(parameter, std=fan_in**-0.5)
        made.model.to(self.device, self.dtype).eval().requires_grad_(False)
        made.mean = torch.tensor([0.0] * 16)
        made.std = torch.tensor([1.0] * 16)
        return made

    @torch.no_grad()
    def arrivals(self, width: int, height: int, steps: int, chunks: int) -> list[float]:
        """Seconds at which each chunk's pictures were on the host, from the call on."""
        frame = (width // 16) * (height // 16)
        self._causal_model.FRAME_TOKENS = frame
        raw = [round(1000 * (steps - i) / steps) for i in range(steps)]
        settings = Settings(
            denoising_step_list=raw,
            warp_denoising_step=True,
            num_frame_per_block=3,
            context_noise=0,
            model_kwargs=Settings(
                local_attn_size=12, sink_size=3, bank_size=3, record_interval=3, SMA=False
            ),
        )
        embeds = torch.randn(1, 512, 4096, device=self.device, dtype=self.dtype)
        found: list[float] = []
        watched = Watched(self._generator, self.vae, found)
        pipeline = self._pipeline_class.CausalInferencePipeline(
            settings,
            self.device,
            generator=watched,
            text_encoder=Answer({"prompt_embeds": embeds}),
            vae=NoEnd(),
        )
        pipeline.num_transformer_blocks = self._layers
        pipeline.frame_seq_length = frame
        noise = torch.randn(
            1, 3 * chunks, 16, height // 8, width // 8, device=self.device, dtype=self.dtype
        )
        self.vae.model.clear_cache()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        with sdpa_kernel(KERNELS, set_priority=True):
            watched.start = time.perf_counter()
            pipeline.inference(noise, ["prompt"])
        return found


class Watched(torch.nn.Module):
    """The official generator; after the pass that keeps a chunk's keys it decodes the chunk."""

    def __init__(self, generator: Any, vae: Any, found: list[float]) -> None:
        super().__init__()
        self.inner, self.vae, self.found = generator, vae, found
        self.start = 0.0

    @property
    def model(self) -> Any:
        return self.inner.model

    def get_scheduler(self) -> Any:
        return self.inner.get_scheduler()

    def forward(self, **told: Any) -> Any:
        out = self.inner(**told)
        if told.get("update_cache"):
            video = self.vae.decode_to_pixel(told["noisy_image_or_video"], use_cache=True)
            levels = ((video * 0.5 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
            levels.permute(0, 1, 3, 4, 2).contiguous().cpu().numpy()
            self.found.append(time.perf_counter() - self.start)
        return out


class Answer(torch.nn.Module):
    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__()
        self.said = said

    def forward(self, text_prompts: Any = None) -> Any:
        return self.said


class NoEnd(torch.nn.Module):
    """In place of the decode at the very end: it was done chunk by chunk."""

    def decode_to_pixel(self, latents: Any, use_cache: bool = False) -> Any:
        return latents[:, :1, :3]


def rope(module: Any, head_dim: int) -> Any:
    parts = (head_dim - 4 * (head_dim // 6), 2 * (head_dim // 6), 2 * (head_dim // 6))
    return torch.cat([module.rope_params(1024, part) for part in parts], dim=1)


def load(folder: Path) -> Any:
    """Its modules under their own names, without the packages' own beginnings, which import all
    there is. Gives the adapted `wan.modules.causal_model`."""
    source = folder / "wan" / "modules" / "causal_model.py"
    if not source.is_file():
        raise SystemExit(f"{folder}: no checkout of KlingTeam/MemFlow; {source} is not there")
    sys.path.insert(0, str(folder))
    for name in ("wan", "wan.modules", "utils", "pipeline"):
        package = types.ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")))]
        sys.modules[name] = package
    for name, gives in (
        ("wan.modules.tokenizers", "HuggingfaceTokenizer"),
        ("wan.modules.t5", "umt5_xxl"),
    ):
        stub = types.ModuleType(name)
        setattr(stub, gives, None)
        sys.modules[name] = stub
    if importlib.util.find_spec("einops") is None:
        sys.modules["einops"] = rearranging()
    attention = importlib.import_module("wan.modules.attention")
    attention.flash_attention = attention.attention = attend
    module = types.ModuleType("wan.modules.causal_model")
    module.__file__ = str(source)
    sys.modules["wan.modules.causal_model"] = module
    text = source.read_text("utf-8")
    if FIXED not in text:
        raise SystemExit(f"{source}: not the version that this script adapts (7ed5147)")
    module.FRAME_TOKENS = int(FIXED)
    exec(compile(text.replace(FIXED, "FRAME_TOKENS"), str(source), "exec"), module.__dict__)
    return module


def told_of(folder: Path) -> str:
    """Which version a checkout holds, by the bytes of the modules that are loaded of it."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        if name == "pipeline/causal_inference.py" or name.startswith(("utils/", "wan/")):
            digest.update(f"{name}\n".encode() + path.read_bytes())
    found = digest.hexdigest()
    whole = found == SHA256
    return f"KlingTeam/MemFlow {COMMIT if whole else f'in another state, sha256 {found[:12]}'}"


def rearranging() -> types.ModuleType:
    """The two patterns of einops that the official VAE uses while it decodes."""
    made = types.ModuleType("einops")

    def rearrange(x: Any, pattern: str, **sizes: int) -> Any:
        pattern = pattern.replace(" ", "")
        if pattern == "bcthw->(bt)chw":
            return x.transpose(1, 2).flatten(0, 1)
        if pattern == "(bt)chw->bcthw":
            return x.unflatten(0, (-1, sizes["t"])).transpose(1, 2)
        raise NotImplementedError(pattern)

    made.rearrange = rearrange
    made.repeat = None
    return made
