"""MemFlow: a causal Wan2.1-1.3B that makes three latent frames at a time and remembers a few.

Algorithm: MemFlow (Ji et al., 2025), on LongLive and Self-Forcing; checked against tensors of the
official code (tests/lab/golden). What of its behaviour looks odd is kept, and named where it
happens. Our own: any size whose sides divide by 16 (the official token count is built in for
832x480, so that 848x480 runs silently wrong there), and noise that is drawn chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from generator.errors import UsageError
from generator.lab import schedulers
from generator.lab.context import faults
from generator.lab.models import attention, devices, text, vae, weights
from generator.lab.models.cache import KVCache, TextCache
from generator.lab.models.dit import CausalDiT, Context, Modulation, Rotation
from generator.lab.models.fast import MODES, FastPasses, Passes, check_mode
from generator.lab.models.fast_vae import Coming, FastDecoder, SecondStream
from generator.lab.models.vace import ContextReader
from generator.lab.pipelines import Frames, Parts, Request
from generator.measure.roofline import (
    WAN_1_3B,
    WAN_VAE,
    DiTShape,
    VAEShape,
    chunk_frames,
    first_frame,
    tokens_per_frame,
)

__all__ = ["MemFlow", "Noise", "open_pipeline"]

TINY_DIT = DiTShape(layers=2, dim=48, heads=2, ffn=64, text_dim=16, text_tokens=12, time_dim=16)
TINY_VAE = VAEShape(base=4, multiples=(1, 1, 2, 2), resnets=1)


class Noise:
    """The noise of one stream, on its device: seeded at its first draw, then running on."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._generator: torch.Generator | None = None

    def wipe(self) -> None:
        self._generator = None

    def draw(self, shape: tuple[int, ...], seed: int) -> torch.Tensor:
        if self._generator is None:
            self._generator = torch.Generator(self._device).manual_seed(seed)
        return torch.randn(shape, generator=self._generator, device=self._device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a stream works from."""

    request: Request
    timesteps: tuple[float, ...]
    modulations: Mapping[float, Modulation]
    embeds: Mapping[int, torch.Tensor]
    """Chunk from which on a prompt holds -> its embeddings."""
    recaches: bool = False
    """Whether prompts are switched."""

    def heard(self, chunk: int) -> torch.Tensor:
        """Embeddings of the prompt that holds in a chunk."""
        return self.embeds[max(start for start in self.embeds if start <= chunk)]


class MemFlow:
    """The pipeline. It holds networks and memories; see `generator.lab.pipelines.Pipeline`."""

    def __init__(
        self,
        dit: CausalDiT,
        decoder: vae.StreamingDecoder | FastDecoder | None,
        source: text.TextSource,
        *,
        device: torch.device,
        kernel: str,
        said: Mapping[str, str],
        noise: Noise | None = None,
        sparse_memory: bool = False,
        full_clean_pass: bool = False,
        reader: ContextReader | None = None,
        fast: FastPasses | None = None,
        second: SecondStream | None = None,
        autoencoder: Any = None,
    ) -> None:
        """`full_clean_pass` runs the context update through the whole network, as the official
        code does: the slow twin. Without a `decoder` only latents can be had. `reader` reads VACE
        contexts, for a network that has the branch. `fast` is the fast twin of the network's
        passes; with a `second` stream a FastDecoder works on a chunk while the next is made."""
        self.dit, self.decoder, self.source = dit, decoder, source
        self.device, self.kernel, self.said = device, kernel, said
        self.dtype = dit.patch_embedding.weight.dtype
        self.sparse_memory, self.full_clean_pass = sparse_memory, full_clean_pass
        self.noise = noise or Noise(device)
        self.reader = reader
        self.fast, self.second, self.autoencoder = fast, second, autoencoder
        self.passes: Passes = fast or dit
        self.text = TextCache()
        self.cache: KVCache | None = None
        self.chunk = 0
        """Number of the next chunk: positions follow from it."""
        self._recent: list[torch.Tensor] = []
        """Clean latents of the last chunks, kept where prompts are switched: the window's keys are
        made anew of them."""
        self._prepared: Prepared | None = None

    @property
    def memories(self) -> tuple[str, ...]:
        return tuple(self._wipes())

    def _wipes(self) -> dict[str, Any]:
        return {
            "kv-cache": self._wipe_window,
            "memory-bank": self._wipe_bank,
            "cross-attention": self.text.wipe,
            "vae-features": self._wipe_decoder,
            **({"vace-context": self.reader.wipe} if self.reader else {}),
            "positions": self._wipe_positions,
            "noise": self.noise.wipe,
        }

    @torch.inference_mode()
    def wipe(self, *, but: frozenset[str] = frozenset()) -> None:
        if self.second is not None:
            self.second.finish()
        for name, empty in self._wipes().items():
            if name not in but:
                empty()

    def _wipe_window(self) -> None:
        self._recent = []
        if self.cache is not None:
            self.cache.wipe_window()

    def _wipe_bank(self) -> None:
        if self.cache is not None:
            self.cache.wipe_bank()

    def _wipe_decoder(self) -> None:
        if self.decoder is not None:
            self.decoder.wipe()

    def _wipe_positions(self) -> None:
        self.chunk = 0

    def step_list(self, request: Request) -> tuple[float, ...]:
        """Warped: MemFlow's weights were trained with `warp_denoising_step`."""
        return schedulers.warped(schedulers.raw_steps(request.steps[0]))

    @torch.inference_mode()
    def prepare(self, request: Request) -> None:
        if request.width % 16 or request.height % 16:
            raise UsageError(
                f"{request.width}x{request.height}: MemFlow's sides divide by 16; nearest is "
                f"{_nearest(request.width)}x{_nearest(request.height)}"
            )
        if len(request.steps) != 1:
            raise UsageError(f"steps {request.steps}: MemFlow has one stage; write one number")
        shape = self.dit.shape
        check_switches(request.switches, shape.most_chunks)
        self._check_context(request)
        frame = tokens_per_frame(shape, request.width, request.height)
        if self.cache is None or self.cache.frame_tokens != frame:
            self.cache = None  # give the old one's memory back first
            if self.fast is not None:
                self.fast.forget()
            self.cache = KVCache(
                shape, frame, device=self.device, dtype=self.dtype, sparse=self.sparse_memory
            )
        timesteps = self.step_list(request)
        self._prepared = Prepared(
            request=request,
            timesteps=timesteps,
            modulations={t: self.dit.modulation(t) for t in (*timesteps, 0.0)},
            embeds={
                chunk: self.source.embed(prompt).to(self.device)
                for chunk, prompt in ((0, request.prompt), *request.switches)
            },
            recaches=bool(request.switches),
        )
        self._prepare_fast(self.cache, request.height // 8, request.width // 8)

    def _prepare_fast(self, cache: KVCache, height: int, width: int) -> None:
        """Compile and record what a stream of these latent sides takes, once for each."""
        if self.second is not None:
            self.second.finish()
        if self.fast is not None:
            with attention.using(self.kernel):
                self.fast.prepare(cache, height, width)
        if isinstance(self.decoder, FastDecoder):
            with attention.using("torch"):
                self.decoder.prepare(self.dit.shape.chunk, height, width)

    def _check_context(self, request: Request) -> None:
        if request.context is None:
            return
        if self.reader is None:
            raise UsageError("this pipeline was opened without VACE: no context can be read")
        if wrong := faults(request.context, request.width, request.height):
            raise UsageError("\n".join(f"{what} {is_so}; {do}" for what, is_so, do in wrong))

    def stream(self) -> Iterator[Frames]:
        """With a second stream a chunk is decoded while the next is made; but the first, which
        someone waits for, is handed over before."""
        before: Coming | None = None
        for number, latents in enumerate(self.latents()):
            if self.second is None:
                yield self._pictures(latents)
                continue
            coming = self._started(latents)
            if number == 0:
                yield coming.pictures()
                continue
            if before is not None:
                yield before.pictures()
            before = coming
        if before is not None:
            yield before.pictures()

    def latents(self) -> Iterator[torch.Tensor]:
        """Clean latents [chunk, C, H, W] in float32, chunk after chunk, to the last position."""
        while self.chunk < self.dit.shape.most_chunks:
            yield self._next_latents()

    @torch.inference_mode()
    def _next_latents(self) -> torch.Tensor:
        assert self._prepared is not None, "prepare comes first"
        assert self.cache is not None
        done, cache, shape = self._prepared, self.cache, self.dit.shape
        height, width = done.request.height // 8, done.request.width // 8
        size = (shape.chunk, shape.latent_channels, height, width)
        context = self._context(done)
        with attention.using(self.kernel):
            switched = self.chunk > 0 and self.chunk in done.embeds
            if switched:
                self.text.wipe()
            if self.text.k is None:
                self.dit.read_text(done.heard(self.chunk), self.text)
            text_keys = self.text.filled()[0][: shape.layers]
            cache.remember(self.chunk, None if switched else text_keys)
            if switched and self._recent:
                self._recache(done, cache)
            rotation = self.dit.rotation(
                self.chunk * shape.chunk, shape.chunk, height // 2, width // 2
            )
            x = self.noise.draw(size, done.request.seed)
            for i, t in enumerate(done.timesteps):
                flow = self.passes.forward(
                    x.to(self.dtype), done.modulations[t], rotation, cache, self.text, context
                )
                x = schedulers.clean(x, flow, t)
                if i + 1 < len(done.timesteps):
                    noise = self.noise.draw(size, done.request.seed)
                    x = schedulers.noised(x, noise, done.timesteps[i + 1])
            self._keep(x, done, rotation, cache)
        if done.recaches:
            if self.chunk % shape.bank_interval == 0:
                cache.mark()
            self._recent = [*self._recent, x][-(shape.sink + shape.window) // shape.chunk :]
        self.chunk += 1
        return x

    def _context(self, done: Prepared) -> Context | None:
        """What VACE is to heed in this chunk. Quirk of the public causal code, kept: only the
        passes that denoise heed it, not the one whose keys are kept."""
        wanted = done.request.context
        if wanted is None or self.reader is None:
            return None
        shape = self.dit.shape
        with attention.using("torch"):  # as for the pictures
            latents = self.reader.read(
                wanted,
                done.request.width,
                done.request.height,
                first_frame(shape, self.chunk),
                chunk_frames(shape, self.chunk),
            )
        return self.dit.read_context(latents, shape.chunk, wanted.scale)

    def _keep(self, x: torch.Tensor, done: Prepared, rotation: Rotation, cache: KVCache) -> None:
        """The pass over clean latents, whose keys and values are kept."""
        pass_over = self.dit.forward if self.full_clean_pass else self.passes.remember
        pass_over(x.to(self.dtype), done.modulations[0.0], rotation, cache, self.text)
        cache.advance()

    def _recache(self, done: Prepared, cache: KVCache) -> None:
        """Make the keys and values of the last chunks anew, as the new prompt has them.

        All in one pass, each frame of which sees all the others, later ones too. The sink is made
        anew as long as it is among them. Quirks kept, all of the official interactive run: the bank
        keeps what the old prompt made, and takes in its next frame before the new prompt is read,
        so that where it is full the newest makes place (`KVCache.remember`); a run that switches
        chooses a frame for the bank every third chunk only, from its beginning on.
        """
        shape, chunks = self.dit.shape, len(self._recent)
        latents = torch.cat(self._recent)
        rotation = self.dit.rotation(
            (self.chunk - chunks) * shape.chunk,
            chunks * shape.chunk,
            done.request.height // 16,
            done.request.width // 16,
        )
        cache.rewind(chunks)
        self._keep(latents, done, rotation, cache)

    @torch.inference_mode()
    def _pictures(self, latents: torch.Tensor) -> Frames:
        if self.decoder is None:
            raise UsageError("this pipeline was opened without a VAE: only latents can be had")
        with attention.using("torch"):  # the VAE's heads are too wide for cuDNN's kernel
            frames: Frames = self.decoder.levels(latents).cpu().numpy()
        return frames

    @torch.inference_mode()
    def _started(self, latents: torch.Tensor) -> Coming:
        """Pictures that the second stream was told to make."""
        assert self.second is not None
        if not isinstance(self.decoder, FastDecoder):
            raise UsageError("this pipeline was opened without a VAE: only latents can be had")
        with attention.using("torch"):  # as above
            return self.second.start(self.decoder, latents)

    def synchronize(self) -> None:
        devices.synchronize(self.device)

    def peak_bytes(self, *, reset: bool = False) -> int | None:
        recorded = self.fast is not None and self.fast.graphs
        return devices.peak_bytes(self.device, recorded=recorded, reset=reset)


def open_pipeline(parts: Parts) -> MemFlow:
    """MemFlow with its networks on their device."""
    device, dtype = devices.device_of(parts.device), devices.dtype_of(parts.dtype)
    kernel = attention.checked(parts.attention or attention.choose(device, dtype))
    check_mode(parts.compile, device)
    dit_shape = TINY_DIT if parts.tiny else WAN_1_3B
    if parts.vace:
        dit_shape = replace(dit_shape, vace_layers=tuple(range(0, dit_shape.layers, 2)))
    vae_shape = TINY_VAE if parts.tiny else WAN_VAE
    if parts.weights == "random":
        dit = weights.build(dit_shape, device=device, dtype=dtype)
        said = weights.fill_randomly(dit, parts.weights_seed)
        autoencoder = vae.build_vae(vae_shape, device=device, dtype=dtype)
        weights.fill_randomly(autoencoder, parts.weights_seed + 1)
        vae_said = f"random, seed {parts.weights_seed + 1}"
    else:
        whole = Path(parts.weights)
        folder = (
            whole / "transformer" if (whole / "transformer" / weights.CONFIG).is_file() else whole
        )
        if (folder / weights.CONFIG).is_file():
            dit, said = weights.from_pretrained(folder, device=device, dtype=dtype)
            if parts.vace and not dit.shape.vace_layers:
                raise UsageError(
                    f"{folder / weights.CONFIG}: describes a network without VACE; ask for no "
                    "context, or name the folder of one that has it"
                )
        else:
            dit = weights.build(dit_shape, device=device, dtype=dtype)
            said = weights.load(dit, folder)
        autoencoder = vae.load_vae(whole / "vae", device=device, dtype=dtype)
        vae_said = "AutoencoderKLWan"
    source = text.source_of(
        parts.text,
        parts.weights,
        width=dit.shape.text_dim,
        most_tokens=dit.shape.text_tokens,
        device=device,
        dtype=dtype,
    )
    described = {
        "weights": said.said,
        "VAE weights": vae_said,
        "text embeddings": source.said,
        "dtype": parts.dtype,
        "attention kernel": kernel,
        "compile mode": MODES[parts.compile],
        "memory": "sparse (SMA)" if parts.sparse_memory else "dense",
        "architecture": ("tiny, for tests" if parts.tiny else "Wan2.1-T2V-1.3B, causal")
        + (", with VACE" if dit.shape.vace_layers else ""),
    }
    fast, graphs = parts.compile != "none", parts.compile == "graphs"
    decoder = FastDecoder(autoencoder, graphs=graphs) if fast else vae.StreamingDecoder(autoencoder)
    return MemFlow(
        dit,
        decoder,
        source,
        device=device,
        kernel=kernel,
        said=described,
        sparse_memory=parts.sparse_memory,
        reader=ContextReader(autoencoder) if dit.shape.vace_layers else None,
        fast=FastPasses(dit, graphs=graphs) if fast else None,
        second=SecondStream(decoder.stream)
        if isinstance(decoder, FastDecoder) and graphs
        else None,
        autoencoder=autoencoder,
    )


def check_switches(switches: Sequence[tuple[int, str]], most_chunks: int) -> None:
    """Raises UsageError for prompts that are switched at no place that there is."""
    before = 0
    for chunk, _ in switches:
        if not before < chunk < most_chunks:
            raise UsageError(
                f"a prompt is switched at chunk {chunk}: switches stand in order, one a chunk, "
                f"from chunk 1 to {most_chunks - 1}"
            )
        before = chunk


def _nearest(side: int) -> int:
    return max(16, round(side / 16) * 16)
