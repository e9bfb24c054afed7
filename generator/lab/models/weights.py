"""Weights: random ones by a fixed rule, published ones from files of a known layout.

Layouts that are read: MemFlow's `base.pt` (a pickled dictionary holding the state under
`generator_ema`, `generator` or `model`, names beginning with `model.`) with `lora.pt` (peft's
names, optionally under `generator_lora`) and, where a VACE branch is asked for, `vace.safetensors`
(the branch's weights, with or without a trunk); and a folder as diffusers writes it (`config.json`
and `diffusion_pytorch_model*.safetensors`), with Wan's names or those of diffusers'
WanTransformer3DModel and WanVACETransformer3DModel. Pickles are read by torch's restricted reader
only (`weights_only`), so that a file cannot run code.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from generator.errors import MediaError
from generator.lab.models.dit import CausalDiT
from generator.measure.roofline import DiTShape

__all__ = [
    "Weights",
    "build",
    "fill",
    "fill_randomly",
    "from_pretrained",
    "load",
    "merged",
    "read_json",
    "read_state",
    "save_pretrained",
]

CONFIG = "config.json"
SAFETENSORS = "diffusion_pytorch_model.safetensors"
INDEX = f"{SAFETENSORS}.index.json"
STATES = ("generator_ema", "generator", "model", "state_dict")
LORA_RANK_ALPHA = 1.0
"""alpha / rank of MemFlow's LoRA: 256 / 256."""
VACE = "vace.safetensors"
VACE_PREFIXES = r"^(diffusion_model|transformer)\."
LISTED = 6
"""Names that a message lists of those that are missing or unexpected."""

FROM_DIFFUSERS = (
    (r"^condition_embedder\.time_embedder\.linear_1\.", "time_embedding.0."),
    (r"^condition_embedder\.time_embedder\.linear_2\.", "time_embedding.2."),
    (r"^condition_embedder\.time_proj\.", "time_projection.1."),
    (r"^condition_embedder\.text_embedder\.linear_1\.", "text_embedding.0."),
    (r"^condition_embedder\.text_embedder\.linear_2\.", "text_embedding.2."),
    (r"^scale_shift_table$", "head.modulation"),
    (r"^proj_out\.", "head.head."),
    (r"^(vace_blocks\.\d+)\.proj_in\.", r"\1.before_proj."),
    (r"^(vace_blocks\.\d+)\.proj_out\.", r"\1.after_proj."),
    (r"\.scale_shift_table$", ".modulation"),
    (r"\.norm2\.", ".norm3."),
    (r"\.attn1\.", ".self_attn."),
    (r"\.attn2\.", ".cross_attn."),
    (r"\.to_out\.0\.", ".o."),
    (r"\.to_([qkv])\.", r".\1."),
    (r"\.ffn\.net\.0\.proj\.", ".ffn.0."),
    (r"\.ffn\.net\.2\.", ".ffn.2."),
)
"""Patterns that turn diffusers' names of a Wan transformer into Wan's own."""
THEIR_WORDS = {
    "num_layers": "layers",
    "num_attention_heads": "heads",
    "attention_head_dim": "",
    "ffn_dim": "ffn",
    "in_channels": "latent_channels",
    "text_dim": "text_dim",
    "freq_dim": "time_dim",
}
"""What a configuration of diffusers' must state -> our word for it; "" has none by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Which weights a model holds, in words for the record."""

    said: str
    random: bool


def build(shape: DiTShape, *, device: torch.device, dtype: torch.dtype) -> CausalDiT:
    """A model whose parameters are allocated on the device and hold nothing yet."""
    with torch.device("meta"):
        model = CausalDiT(shape)
    return model.to(dtype).to_empty(device=device).eval().requires_grad_(False)


