"""VACE: contexts, hints and whole chunks against two public implementations; no size crashes it.

diffusers' WanVACETransformer3DModel and WanVACEPipeline run here beside ours. The causal code with
VACE (daydreamlive/scope) left tensors, tests/lab/golden/README.md says how.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
diffusers = pytest.importorskip("diffusers", reason="the extra `lab` is not installed")
safetensors = pytest.importorskip("safetensors", reason="the extra `lab` is not installed")

from generator.errors import MediaError, UsageError  # noqa: E402
from generator.lab.context import VaceContext, faults  # noqa: E402
from generator.lab.models import vace, vae, weights  # noqa: E402
from generator.lab.models.cache import KVCache, TextCache  # noqa: E402
from generator.lab.pipelines import Parts, Request, open_pipeline  # noqa: E402
from generator.lab.pipelines.memflow import TINY_DIT, TINY_VAE  # noqa: E402
from generator.lab.proof import streamed  # noqa: E402
from generator.measure.roofline import DiTShape  # noqa: E402

GOLDEN = Path(__file__).parent / "golden" / "vace_causal.safetensors"
TOLERANCE = 1e-4
PARTS = Parts(device="cpu", dtype="float32", weights="random", tiny=True, vace=True)
REQUEST = Request(prompt="a lake", width=48, height=32, steps=(2,), seed=3)


def off(got: Any, wanted: Any) -> float:
    assert got.shape == wanted.shape
    return float((got - wanted).abs().max() / wanted.abs().max())


def noise_video(frames: int, height: int, width: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), np.uint8)


def noise_mask(frames: int, height: int, width: int, seed: int = 2) -> Any:
    """Grey, so that it matters where it is rounded and where it is not."""
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width), np.uint8)


@pytest.mark.parametrize("context_frames", [3, 1])
def test_a_chunk_with_context_is_what_diffusers_computes(
    tmp_path: Path, cpu: Any, context_frames: int
) -> None:
    """Without a past, a chunk is a short video. The weights come through a folder that diffusers
    wrote; each hint agrees, and the flow."""
    torch.manual_seed(3)
    theirs = diffusers.WanVACETransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=24,
        text_dim=20,
        freq_dim=32,
        ffn_dim=64,
        num_layers=5,
        vace_layers=[0, 2, 3],
    ).eval()
    weights.fill_randomly(theirs, 7)
    theirs.save_pretrained(tmp_path)
    ours, _ = weights.from_pretrained(tmp_path, device=cpu, dtype=torch.float32)
    assert ours.shape.vace_layers == (0, 2, 3)
    x, context = torch.randn(3, 16, 6, 4), torch.randn(96, context_frames, 6, 4)
    embeds, scale = torch.randn(9, 20), 0.8

    wanted_hints: list[Any] = []
    for block in theirs.vace_blocks:
        block.register_forward_hook(lambda module, given, out: wanted_hints.append(out[0]))
    heard = TextCache()
    cache = KVCache(ours.shape, 6, device=cpu, dtype=torch.float32)
    with torch.inference_mode():
        wanted = theirs(
            hidden_states=x.transpose(0, 1).unsqueeze(0),
            timestep=torch.tensor([731.0]),
            encoder_hidden_states=torch.nn.functional.pad(embeds, (0, 0, 0, 503)).unsqueeze(0),
            control_hidden_states=context.unsqueeze(0),
            control_hidden_states_scale=torch.full((3,), scale),
        ).sample[0]
        ours.read_text(embeds, heard)
        read = ours.read_context(context, 3, scale)
        modulation = ours.modulation(731.0)
        hints = ours.hints(ours.patched(x.unsqueeze(0)), modulation, read, heard)
        got = ours(x, modulation, ours.rotation(0, 3, 3, 2), cache, heard, read)
    assert list(hints) == [0, 2, 3]
    for hint, wanted_hint in zip(hints.values(), wanted_hints, strict=True):
        assert off(hint, wanted_hint * scale) <= TOLERANCE
    assert off(got.transpose(0, 1), wanted) <= TOLERANCE
    plain = ours(
        x,
        modulation,
        ours.rotation(0, 3, 3, 2),
        KVCache(ours.shape, 6, device=cpu, dtype=torch.float32),
        heard,
    )
    assert off(plain, got) > 0.05, "a context that changes nothing would prove nothing"


@pytest.mark.parametrize("name", ["reference", "control", "both"])
def test_causal_chunks_with_context_equal_the_public_codes(name: str, cpu: Any) -> None:
    """Two passes that heed a context and a clean one that does not, chunk after chunk: positions in
    the branch begin anew in each, references fill up with zeros or push control frames out."""
    with safetensors.safe_open(GOLDEN, "pt") as file:
        golden = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        config = json.loads(file.metadata()["config"])
        checksums = json.loads(file.metadata()["weight_checksums"])
    names = ("layers", "dim", "heads", "ffn", "text_dim", "text_tokens", "time_dim")
    shape = DiTShape(
        **{name: config[name] for name in names},
        vace_layers=tuple(config["vace_layers"]),
        bank=0,
    )
    dit = weights.build(shape, device=cpu, dtype=torch.float32)
    weights.fill_randomly(dit, 1)
    state = dit.state_dict()
    for parameter, (_, size) in checksums.items():
        assert state[parameter].abs().sum().item() == pytest.approx(size, rel=1e-6)

    run = config["runs"][name]
    h, w = config["height"] // 8, config["width"] // 8
    drawn = torch.Generator().manual_seed(run["seed"])
    embeds = torch.randn(10, shape.text_dim, generator=drawn)
    assert torch.equal(embeds, golden[f"{name}.text"])
    refs = run["refs"]
    known = torch.randn(16, refs, h, w, generator=drawn) if refs else torch.zeros(16, 0, h, w)
    references = torch.cat([known, torch.zeros(80, refs, h, w)])
    noise = torch.randn(run["chunks"], 3, 16, h, w, generator=drawn)

    cache = KVCache(shape, h * w // 4, device=cpu, dtype=torch.float32)
    heard = TextCache()
    with torch.inference_mode():
        dit.read_text(embeds, heard)
        for chunk, x in enumerate(noise):
            parts = [references]
            if run["control"]:
                latents = torch.randn(32, 3, h, w, generator=drawn)
                mask = (torch.rand(64, 3, h, w, generator=drawn) > 0.5).float()
                parts.append(torch.cat([latents, mask]))
            context = torch.cat(parts, dim=1)
            wanted_sum = golden[f"{name}.context_sums"][chunk].item()
            assert context.abs().sum().item() == pytest.approx(wanted_sum, rel=1e-5)
            read = dit.read_context(context, 3, run["scale"])
            rotation = dit.rotation(3 * chunk, 3, h // 2, w // 2)
            modulation = dit.modulation(config["timesteps"][-1])
            hints = dit.hints(dit.patched(x.unsqueeze(0)), modulation, read, heard)
            got = torch.stack(list(hints.values()))[:, 0, ::37] / run["scale"]
            assert off(got, golden[f"{name}.hint_sums"][chunk]) <= TOLERANCE
            for i, timestep in enumerate(config["timesteps"]):
                flow = dit(x, dit.modulation(timestep), rotation, cache, heard, read)
                wanted = golden[f"{name}.flows"][chunk, i]
                assert off(flow[..., ::2, ::2], wanted) <= TOLERANCE, f"chunk {chunk}, pass {i}"
            dit.remember(x, dit.modulation(0.0), rotation, cache, heard)
            cache.advance()


@pytest.fixture(scope="module")
def autoencoder() -> Any:
    made = vae.build_vae(TINY_VAE, device=torch.device("cpu"), dtype=torch.float32)
    weights.fill_randomly(made, 5)
    return made


@pytest.fixture(scope="module")
def their_pipeline(autoencoder: Any) -> Any:
    transformer = diffusers.WanVACETransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=8,
        freq_dim=8,
        ffn_dim=8,
        num_layers=1,
        vace_layers=[0],
    )
    return diffusers.WanVACEPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=autoencoder,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        transformer=transformer,
    )


@pytest.mark.parametrize("masked", [True, False])
def test_control_and_mask_are_encoded_as_diffusers_does(
    autoencoder: Any, their_pipeline: Any, masked: bool
) -> None:
    """By the chunk, 9 frames and then 12, against the whole video at once; masks chunk by chunk,
    as diffusers' choice of frames depends on how many there are."""
    frames, height, width = 33, 32, 48
    context = VaceContext(
        control=noise_video(frames, height, width),
        mask=noise_mask(frames, height, width) if masked else None,
    )
    video = torch.from_numpy(context.control).float().permute(3, 0, 1, 2).unsqueeze(0) / 127.5 - 1
    mask = torch.ones(1, 3, frames, height, width)
    if masked:
        mask = (torch.from_numpy(context.mask).float() / 255).expand(1, 3, -1, -1, -1)
    reader = vace.ContextReader(autoencoder)
    with torch.inference_mode():
        wanted = their_pipeline.prepare_video_latents(video, mask, [[]], device="cpu")[0]
        for chunk, (first, count) in enumerate([(0, 9), (9, 12), (21, 12)]):
            got = reader.read(context, width, height, first, count)
            assert got.shape == (96, 3, height // 8, width // 8)
            assert off(got[:32], wanted[:, 3 * chunk : 3 * chunk + 3]) <= TOLERANCE
            their_masks = their_pipeline.prepare_masks(mask[:, :, first : first + count], [[]])[0]
            assert torch.equal(got[32:], their_masks)


def test_references_are_encoded_as_diffusers_does(autoencoder: Any, their_pipeline: Any) -> None:
    """Wide, tall and small ones, fitted on white. diffusers puts a later one in front of those
    before it; ours stand as they are given, as VACE's own code has it. Sides divide by 16, for
    diffusers rounds others down first."""
    image = pytest.importorskip("PIL.Image")
    pictures = [noise_video(1, h, w, seed=h)[0] for h, w in ((32, 96), (80, 32), (16, 16))]
    _, _, prepared = their_pipeline.preprocess_conditions(
        reference_images=[image.fromarray(picture) for picture in reversed(pictures)],
        height=32,
        width=48,
        num_frames=9,
        dtype=torch.float32,
        device="cpu",
    )
    reader = vace.ContextReader(autoencoder)
    with torch.inference_mode():
        video, mask = torch.zeros(1, 3, 9, 32, 48), torch.ones(1, 3, 9, 32, 48)
        wanted = their_pipeline.prepare_video_latents(video, mask, prepared, device="cpu")[0]
        masks = their_pipeline.prepare_masks(mask, prepared)[0]
        got = reader.read(VaceContext(references=tuple(pictures)), 48, 32, 0, 9)
        behind = reader.read(
            VaceContext(references=tuple(pictures), control=noise_video(9, 32, 48)), 48, 32, 0, 9
        )
    for mine, theirs in zip(
        (vace.fitted(picture, 48, 32) for picture in pictures), reversed(prepared[0]), strict=True
    ):
        assert (mine - theirs).abs().max() <= 1e-5
    assert off(got[:32], wanted[:, :3]) <= TOLERANCE
    assert torch.equal(got[32:], masks[:, :3])
    assert torch.equal(behind[:, :3], got)
    assert behind.shape[1] == 6


def a_context(width: int, height: int, **other: Any) -> VaceContext:
    made = VaceContext(
        references=(noise_video(1, 40, 30)[0],),
        control=noise_video(21, height, width),
        mask=noise_mask(21, height, width),
    )
    return replace(made, **other)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return open_pipeline("memflow", PARTS)


@pytest.mark.parametrize("part", ["references", "control", "mask", "scale"])
def test_each_part_of_a_context_matters(pipeline: Any, part: str) -> None:
    pipeline.wipe()
    first = streamed(pipeline, replace(REQUEST, context=a_context(48, 32)), 2)
    other: Any = {
        "references": (noise_video(1, 40, 30, seed=9)[0],),
        "control": noise_video(21, 32, 48, seed=9),
        "mask": noise_mask(21, 32, 48, seed=9),
        "scale": 0.25,
    }[part]
    pipeline.wipe()
    changed = streamed(pipeline, replace(REQUEST, context=a_context(48, 32, **{part: other})), 2)
    assert all(a != b for a, b in zip(first, changed, strict=True))


side = st.integers(0, 3).map(lambda n: 16 * n) | st.integers(0, 50)


@st.composite
def contexts(draw: Any) -> VaceContext:
    """Anything: right ones, and ones that are wrong in one way or several."""

    def sides() -> tuple[int, int]:
        return draw(st.just((32, 48)) | st.tuples(side, side))

    references = [
        np.zeros((*sides(), draw(st.sampled_from([3, 3, 3, 1, 4]))), np.uint8)
        for _ in range(draw(st.integers(0, 4)))
    ]
    control = mask = None
    if draw(st.booleans()):
        control = np.zeros(
            (draw(st.integers(0, 30)), *sides(), draw(st.sampled_from([3, 3, 3, 1, 4]))), np.uint8
        )
    if draw(st.booleans()):
        frames = draw(st.just(1 if control is None else len(control)) | st.integers(0, 30))
        mask = np.zeros((frames, *sides()), draw(st.sampled_from([np.uint8, np.uint8, np.float32])))
        if draw(st.integers(0, 5)) == 0:
            mask = mask[..., np.newaxis]
    return VaceContext(
        references=tuple(references),
        control=control,
        mask=mask,
        scale=draw(st.sampled_from([1.0, 0.0, 2.5, -1.0, float("nan")])),
    )


@settings(max_examples=60, deadline=None)
@given(context=contexts())
def test_no_size_of_a_context_crashes(pipeline: Any, context: VaceContext) -> None:
    """What is wrong has a sentence and never reaches a tensor; what is right streams, and streams
    again after a wipe, with the same pictures."""
    request = replace(REQUEST, steps=(1,), context=context)
    pipeline.wipe()
    if wrong := faults(context, REQUEST.width, REQUEST.height):
        assert all(all(words) for words in wrong)
        with pytest.raises(UsageError) as refused:
            pipeline.prepare(request)
        assert str(refused.value).count("; ") == len(wrong)
        return
    first = streamed(pipeline, request, 2)
    pipeline.wipe()
    assert streamed(pipeline, request, 2) == first


def test_a_network_without_the_branch_reads_no_context() -> None:
    plain = open_pipeline("memflow", replace(PARTS, vace=False))
    with pytest.raises(UsageError, match="opened without VACE"):
        plain.prepare(replace(REQUEST, context=a_context(48, 32)))
    assert "vace-context" not in plain.memories


def a_published_folder(folder: Path, prefix: str, with_trunk: bool) -> Any:
    """base.pt without the branch, and the branch in a file of its own."""
    shape = replace(TINY_DIT, vace_layers=(0,))
    whole = weights.build(shape, device=torch.device("cpu"), dtype=torch.float32)
    weights.fill_randomly(whole, 8)
    state = whole.state_dict()
    branch = {name: value for name, value in state.items() if name.startswith("vace_")}
    trunk = {f"model.{name}": state[name] for name in state if name not in branch}
    torch.save({"generator": trunk}, folder / "base.pt")
    kept = {f"{prefix}{name}": value for name, value in branch.items()}
    if with_trunk:
        kept |= {f"{prefix}{name}": torch.zeros_like(state[name]) for name in state} | kept
    safetensors.torch.save_file(kept, folder / "vace.safetensors")
    return whole


@pytest.mark.parametrize("prefix", ["", "diffusion_model.", "model."])
@pytest.mark.parametrize("with_trunk", [False, True])
def test_the_branch_comes_from_a_file_of_its_own(
    tmp_path: Path, cpu: Any, prefix: str, with_trunk: bool
) -> None:
    """Of a whole VACE model only the branch is taken: the trunk is the base's."""
    whole = a_published_folder(tmp_path, prefix, with_trunk)
    read = weights.build(whole.shape, device=cpu, dtype=torch.float32)
    said = weights.load(read, tmp_path).said
    for name, value in whole.state_dict().items():
        assert torch.equal(read.state_dict()[name], value)
    assert said.startswith("base.pt sha256 ")
    assert "vace.safetensors sha256 " in said

    without = weights.build(TINY_DIT, device=cpu, dtype=torch.float32)
    assert "vace" not in weights.load(without, tmp_path).said


def test_a_missing_branch_is_named(tmp_path: Path, cpu: Any) -> None:
    whole = a_published_folder(tmp_path, "", with_trunk=False)
    (tmp_path / "vace.safetensors").unlink()
    with pytest.raises(MediaError, match="no weights of a VACE branch; put vace"):
        weights.load(whole, tmp_path)


def test_saved_and_read_again_the_branch_is_there(tmp_path: Path, cpu: Any) -> None:
    shape = replace(TINY_DIT, vace_layers=(0,))
    model = weights.build(shape, device=cpu, dtype=torch.float32)
    weights.fill_randomly(model, 8)
    weights.save_pretrained(model, tmp_path / "model")
    read, _ = weights.from_pretrained(tmp_path / "model", device=cpu, dtype=torch.float32)
    assert read.shape == shape
    for name, value in model.state_dict().items():
        assert torch.equal(read.state_dict()[name], value)
