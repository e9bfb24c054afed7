"""Neon's weights on disk: a configuration and safetensors in pieces, whole or in eight bits.

    config.json            shapes, scenes, attributes with their spans, sampler, pieces, provenance
    neon-1-of-3.safetensors ...    at most 15 MB each

Names begin with the part they belong to: `neon.`, `vae.`, and in checkpoints `features.`. Eight
bits: int8 by output row, symmetric (scale = largest / 127, as float32 under `<name>:scale`), for
the transformer's matrices alone; all else is float16. What is lost is measured when it is written
(`rounding`), and stands in the configuration.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from generator.errors import MediaError
from generator.lab.models.neon import Neon
from generator.lab.models.neon_vae import NeonVAE
from generator.lab.models.weights import Weights, read_json, read_state
from generator.lab.prompts import Known
from generator.measure.roofline import DiTShape, NeonVAEShape

__all__ = [
    "MOST_BYTES",
    "NeonConfig",
    "build",
    "fill",
    "load",
    "open_parts",
    "read_config",
    "rounding",
    "save",
]

FORMAT = 1
CONFIG = "config.json"
MEASURES = "features"
"""The part that no clip is made with."""
MOST_BYTES = 15_000_000
"""Of a piece."""
SCALE = ":scale"
LEAST_EIGHTH = 4096
"""Elements from which on a matrix is worth eight bits."""
HINT = (
    "train it with `python -m generator train neon` (docs/neon.md has the recipe), name a folder "
    "that has it with --weights, or write --weights random to measure speed only"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeonConfig:
    """All that is known of a model besides its numbers."""

    dit: DiTShape
    vae: NeonVAEShape
    scenes: tuple[str, ...]
    attributes: tuple[Known, ...]
    """In the order of the network's tokens."""
    shift: float = 3.0
    """Of the timesteps, in training and in sampling."""
    frame_rate_hz: int = 12
    training: Mapping[str, Any] = field(default_factory=dict)
    """What it was trained with and for how long, as the log has it."""
    rounding: Mapping[str, float] = field(default_factory=dict)
    """What storing it in fewer bits lost."""


def build(config: NeonConfig, *, device: torch.device, dtype: torch.dtype) -> tuple[Neon, NeonVAE]:
    """Both networks, holding nothing yet but the VAE's whitening, which is none."""
    with torch.device("meta"):
        neon, vae = Neon(config.dit, scenes=len(config.scenes)), NeonVAE(config.vae)
    for part in (neon, vae):
        part.to(dtype).to_empty(device=device).eval().requires_grad_(False)
    vae.latents_mean.zero_()
    vae.latents_std.fill_(1)
    vae.latents_spread.fill_(1)
    return neon, vae


def save(
    folder: Path,
    parts: Mapping[str, nn.Module],
    config: NeonConfig,
    *,
    eight_bits: bool = False,
    most_bytes: int = MOST_BYTES,
    stays: Sequence[str] = (),
) -> list[Path]:
    """Write a folder that is whole or not there. One that stands there gives way at the end, all
    but the files named by `stays`. The files of the model: what `generate` reads, then, by
    itself, the attribute network where there is one."""
    from safetensors.torch import save_file

    stored = _stored(parts, eight_bits)
    measuring = {key for key in stored if key.startswith(f"{MEASURES}.")}
    pieces: dict[str, list[str]] = {}
    for name, keys in (("neon", stored.keys() - measuring), (MEASURES, measuring)):
        split = _pieces(stored, keys, most_bytes)
        pieces |= {
            f"{name}-{i}-of-{len(split)}.safetensors": piece for i, piece in enumerate(split, 1)
        }
    beside = folder.parent / f".{folder.name}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name, piece in pieces.items():
        save_file({key: stored[key] for key in piece}, beside / name)
    lost = rounding(parts, stored)
    document = {
        "format": FORMAT,
        "model": "Neon",
        **asdict(replace(config, rounding={**config.rounding, **lost})),
        "pieces": {name: _sha256(beside / name) for name in pieces},
    }
    text = json.dumps(document, indent=1) + "\n"
    (beside / CONFIG).write_text(text, encoding="utf-8")
    before = folder.parent / f".{folder.name}.before"
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        for name in stays:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, beside / name)
        folder.rename(before)
    beside.rename(folder)
    shutil.rmtree(before, ignore_errors=True)
    return [folder / name for name in (*pieces, CONFIG)]