def fill_randomly(model: nn.Module, seed: int) -> Weights:
    """Draw every parameter anew, on its own device, so that activations stay finite.

    Parameters in the sorted order of their names, one generator: with more than one dimension and
    no `modulation` in the name, normal / sqrt(elements of one output row); norms 1 + 0.1 normal;
    everything else 0.02 normal. Zero where the published initialisation is zero would leave the
    output constant, so nothing is zero here.
    """
    named = sorted(model.named_parameters())
    device = named[0][1].device
    generator = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for name, parameter in named:
            r = torch.randn(parameter.shape, generator=generator, device=device)
            if name.endswith("gamma") or (parameter.ndim == 1 and name.endswith("weight")):
                r = 1 + 0.1 * r
            elif parameter.ndim > 1 and "modulation" not in name:
                r = r / parameter[0].numel() ** 0.5
            else:
                r = 0.02 * r
            parameter.copy_(r)
    return Weights(said=f"random, seed {seed}", random=True)


def load(model: CausalDiT, path: Path) -> Weights:
    """Fill a model from `path`: a folder with base.pt and lora.pt, a folder in diffusers' manner,
    or one file.

    Raises MediaError naming the file and what is missing from it or does not belong there.
    """
    base, lora, vace = _parts(path)
    shards = _shards(base) if base.name == INDEX else [base]
    whole: dict[str, Any] = {}
    for shard in shards:
        whole |= read_state(shard)
    state = _wan_names(_unwrapped(whole))
    if lora is not None:
        state = merged(state, _adapters(read_state(lora), lora), about=lora)
    if model.shape.vace_layers and vace is not None:
        state |= _vace_names(_unwrapped(read_state(vace)))
    elif model.shape.vace_layers and not any(name.startswith("vace_") for name in state):
        raise MediaError(
            f"{path}: holds no weights of a VACE branch; put {VACE} with them beside the others, "
            "or ask for no context"
        )
    _check(model, state, base)
    model.load_state_dict(state)
    files = [file for file in (*shards, lora, vace if model.shape.vace_layers else None) if file]
    said = ", ".join(f"{file.name} sha256 {_sha256(file)}" for file in files)
    return Weights(said=f"{said}; LoRA merged" if lora is not None else said, random=False)


def fill(model: nn.Module, folder: Path) -> Weights:
    """Fill any model from a folder in diffusers' manner, file after file, under the model's own
    names: no more than one file is in memory beside it.

    Raises MediaError naming what is missing or does not belong there, before anything is filled.
    """
    from safetensors import SafetensorError, safe_open

    base, _, _ = _parts(folder)
    files = _shards(base) if base.name == INDEX else [base]
    wanted = dict(model.named_parameters())
    shapes: dict[str, Any] = {}
    for file in files:
        if not file.is_file():
            raise MediaError(f"{file}: no such file, though {base.name} names it; fetch it again")
        try:
            with safe_open(file, framework="pt") as held:
                for name in held.keys():  # noqa: SIM118 - it is no dictionary
                    shapes[name] = _Shaped(torch.Size(held.get_slice(name).get_shape()))
        except (SafetensorError, OSError) as error:
            raise MediaError(
                f"{file}: no safetensors file that can be read ({error}); fetch it again"
            ) from error
    _check(model, shapes, base)
    with torch.no_grad():
        for file in files:
            for name, value in read_state(file).items():
                wanted[name].copy_(value)
    said = ", ".join(f"{file.name} sha256 {_sha256(file)}" for file in files)
    return Weights(said=said, random=False)


@dataclass(frozen=True, slots=True)
class _Shaped:
    """A tensor of which only the shape is known."""

    shape: torch.Size


def from_pretrained(
    path: Path, *, device: torch.device, dtype: torch.dtype
) -> tuple[CausalDiT, Weights]:
    """A model from a folder that holds its configuration and its weights."""
    config = path / CONFIG
    if not config.is_file():
        raise MediaError(f"{config}: no such file; a model's folder holds its configuration there")
    model = build(_shape(config), device=device, dtype=dtype)
    return model, load(model, path)


