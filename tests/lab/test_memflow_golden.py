"""The same function as the official MemFlow code: every chunk of whole runs, with one prompt and
with prompts that are switched, with dense and with sparse memory."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
safetensors = pytest.importorskip("safetensors", reason="the extra `lab` is not installed")

from generator.lab import schedulers  # noqa: E402
from generator.lab.models import text, weights  # noqa: E402
from generator.lab.models.dit import CausalDiT  # noqa: E402
from generator.lab.pipelines import Request  # noqa: E402
from generator.lab.pipelines.memflow import MemFlow, Noise  # noqa: E402
from generator.measure.roofline import WAN_1_3B  # noqa: E402

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 1e-4
"""Largest difference over largest value of the reference; about 8e-7 is reached."""


@pytest.fixture(scope="module")
def dit(cpu: Any) -> CausalDiT:
    model = weights.build(replace(WAN_1_3B, layers=2), device=cpu, dtype=torch.float32)
    weights.fill_randomly(model, 1)
    return model


class Replayed(Noise):
    """The official run's noise: whole-video noise by the slice, then a generator of its own."""

    def __init__(self, first: Any, seed: int, steps: int) -> None:
        self.first, self.steps = list(first), steps
        self.generator = torch.Generator().manual_seed(seed)
        self.draws = 0

    def draw(self, shape: tuple[int, ...], seed: int) -> Any:
        turn = self.draws % self.steps
        self.draws += 1
        if turn == 0:
            return self.first.pop(0)
        return torch.randn(shape, generator=self.generator)


@pytest.mark.parametrize("name", ["memflow_32x48_4steps", "memflow_48x64_2steps"])
def test_every_chunk_equals_the_official_codes(name: str, dit: CausalDiT, cpu: Any) -> None:
    """Bank, window, sampler, clean pass: what differs anywhere differs in some chunk's latents."""
    with safetensors.safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        golden = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["config"])
        checksums = json.loads(file.metadata()["weight_checksums"])
    state = dit.state_dict()
    for parameter, (total, size) in checksums.items():
        assert state[parameter].sum().item() == pytest.approx(total, rel=1e-5)
        assert state[parameter].abs().sum().item() == pytest.approx(size, rel=1e-6)

    steps = config["steps"]
    pipeline = MemFlow(
        dit,
        None,
        text.TextSource(said="golden", embed=lambda prompt: golden["prompt_embeds"][0]),
        device=cpu,
        kernel="torch",
        said={},
        noise=Replayed(golden["noise"][0].split(3), config["seed"] + 1, steps),
    )
    request = Request(
        prompt="", width=config["width"], height=config["height"], steps=(steps,), seed=0
    )
    assert pipeline.step_list(request) == tuple(golden["denoising_steps"].tolist())

    pipeline.prepare(request)
    stream = pipeline.latents()
    for chunk, wanted in enumerate(golden["latents"][0].split(3)):
        got = next(stream)
        off = (got - wanted).abs().max() / wanted.abs().max()
        assert off <= TOLERANCE, f"chunk {chunk} is off by {off:.1e}"


@pytest.mark.parametrize(
    "name",
    [
        "memflow_switch_32x48_4steps",
        "memflow_switch_64x48_2steps",
        "memflow_sparse_switch_48x48_2steps",
        "memflow_sparse_48x32_3steps",
    ],
)
def test_switched_prompts_and_sparse_memory_equal_the_official_codes(
    name: str, dit: CausalDiT, cpu: Any
) -> None:
    """Switches where sink and window are made anew and where only the window is, with a bank that
    has room and one that is full; the first lies within a chunk, and takes effect at the next."""
    with safetensors.safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        golden = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["config"])
        checksums = json.loads(file.metadata()["weight_checksums"])
        sums = json.loads(file.metadata()["embeds_checksums"])
    state = dit.state_dict()
    for parameter, (total, size) in checksums.items():
        assert state[parameter].sum().item() == pytest.approx(total, rel=1e-5, abs=1e-3)
        assert state[parameter].abs().sum().item() == pytest.approx(size, rel=1e-6)

    def embed(prompt: str) -> Any:
        generator = torch.Generator().manual_seed(1000 + int(prompt))
        embeds = torch.randn(config["prompt_tokens"][int(prompt)], 4096, generator=generator)
        assert embeds.abs().sum().item() == pytest.approx(sums[prompt][1], rel=1e-6)
        return embeds

    steps, frames = config["steps"], config["switch_frames"] or []
    pipeline = MemFlow(
        dit,
        None,
        text.TextSource(said="golden", embed=embed),
        device=cpu,
        kernel="torch",
        said={},
        noise=Replayed(golden["noise"][0].split(3), config["seed"] + 1, steps),
        sparse_memory=config["sparse"],
    )
    pipeline.prepare(
        Request(
            prompt="0",
            width=config["width"],
            height=config["height"],
            steps=(steps,),
            seed=0,
            switches=tuple((-(-frame // 3), str(i)) for i, frame in enumerate(frames, 1)),
        )
    )
    stream = pipeline.latents()
    for chunk, wanted in enumerate(golden["latents"][0].split(3)):
        off = (next(stream) - wanted).abs().max() / wanted.abs().max()
        assert off <= TOLERANCE, f"chunk {chunk} is off by {off:.1e}"


def test_the_first_pass_equals_the_official_codes(dit: CausalDiT, cpu: Any) -> None:
    """With empty caches, apart from sampler and memory: flow, and the latents it points to."""
    from safetensors.torch import load_file

    from generator.lab.models.cache import KVCache, TextCache

    golden = load_file(GOLDEN / "memflow_32x48_4steps.safetensors")
    x = golden["noise"][0, :3]
    cache = KVCache(dit.shape, 6, device=cpu, dtype=torch.float32)
    heard = TextCache()
    with torch.inference_mode():
        dit.read_text(golden["prompt_embeds"][0], heard)
        flow = dit(x, dit.modulation(1000.0), dit.rotation(0, 3, 2, 3), cache, heard)
    for got, wanted in (
        (flow, golden["first_flow"][0]),
        (schedulers.clean(x, flow, 1000.0), golden["first_x0"][0]),
    ):
        assert (got - wanted).abs().max() / wanted.abs().max() <= TOLERANCE
