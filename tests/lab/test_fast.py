"""The fast twins of passes and decoder against the slow ones and the official code, on a CPU in
float32. CUDA graphs cannot be recorded here: `benchmarks/memflow_fast.py levers` holds them against
the same golden tensors on a GPU."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed: no diffusers")
pytest.importorskip("safetensors", reason="the extra `lab` is not installed")

import shutil  # noqa: E402

from official import every_chunk_equals, official  # noqa: E402

from generator.errors import UsageError  # noqa: E402
from generator.lab.models import fast_vae, vae, weights  # noqa: E402
from generator.lab.models.cache import KVCache  # noqa: E402
from generator.lab.models.dit import CausalDiT  # noqa: E402
from generator.lab.models.fast import FastPasses  # noqa: E402
from generator.lab.pipelines import Parts, Request, open_pipeline  # noqa: E402
from generator.lab.pipelines.memflow import TINY_VAE  # noqa: E402
from generator.lab.proof import another, prove  # noqa: E402
from generator.measure.roofline import DiTShape  # noqa: E402

if shutil.which("g++") is None:
    pytest.skip(
        "no C++ compiler: torch.compile has nothing to make code with", allow_module_level=True
    )

# torch.compile itself uses what torch deprecates
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

REQUEST = Request(prompt="rain", width=48, height=32, steps=(2,), seed=3)


@pytest.fixture(scope="module")
def autoencoder(cpu: Any) -> Any:
    made = vae.build_vae(TINY_VAE, device=cpu, dtype=torch.float32)
    weights.fill_randomly(made, 2)
    return made


@pytest.mark.parametrize("name", ["memflow_48x64_2steps", "memflow_sparse_switch_48x48_2steps"])
def test_fused_passes_equal_the_official_codes(name: str, dit: CausalDiT, cpu: Any) -> None:
    """Bank, window, clean pass, and passes of several chunks after a switch, fused."""
    run = official(name)
    every_chunk_equals(run, run.pipeline(dit, cpu, FastPasses(dit, graphs=False)))


def test_joined_weights_leave_the_slow_twin_as_it_was(cpu: Any) -> None:
    """Queries, keys and values become one product; the layers of old keep views of it."""
    model = weights.build(
        DiTShape(layers=1, dim=48, heads=2, ffn=64, text_dim=16, text_tokens=4, time_dim=16),
        device=cpu,
        dtype=torch.float32,
    )
    weights.fill_randomly(model, 3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    products = FastPasses(model, graphs=False).products[0]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    x = torch.randn(1, 5, 48)
    attention = model.blocks[0].self_attn
    apart = torch.cat([layer(x) for layer in (attention.q, attention.k, attention.v)], dim=2)
    torch.testing.assert_close(products.qkv(x), apart)
    shared = attention.k.weight.untyped_storage().data_ptr()
    assert shared == products.qkv_weight.untyped_storage().data_ptr(), "nothing lies there twice"


def test_products_in_eight_bits_are_off_by_what_eight_bits_cost(
    cpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """e4m3 keeps three bits behind the point: by rows some 4 % (root of the mean square) of a
    product of Gaussian numbers, as the literature has it, and nothing of the small products."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    from eighths import EighthProducts

    shape = DiTShape(layers=1, dim=64, heads=2, ffn=128, text_dim=16, text_tokens=4, time_dim=16)
    model = weights.build(shape, device=cpu, dtype=torch.float32)
    weights.fill_randomly(model, 5)
    exact, eighth = (
        FastPasses(model, graphs=False, products=made).products[0]
        for made in (None, EighthProducts)
    )
    m = torch.randn(1, 40, 64, generator=torch.Generator().manual_seed(6))
    for wanted, found in (
        (exact.qkv(m), eighth.qkv(m)),
        (exact.down(exact.up(m)), eighth.down(eighth.up(m))),
    ):
        off = (found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
        assert 0.01 < off < 0.08
    assert torch.equal(exact.o(m), eighth.o(m))


@pytest.mark.parametrize("convolution", fast_vae.CONVOLUTIONS)
@pytest.mark.parametrize("sizes", [[3, 3, 3], [1, 2, 3, 1, 2]])
def test_the_fast_decoder_equals_the_slow_twin(
    convolution: str, sizes: list[int], autoencoder: Any
) -> None:
    """Chunk by chunk, the first frame of a stream among them, after another stream and a wipe:
    pictures as levels, which a rounding can move by one."""
    generator = torch.Generator().manual_seed(4)
    latents = torch.randn(9, 16, 4, 6, generator=generator)
    slow = vae.StreamingDecoder(autoencoder, batched=False)
    fast = fast_vae.FastDecoder(autoencoder, convolution=convolution)
    with torch.inference_mode():
        fast.levels(torch.randn(3, 16, 4, 6, generator=generator))
        fast.wipe()
        for part in latents.split(sizes):
            wanted = torch.cat([slow.levels(one) for one in part.split(1)])
            found = fast.levels(part)
            assert found.shape == wanted.shape
            gap = (found.int() - wanted.int()).abs()
            assert gap.max() <= 1
            assert gap.float().mean() < 0.001
    assert wanted.float().std() > 20, "pictures of one grey would prove nothing"


def test_the_fast_decoder_takes_another_size_as_a_new_stream(autoencoder: Any) -> None:
    decoder = fast_vae.FastDecoder(autoencoder)
    with torch.inference_mode():
        shapes = [tuple(decoder.levels(torch.zeros(3, 16, 4, w)).shape) for w in (6, 6, 4)]
    assert shapes == [(9, 32, 48, 3), (12, 32, 48, 3), (9, 32, 32, 3)]


def test_places_tell_apart_every_view_that_a_stream_takes(cpu: Any) -> None:
    """A pass is recorded once for each place: passes with the same one must read and write the same
    keys, and a stream must come back to those that it had."""
    cache = KVCache(DiTShape(layers=1, dim=8, heads=2), 2, device=cpu, dtype=torch.float32)
    keys = torch.zeros(1, 512, 2, 4)
    seen: dict[tuple[int, ...], tuple[int, ...]] = {}
    for chunk in range(30):
        cache.remember(chunk, keys)
        slot, read = cache.slots(0)[0], cache.read(0)[0]
        views = (slot.storage_offset(), len(slot), read.storage_offset(), read.shape[1])
        assert seen.setdefault(cache.place, views) == views
        cache.advance()
    assert len(seen) == len(set(seen.values())) == 10, "seven lengths grow in, three slots turn"


def test_a_fused_pipeline_makes_the_slow_ones_clip() -> None:
    """Prompts switched, every picture: levels that a rounding can move by one."""
    clips = []
    request = replace(REQUEST, switches=((2, "fog"),))
    for mode in ("none", "fused"):
        pipeline = open_pipeline(
            "memflow",
            Parts(device="cpu", dtype="float32", weights="random", tiny=True, compile=mode),
        )
        pipeline.prepare(request)
        clips.append(torch.cat([torch.from_numpy(part) for part in islice(pipeline.stream(), 5)]))
    gap = (clips[0].int() - clips[1].int()).abs()
    assert len(clips[0]) == 9 + 4 * 12
    assert gap.max() <= 1
    assert gap.float().mean() < 0.001
    assert clips[0].float().std() > 20, "pictures of one grey would prove nothing"


def test_a_wiped_fused_pipeline_is_as_a_fresh_one() -> None:
    parts = Parts(device="cpu", dtype="float32", weights="random", tiny=True, compile="fused")
    proof = prove("memflow", parts, REQUEST, another(REQUEST), chunks=2, chunks_before=9)
    assert proof.identical
    assert proof.holds, dict(proof.mutations)


@pytest.mark.parametrize(
    ("mode", "says"), [("fastest", "known are none, fused, graphs"), ("graphs", "write fused")]
)
def test_modes_that_cannot_be_had_are_told(mode: str, says: str) -> None:
    parts = Parts(device="cpu", dtype="float32", weights="random", tiny=True, compile=mode)
    with pytest.raises(UsageError, match=says):
        open_pipeline("memflow", parts)