def save_pretrained(model: CausalDiT, path: Path) -> None:
    """Configuration and weights in a folder, under Wan's names."""
    from safetensors.torch import save_file

    path.mkdir(parents=True, exist_ok=True)
    config = {"_class_name": "CausalDiT", **asdict(model.shape)}
    (path / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(state, path / SAFETENSORS, metadata={"format": "pt"})


def read_state(path: Path) -> dict[str, Any]:
    """What a weights file holds. Raises MediaError where it is none, or is cut short."""
    if not path.is_file():
        raise MediaError(f"{path}: no such file; name a file of weights or the folder that has it")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except Exception as error:  # torch, pickle, zip and safetensors each raise their own
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise MediaError(
            f"{path}: no file of weights that can be read ({said[0][:200]}); it may be cut short: "
            "compare its size and sha256 with where it came from, and fetch it again"
        ) from error
    if not isinstance(found, dict):
        raise MediaError(f"{path}: holds a {type(found).__name__}, no dictionary of tensors")
    return found


def merged(
    state: Mapping[str, torch.Tensor],
    adapters: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
    *,
    about: Path,
    scale: float = LORA_RANK_ALPHA,
) -> dict[str, torch.Tensor]:
    """Weights with a LoRA added: W + scale B A, in float32. Same function, one product less.

    `adapters` map a linear layer's name to (A [rank, in], B [out, rank]).
    """
    out = dict(state)
    wrong = [
        name
        for name, (a, b) in adapters.items()
        if f"{name}.weight" not in state
        or state[f"{name}.weight"].shape != (b.shape[0], a.shape[1])
        or a.shape[0] != b.shape[1]
    ]
    if wrong:
        raise MediaError(
            f"{about}: {_some(wrong)} of this LoRA fit no linear layer of the base weights; "
            "give the LoRA that belongs to them"
        )
    for name, (a, b) in adapters.items():
        weight = state[f"{name}.weight"]
        out[f"{name}.weight"] = (weight.float() + scale * (b.float() @ a.float())).to(weight.dtype)
    return out


def _parts(path: Path) -> tuple[Path, Path | None, Path | None]:
    """The base weights, a LoRA and a VACE branch to add to them."""
    if not path.is_dir():
        return path, None, None
    names = ("base.pt", SAFETENSORS, INDEX)
    base = next((path / name for name in names if (path / name).is_file()), None)
    if base is None:
        raise MediaError(
            f"{path}: holds neither base.pt nor {SAFETENSORS}; name a folder that does, or a file"
        )
    lora, vace = path / "lora.pt", path / VACE
    return (
        base,
        lora if base.name == "base.pt" and lora.is_file() else None,
        vace if vace.is_file() else None,
    )


def _shards(index: Path) -> list[Path]:
    """The files that an index of diffusers' spreads a model over, none outside its folder."""
    stated = read_json(index).get("weight_map")
    names = set(stated.values()) if isinstance(stated, dict) else set()
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise MediaError(f"{index}: names no files of weights; fetch it again")
    return sorted(index.parent / name for name in names)


def read_json(path: Path) -> dict[str, Any]:
    """What a configuration states. Raises MediaError where it is none."""
    try:
        stated = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: no valid JSON ({error}); mend it") from error
    if not isinstance(stated, dict):
        raise MediaError(f"{path}: holds no JSON object; mend it")
    return stated


def _vace_names(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Of a file with a VACE branch, alone or with the trunk that it was trained beside: the branch,
    without the prefixes that such files are passed around with."""
    named = _wan_names({re.sub(VACE_PREFIXES, "", name): value for name, value in state.items()})
    return {name: value for name, value in named.items() if name.startswith("vace_")}


def _unwrapped(state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors, without the dictionaries and wrappers that they were saved in."""
    inner = next((state[name] for name in STATES if isinstance(state.get(name), dict)), state)
    tensors = {
        name.replace("_fsdp_wrapped_module.", "").removeprefix("model."): value
        for name, value in inner.items()
        if isinstance(value, torch.Tensor)
    }
    return tensors


def _wan_names(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    if not any(name.startswith("condition_embedder.") for name in state):
        return dict(state)
    named = {}
    for name, value in state.items():
        for pattern, replacement in FROM_DIFFUSERS:
            name = re.sub(pattern, replacement, name)
        named[name] = value
    return named


def _adapters(state: Mapping[str, Any], path: Path) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    inner = state.get("generator_lora", state)
    halves: dict[str, dict[str, torch.Tensor]] = {}
    unknown = []
    for name, value in inner.items():
        found = re.fullmatch(
            r"(?:base_model\.model\.)?(?:model\.)?(.+)\.lora_([AB])(?:\.default)?\.weight",
            name.replace("_fsdp_wrapped_module.", ""),
        )
        if found and isinstance(value, torch.Tensor):
            halves.setdefault(found[1], {})[found[2]] = value
        else:
            unknown.append(name)
    alone = [name for name, half in halves.items() if half.keys() != {"A", "B"}]
    if unknown or alone or not halves:
        what = _some(unknown or alone) if unknown or alone else "nothing"
        raise MediaError(
            f"{path}: holds {what} where pairs of lora_A and lora_B were expected; "
            "give a LoRA in peft's layout"
        )
    return {name: (half["A"], half["B"]) for name, half in halves.items()}


def _check(model: nn.Module, state: Mapping[str, Any], path: Path) -> None:
    wanted = model.state_dict()
    missing = [name for name in wanted if name not in state]
    unexpected = [name for name in state if name not in wanted]
    shapes = [
        f"{name} {list(state[name].shape)} for {list(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    faults = [
        f"{kind}: {_some(names)}"
        for kind, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
        )
        if names
    ]
    if faults:
        raise MediaError(
            f"{path}: not the weights of this model ({'; '.join(faults)}); "
            "check that file and model belong together"
        )


def _shape(config: Path) -> DiTShape:
    stated = read_json(config)
    given = {name: value for name, value in stated.items() if not name.startswith("_")}
    if stated.get("_class_name") in ("WanTransformer3DModel", "WanVACETransformer3DModel"):
        missing = [name for name in THEIR_WORDS if name not in given]
        if missing:
            raise MediaError(f"{config}: states no {_some(missing)}; fetch it again")
        heads, head_dim = given["num_attention_heads"], given["attention_head_dim"]
        given = {ours: given[theirs] for theirs, ours in THEIR_WORDS.items() if theirs in given}
        given["dim"] = heads * head_dim if _is_count(heads) and _is_count(head_dim) else None
        given.pop("")
        for theirs, ours in (("vace_layers", "vace_layers"), ("vace_in_channels", "vace_channels")):
            if theirs in stated:
                given[ours] = stated[theirs]
    known = {field.name for field in fields(DiTShape)}
    if not given.keys() <= known:
        raise MediaError(
            f"{config}: knows no {_some(sorted(given.keys() - known))}; "
            f"known are {', '.join(sorted(known))}"
        )
    for name in ("patch", "places", "vace_layers"):
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    wrong = [f"{name} {value!r}" for name, value in given.items() if not _fits(name, value)]
    if wrong:
        raise MediaError(f"{config}: no network has {_some(wrong)}; mend it")
    shape = DiTShape(**given)
    if shape.dim % shape.heads or shape.head_dim % 2:
        raise MediaError(
            f"{config}: {shape.heads} heads do not share a width of {shape.dim} evenly"
        )
    if shape.vace_layers and (
        shape.vace_layers[0] != 0
        or list(shape.vace_layers) != sorted(set(shape.vace_layers))
        or shape.vace_layers[-1] >= shape.layers
    ):
        raise MediaError(
            f"{config}: vace_layers {list(shape.vace_layers)} of {shape.layers} layers; they "
            "begin with 0 and rise"
        )
    return shape


def _fits(name: str, value: object) -> bool:
    if name == "eps":
        return isinstance(value, float) and value > 0
    if name == "patch":
        return isinstance(value, tuple) and len(value) == 3 and all(map(_is_count, value))
    if name == "places":
        if not isinstance(value, tuple) or len(value) != 2:
            return False
        return value == (0, 0) or all(map(_is_count, value))
    if name == "vace_layers":
        return isinstance(value, tuple) and all(type(one) is int and one >= 0 for one in value)
    return _is_count(value) or (name == "bank" and value == 0)


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
