"""Prompts as embeddings: from the UMT5 encoder, from a file made before, or drawn at random.

Where they came from goes into the record in words (`said`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from generator.errors import MediaError, UsageError
from generator.lab.models.weights import read_state

__all__ = ["TextSource", "precomputed", "random_text", "save_embeddings", "source_of", "umt5"]

# Shapes: S tokens of the prompt (no padding), E width of the embeddings


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSource:
    """Where embeddings [S, E] of a prompt come from."""

    said: str
    embed: Callable[[str], torch.Tensor]


def source_of(
    stated: Path | None,
    weights: str,
    *,
    width: int,
    most_tokens: int,
    device: torch.device,
    dtype: torch.dtype,
) -> TextSource:
    """A file of embeddings or a folder with the encoder, as stated; beside the weights, or random
    with random weights, where nothing is."""
    if stated is None:
        if weights == "random":
            return random_text(width, most_tokens)
        stated = Path(weights)
    if stated.is_file():
        return precomputed(stated, width)
    return umt5(stated, device=device, dtype=dtype, most_tokens=most_tokens)


def random_text(width: int, most_tokens: int) -> TextSource:
    """Noise in place of a reading: the same for the same prompt, and of a prompt's length.

    For random weights, where no meaning could be lost.
    """

    def embed(prompt: str) -> torch.Tensor:
        seed = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:7], "big")
        generator = torch.Generator().manual_seed(seed)
        tokens = min(most_tokens, 1 + 4 * len(prompt.split()) // 3)
        return torch.randn(tokens, width, generator=generator)

    return TextSource(said="random, seeded by the prompt's sha256", embed=embed)


def precomputed(path: Path, width: int) -> TextSource:
    """Embeddings from a safetensors file that holds one tensor [S, E] for each prompt, named by
    the sha256 of its text (`save_embeddings`)."""
    held = read_state(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def embed(prompt: str) -> torch.Tensor:
        found = held.get(_name(prompt))
        if found is None:
            raise MediaError(
                f'{path}: holds no embeddings of the prompt "{prompt[:60]}"; make them with the '
                "text encoder, and mind that the text must be the same to the letter"
            )
        if found.ndim != 2 or found.shape[1] != width:
            raise MediaError(
                f"{path}: embeddings of shape {list(found.shape)} where [tokens, {width}] is read"
            )
        return found

    return TextSource(said=f"precomputed, {path.name} sha256 {digest}", embed=embed)


def save_embeddings(path: Path, prompts: list[str], source: TextSource) -> None:
    """Write what `precomputed` reads."""
    from safetensors.torch import save_file

    save_file(
        {_name(prompt): source.embed(prompt).detach().cpu().contiguous() for prompt in prompts},
        path,
        metadata={"source": source.said},
    )


def umt5(path: Path, *, device: torch.device, dtype: torch.dtype, most_tokens: int) -> TextSource:
    """The UMT5 encoder from a folder that holds `text_encoder/` and `tokenizer/`, or both in one.

    Padding is cut off: the transformer attends to zeros in its place, as Wan does.
    """
    try:
        from transformers import AutoTokenizer, UMT5EncoderModel
    except ImportError as error:
        raise UsageError(
            "the text encoder comes from transformers, which is not installed here; "
            "install the extra `lab`"
        ) from error
    encoder = path / "text_encoder" if (path / "text_encoder").is_dir() else path
    tokens = path / "tokenizer" if (path / "tokenizer").is_dir() else path
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokens, local_files_only=True)
        model = UMT5EncoderModel.from_pretrained(encoder, dtype=dtype, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MediaError(
            f"{path}: no UMT5 encoder with its tokenizer ({said[:200]}); name the folder that "
            "holds text_encoder/ and tokenizer/"
        ) from error
    model = model.to(device).eval().requires_grad_(False)

    def embed(prompt: str) -> torch.Tensor:
        ids = tokenizer(
            " ".join(prompt.split()),
            max_length=most_tokens,
            truncation=True,
            add_special_tokens=True,
            return_tensors="pt",
        ).input_ids.to(device)
        with torch.inference_mode():
            return model(input_ids=ids).last_hidden_state[0]

    return TextSource(said=f"UMT5 ({path.name}), {str(dtype).removeprefix('torch.')}", embed=embed)


def _name(prompt: str) -> str:
    return hashlib.sha256(prompt.encode()).hexdigest()