def rounding(
    parts: Mapping[str, nn.Module], stored: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    """What was lost, by part: root of the mean square difference of its parameters over that of
    the parameters themselves."""
    restored = _restored(stored)
    lost = {}
    for part, module in parts.items():
        square, whole = 0.0, 0.0
        for name, value in module.state_dict().items():
            exact = value.detach().double().cpu()
            square += (restored[f"{part}.{name}"].double() - exact).pow(2).sum().item()
            whole += exact.pow(2).sum().item()
        lost[part] = (square / whole) ** 0.5 if whole else 0.0
    return lost


def read_config(folder: Path) -> NeonConfig:
    """Raises MediaError where the folder holds no model, or one that is not Neon's."""
    path = folder / CONFIG
    if not path.is_file():
        raise MediaError(f"{path}: no such file: no trained Neon stands there; {HINT}")
    stated = read_json(path)
    if stated.get("model") != "Neon" or stated.get("format") != FORMAT:
        raise MediaError(
            f"{path}: model {stated.get('model')!r} of format {stated.get('format')!r}, where Neon "
            f"of format {FORMAT} is read; {HINT}"
        )
    try:
        return NeonConfig(
            dit=DiTShape(**_tuples(stated["dit"], DiTShape)),
            vae=NeonVAEShape(**_tuples(stated["vae"], NeonVAEShape)),
            scenes=tuple(stated["scenes"]),
            attributes=tuple(
                Known(
                    name=one["name"],
                    unit=one["unit"],
                    spans={scene: tuple(span) for scene, span in one["spans"].items()},
                )
                for one in stated["attributes"]
            ),
            shift=float(stated["shift"]),
            frame_rate_hz=int(stated["frame_rate_hz"]),
            training=stated["training"],
            rounding=stated["rounding"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MediaError(f"{path}: no configuration of Neon ({error!r}); write it anew") from error


def load(folder: Path) -> tuple[NeonConfig, dict[str, torch.Tensor], Weights]:
    """Configuration and all tensors in float32, under their parts' names.

    Raises MediaError naming a piece that is missing, cut short or another one.
    """
    config = read_config(folder)
    pieces = read_json(folder / CONFIG).get("pieces")
    if not isinstance(pieces, dict) or not pieces:
        raise MediaError(f"{folder / CONFIG}: names no pieces of weights; write it anew")
    stored: dict[str, torch.Tensor] = {}
    for name, digest in pieces.items():
        path = folder / Path(str(name)).name
        if not path.is_file():
            raise MediaError(f"{path}: no such file, though {CONFIG} names it; fetch it again")
        if _sha256(path) != digest:
            raise MediaError(f"{path}: not the piece that {CONFIG} names; fetch it again")
        stored |= read_state(path)
    said = ", ".join(
        f"{name} sha256 {digest}"
        for name, digest in pieces.items()
        if not name.startswith(MEASURES)
    )
    return config, _restored(stored), Weights(said=said, random=False)


def fill(part: nn.Module, name: str, state: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Give a part its tensors. Raises MediaError where they are not this part's."""
    own = {
        key.removeprefix(f"{name}."): value
        for key, value in state.items()
        if key.startswith(f"{name}.")
    }
    wanted = part.state_dict()
    wrong = sorted(wanted.keys() ^ own.keys())
    wrong += [key for key in wanted if key in own and own[key].shape != wanted[key].shape]
    if wrong:
        raise MediaError(
            f"{folder}: not the weights of the {name} that {CONFIG} describes "
            f"({len(wrong)} names or shapes differ, {wrong[0]} the first); train that part, or "
            "fetch the folder again"
        )
    part.load_state_dict(own)


def open_parts(
    folder: Path, *, device: torch.device, dtype: torch.dtype
) -> tuple[NeonConfig, Neon, NeonVAE, Weights]:
    """A trained model, ready to run."""
    config, state, said = load(folder)
    neon, vae = build(config, device=device, dtype=dtype)
    fill(neon, "neon", state, folder)
    fill(vae, "vae", state, folder)
    return config, neon, vae, said


def _stored(parts: Mapping[str, nn.Module], eight_bits: bool) -> dict[str, torch.Tensor]:
    stored: dict[str, torch.Tensor] = {}
    for part, module in parts.items():
        for name, value in module.state_dict().items():
            key, value = f"{part}.{name}", value.detach().float().cpu().contiguous()
            eighth = eight_bits and part == "neon" and "modulation" not in name
            if eighth and value.ndim > 1 and value.numel() >= LEAST_EIGHTH:
                rows = value.flatten(1)
                scale = rows.abs().amax(dim=1).clamp_min(1e-12) / 127
                levels = (rows / scale.unsqueeze(1)).round().to(torch.int8)
                stored[key], stored[key + SCALE] = levels.view(value.shape), scale
            else:
                stored[key] = value.to(torch.float16)
    return stored


def _restored(stored: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    restored = {}
    for key, value in stored.items():
        if key.endswith(SCALE):
            continue
        scale = stored.get(key + SCALE)
        wide = value.float()
        if scale is not None:
            wide = wide * scale.view(-1, *[1] * (value.ndim - 1))
        restored[key] = wide
    return restored


def _pieces(
    stored: Mapping[str, torch.Tensor], keys: Collection[str], most_bytes: int
) -> list[list[str]]:
    """Keys by piece, in order, none larger than may be; room is left for the header."""
    pieces: list[list[str]] = []
    size = 0
    for key in sorted(keys):
        own = stored[key].numel() * stored[key].element_size() + len(key) + 120
        if not pieces or size + own > most_bytes:
            pieces.append([])
            size = 0
        pieces[-1].append(key)
        size += own
    return pieces


def _tuples(stated: Mapping[str, Any], kind: type) -> dict[str, Any]:
    known = {one.name for one in fields(kind)}
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in stated.items()
        if key in known
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
