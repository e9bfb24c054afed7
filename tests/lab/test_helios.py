"""Helios, streamed: diffusers' own pictures chunk by chunk, and the same from fewer operations."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("diffusers", reason="the extra `lab` is not installed")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from generator.catalogue import load  # noqa: E402
from generator.cli import main  # noqa: E402
from generator.clips.probe import probe  # noqa: E402
from generator.errors import MediaError, UsageError  # noqa: E402
from generator.lab.models import attention, helios, text, vae_alone, weights  # noqa: E402
from generator.lab.models import vae as vaes  # noqa: E402
from generator.lab.pipelines import Parts, Request, open_pipeline  # noqa: E402
from generator.lab.pipelines import helios as pipelines  # noqa: E402
from generator.lab.pipelines.memflow import TINY_VAE  # noqa: E402
from generator.lab.proof import another, prove, streamed  # noqa: E402
from generator.measure import roofline  # noqa: E402
from generator.measure.roofline import HELIOS_14B, WAN_VAE, HeliosShape  # noqa: E402
from generator.project import Project  # noqa: E402

pytestmark = pytest.mark.filterwarnings(  # diffusers' scheduler, on numpy and torch
    "ignore:__array_wrap__ must accept context:DeprecationWarning"
)
PARTS = Parts(device="cpu", dtype="float32", weights="random", tiny=True, compile="fused")
REQUEST = Request(prompt="a lake at dawn", width=64, height=64, steps=(1, 1, 1), seed=7)
STEPS = [(1, 1, 1), (2, 2, 2), (1, 2, 3)]


@pytest.fixture(scope="module")
def slow() -> pipelines.Helios:
    return pipelines.assembled(PARTS, fast=False, compiled=False)


@pytest.fixture(scope="module")
def fast() -> pipelines.Helios:
    return pipelines.assembled(PARTS, fast=True, compiled=False)


def chunks(pipeline: pipelines.Helios, request: Request, count: int) -> list[Any]:
    pipeline.wipe()
    pipeline.prepare(request)
    return list(islice(pipeline.stream(), count))


def in_one_call(request: Request, frames: int) -> Any:
    """What a user of diffusers gets: its pipeline called once, its own decoding, 8 bit."""
    made = pipelines.assembled(PARTS, fast=False, compiled=False)
    made.prepare(request)
    assert made._prepared is not None
    del made.pipe.vae.decode  # its own again
    (video,) = made.pipe(
        prompt_embeds=made._prepared.embeds,
        width=request.width,
        height=request.height,
        num_frames=frames,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(request.seed),
        pyramid_num_inference_steps_list=list(request.steps),
        output_type="np",
        return_dict=False,
    )
    return (video[0] * 255).round().astype(np.uint8)


@pytest.mark.parametrize("steps", STEPS)
def test_chunk_by_chunk_it_is_diffusers_to_the_bit(
    slow: pipelines.Helios, steps: tuple[int, ...]
) -> None:
    """Chunks come when they are there, and show what one call for the whole clip shows. Three
    chunks: the third sees a history that has turned over. One call cuts its last frames off."""
    request = replace(REQUEST, steps=steps, height=128)
    found = chunks(slow, request, 3)
    assert [len(chunk) for chunk in found] == [33, 33, 33]
    wanted = in_one_call(request, 99)
    assert len(wanted) == 97
    assert np.array_equal(np.concatenate(found)[:97], wanted)
    assert wanted.std() > 5, "pictures of one grey would prove nothing"


@pytest.mark.parametrize("steps", STEPS)
def test_fewer_operations_give_the_same_pictures(
    slow: pipelines.Helios, fast: pipelines.Helios, steps: tuple[int, ...]
) -> None:
    """The fast path differs by rounding only: at most by one level, and seldom."""
    request = replace(REQUEST, steps=steps, width=128)
    wanted = np.concatenate(chunks(slow, request, 3)).astype(int)
    found = np.concatenate(chunks(fast, request, 3))
    assert np.abs(found - wanted).max() <= 1
    assert (found != wanted).mean() < 1e-3


def a_call(shape: HeliosShape, stage: int, width: int, height: int, seed: int = 0) -> Any:
    """The arguments of a pass as the pipeline gives them."""
    drawn = torch.Generator().manual_seed(seed + stage)
    h, w, fewer = height // 8, width // 8, 2 ** (2 - stage)

    def latents(frames: int, h: int, w: int) -> Any:
        return torch.randn(1, shape.latent_channels, frames, h, w, generator=drawn)

    first, long, mid, last, own = torch.arange(29).unsqueeze(0).split([1, 16, 2, 1, 9], dim=1)
    return {
        "hidden_states": latents(9, h // fewer, w // fewer),
        "timestep": torch.tensor([700 - 300 * stage]),
        "encoder_hidden_states": torch.randn(1, shape.text_tokens, shape.text_dim, generator=drawn),
        "indices_hidden_states": own,
        "indices_latents_history_short": torch.cat([first, last], dim=1),
        "indices_latents_history_mid": mid,
        "indices_latents_history_long": long,
        "latents_history_short": latents(2, h, w),
        "latents_history_mid": latents(2, h, w),
        "latents_history_long": latents(16, h, w),
        "return_dict": False,
    }


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("size", [(64, 64), (128, 192)])
@pytest.mark.parametrize("amplified", [False, True])
def test_a_pass_of_two_rows_is_diffusers_pass(
    stage: int, size: tuple[int, int], amplified: bool, cpu: Any
) -> None:
    """Modulation by two rows in place of one a token; text, history and positions kept."""
    config = helios.config_of(pipelines.TINY_HELIOS) | {"is_amplify_history": amplified}
    net = helios.of_config(config, device=cpu, dtype=torch.float32)
    weights.fill_randomly(net, 3)
    call = a_call(pipelines.TINY_HELIOS, stage, *size)
    with torch.inference_mode():
        (wanted,) = net(**call)
        kept = helios.FastHelios(net, compiled=False)
        for _ in range(2):  # made, and then kept
            (found,) = kept.forward(**call)
            assert found.shape == wanted.shape
            assert (found - wanted).abs().max() < 2e-6 * wanted.abs().max()


def test_compiled_blocks_are_one_graph_a_stage_and_compute_the_same(cpu: Any) -> None:
    """However many blocks there are."""
    import torch._dynamo as dynamo

    net = helios.build_helios(pipelines.TINY_HELIOS, device=cpu, dtype=torch.float32)
    weights.fill_randomly(net, 3)
    kept = helios.FastHelios(net, compiled=False)
    met: list[Any] = []

    def counted(graph: Any, inputs: Any) -> Any:
        met.append(graph)
        return graph.forward

    dynamo.reset()
    kept._block = torch.compile(helios.block_pass, fullgraph=True, dynamic=False, backend=counted)
    try:
        with torch.inference_mode():
            for stage in range(3):
                call = a_call(pipelines.TINY_HELIOS, stage, 64, 128)
                kept.new_chunk()
                kept.forget_text()
                (found,) = kept.forward(**call)
                (wanted,) = net(**call)
                assert (found - wanted).abs().max() < 2e-6 * wanted.abs().max()
    finally:
        dynamo.reset()
    assert len(net.blocks) == 2
    assert len(met) == 3


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own compiler
def test_compiled_by_inductor_it_computes_the_same(cpu: Any) -> None:
    """As on a GPU, with the kernels that torch writes."""
    if not shutil.which("g++"):
        pytest.skip("no g++ here: torch compiles nothing for a CPU")
    net = helios.build_helios(pipelines.TINY_HELIOS, device=cpu, dtype=torch.float32)
    weights.fill_randomly(net, 3)
    call = a_call(pipelines.TINY_HELIOS, 1, 64, 64)
    with torch.inference_mode():
        (wanted,) = net(**call)
        (found,) = helios.FastHelios(net, compiled=True).forward(**call)
    assert (found - wanted).abs().max() < 4e-6 * wanted.abs().max()


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("size", [(64, 64), (128, 192)])
def test_a_pass_counts_as_the_roofline_has_it(stage: int, size: tuple[int, int], cpu: Any) -> None:
    """To the last operation: diffusers' pass, and ours with everything at hand."""
    shape = pipelines.TINY_HELIOS
    net = helios.build_helios(shape, device=cpu, dtype=torch.float32)
    weights.fill_randomly(net, 0)
    call = a_call(shape, stage, *size)
    kept = helios.FastHelios(net, compiled=False)
    with torch.inference_mode(), attention.using("math"):
        kept.forward(**call)
        for forward, at_hand in ((net.forward, False), (kept.forward, True)):
            with FlopCounterMode(display=False) as counter:
                forward(**call)
            wanted = roofline.helios_pass(shape, *size, stage, kept=at_hand)
            assert counter.get_total_flops() == wanted.flop
        kept.new_chunk()
        with FlopCounterMode(display=False) as counter:
            kept.forward(**call)
        history = roofline.helios_history(shape, *size)
        assert counter.get_total_flops() == wanted.flop + history


def test_the_full_network_counts_as_the_roofline_has_it() -> None:
    """diffusers' 14B on tensors without memory, at 640x384: a pass of every stage."""
    meta = torch.device("meta")
    net = helios.build_helios(HELIOS_14B, device=meta, dtype=torch.bfloat16)
    assert sum(one.numel() for one in net.parameters()) == pytest.approx(14.312e9, rel=1e-4)

    def no_positions(frame_indices: Any, height: int, width: int, device: Any) -> Any:
        """Of the right shape: autocast, which they are made under, knows no such tensors."""
        return torch.empty(1, 256, frame_indices.shape[1], height, width, device=device)

    net.rope.forward = no_positions
    for stage in range(3):
        call = {
            name: value.to(meta) if isinstance(value, torch.Tensor) else value
            for name, value in a_call(HELIOS_14B, stage, 640, 384).items()
        }
        for name, value in call.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                call[name] = value.bfloat16()
        with torch.no_grad(), attention.using("math"), FlopCounterMode(display=False) as counter:
            net(**call)
        wanted = roofline.helios_pass(HELIOS_14B, 640, 384, stage, kept=False)
        assert counter.get_total_flops() == wanted.flop


@pytest.mark.parametrize("shape", [TINY_VAE, replace(TINY_VAE, multiples=(1, 2, 4, 4), resnets=2)])
@pytest.mark.parametrize("latent_frames", [1, 2, 9])
@pytest.mark.parametrize("last", [False, True])
def test_a_chunk_decoded_in_one_pass_shows_what_frame_after_frame_does(
    shape: roofline.VAEShape, latent_frames: int, last: bool, cpu: Any
) -> None:
    """diffusers' decoding of a chunk that stands alone, and its count of operations."""
    vae = vaes.build_vae(shape, device=cpu, dtype=torch.float32)
    weights.fill_randomly(vae, 3)
    latents = torch.randn(1, 16, latent_frames, 4, 6, generator=torch.Generator().manual_seed(8))
    with torch.inference_mode(), attention.using("math"):
        wanted = vae_alone.decode_eagerly(vae, latents)
        decoder = vae_alone.AloneDecoder(vae, last=last, compiled=False)
        with FlopCounterMode(display=False) as counter:
            found = decoder(latents)
    assert found.shape == wanted.shape == (1, 3, 4 * latent_frames - 3, 32, 48)
    torch.testing.assert_close(found, wanted, atol=5e-5, rtol=0)
    assert wanted.std() > 0.05, "pictures of one grey would prove nothing"
    work = roofline.vae_alone(shape, 48, 32, latent_frames=latent_frames)
    assert counter.get_total_flops() == work.flop


def test_decoding_a_chunk_of_the_full_vae_counts_69_tflop() -> None:
    """As torch counted it at 640x384, 69.3 for nine latent frames."""
    work = roofline.vae_alone(WAN_VAE, 640, 384, latent_frames=9)
    assert work.flop / 1e12 == pytest.approx(69.3, abs=0.05)


def test_a_wiped_pipeline_is_a_fresh_one_and_every_memory_matters() -> None:
    """A clip after another one and a wipe is that of a fresh process; leaving out any one memory
    shows, in the first chunk already."""
    proof = prove("helios", PARTS, REQUEST, another(REQUEST), chunks=2, chunks_before=2)
    assert proof.identical
    assert len(set(proof.fresh)) == 2
    assert dict(proof.mutations) == dict.fromkeys(
        ("history-latents", "first-frame", "cross-attention", "noise"), 0
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"compile": "graphs"}, '--compile "graphs": Helios has none and fused'),
        ({"sparse_memory": True}, "no sparse memory"),
        ({"vace": True}, "reads no VACE context"),
        ({"attention": "sage"}, 'attention kernel "sage": known are torch, cudnn'),
    ],
)
def test_modes_that_helios_does_not_have_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_pipeline("helios", replace(PARTS, **change))


def test_without_a_compile_mode_it_is_diffusers_throughout() -> None:
    """The slow twin, which keeps nothing of the prompt between passes."""
    plain = open_pipeline("helios", replace(PARTS, compile="none"))
    assert plain.memories == ("history-latents", "first-frame", "noise")
    assert plain.said["compile mode"].startswith("none (eager), diffusers' own code")
    ours = open_pipeline("helios", PARTS)
    assert ours.said["compile mode"].endswith("not compiled on a CPU")


@pytest.mark.parametrize(
    "other",
    [{"prompt": "a lake at dusk"}, {"seed": 8}, {"steps": (1, 1, 2)}, {"width": 128}],
)
def test_prompt_seed_steps_and_size_each_matter_and_leave_nothing_behind(
    fast: pipelines.Helios, other: dict[str, Any]
) -> None:
    fast.wipe()
    first = streamed(fast, REQUEST, 2)
    fast.wipe()
    assert streamed(fast, replace(REQUEST, **other), 2)[0] != first[0]
    fast.wipe()
    assert streamed(fast, REQUEST, 2) == first


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"width": 832, "height": 480}, "832x480: Helios' sides divide by 64.*832x512"),
        ({"width": 96, "height": 64}, "96x64: .* nearest is 128x64"),
        ({"steps": (2,)}, "steps 2: Helios has three stages; .* 2/2/2"),
        ({"switches": ((1, "rain"),)}, "one prompt for a whole clip"),
    ],
)
def test_what_cannot_be_had_is_told_in_a_sentence(
    fast: pipelines.Helios, other: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        fast.prepare(replace(REQUEST, **other))


def test_the_steps_are_those_that_the_network_is_told(slow: pipelines.Helios) -> None:
    """Whole numbers, stage after stage, as passes receive them."""
    told: list[float] = []
    net = slow.pipe.transformer
    before = net.forward

    def heard(**given: Any) -> Any:
        told.append(float(given["timestep"].item()))
        return before(**given)

    net.forward = heard
    try:
        chunks(slow, replace(REQUEST, steps=(2, 1, 2)), 1)
    finally:
        del net.__dict__["forward"]
    assert slow.step_list(replace(REQUEST, steps=(2, 1, 2))) == tuple(told)
    assert told == sorted(told, reverse=True)


def test_position_tables_stay_in_float32_and_as_diffusers_makes_them(cpu: Any) -> None:
    """A network in bfloat16, with the parameters in float32 that diffusers keeps so."""
    from diffusers import HeliosTransformer3DModel

    net = helios.build_helios(pipelines.TINY_HELIOS, device=cpu, dtype=torch.bfloat16)
    plain = HeliosTransformer3DModel(**helios.config_of(pipelines.TINY_HELIOS))
    for name, table in plain.rope.named_buffers():
        assert torch.equal(net.rope.get_buffer(name), table), name
    wide = {name for name, one in net.named_parameters() if one.dtype == torch.float32}
    kept = ("time_embedder", "scale_shift_table", "norm1", "norm2", "norm3")
    assert wide == {name for name, _ in net.named_parameters() if set(kept) & set(name.split("."))}
    assert wide
    assert net.dtype == torch.bfloat16
    assert torch.get_default_dtype() == torch.float32


def test_the_noise_between_stages_says_which_gamma_it_takes(slow: pipelines.Helios) -> None:
    """1/3 makes its covariance singular, so that it hangs on rounding whether a CPU accepts it;
    what is taken instead is told, and is regular."""
    (gamma,) = {slow.pipe.scheduler.config.gamma, pipelines.REGULAR_GAMMA}

    def least(gamma: float) -> float:
        covariance = torch.eye(4).double() * (1 + gamma) - gamma
        return float(torch.linalg.eigvalsh(covariance).min())

    assert least(1 / 3) < torch.finfo(torch.float32).eps
    assert least(gamma) == pytest.approx(1e-4, rel=1e-3)
    assert slow.said["noise between stages"].startswith("gamma 0.3333 in place of 0.333333")
    assert slow.said["architecture"] == "tiny, for tests"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as diffusers writes it, the transformer over several files."""
    folder = tmp_path_factory.mktemp("Helios-Distilled")
    made = pipelines.assembled(replace(PARTS, weights_seed=5), fast=False, compiled=False)
    del made.pipe.vae.decode
    made.pipe.save_pretrained(folder, max_shard_size="200KB")
    assert len(list((folder / "transformer").glob("*.safetensors"))) > 1
    embeddings = text.random_text(pipelines.TINY_HELIOS.text_dim, 12)
    text.save_embeddings(folder / "text.safetensors", [REQUEST.prompt], embeddings)
    return folder


def opened(folder: Path) -> Any:
    return open_pipeline(
        "helios", replace(PARTS, weights=str(folder), text=folder / "text.safetensors")
    )


def test_the_released_layout_is_read(released: Path) -> None:
    """The same weights from a folder give the same pictures; the record says where from."""
    loaded = opened(released)
    wanted = open_pipeline("helios", replace(PARTS, weights_seed=5))
    assert streamed(loaded, REQUEST, 2) == streamed(wanted, REQUEST, 2)
    assert loaded.said["weights"].count("sha256") > 1
    assert loaded.said["text embeddings"].startswith("precomputed, text.safetensors sha256")


@pytest.mark.parametrize(
    ("file", "key", "value", "said"),
    [
        ("model_index.json", "is_distilled", False, "is_distilled is False; only distilled"),
        ("scheduler/scheduler_config.json", "_class_name", "HeliosScheduler", "HeliosDMDScheduler"),
        ("scheduler/scheduler_config.json", "stages", 1, "stages is 1; .* three"),
        ("transformer/config.json", "_class_name", "WanTransformer3DModel", "_class_name is 'Wan"),
        ("transformer/config.json", "num_layers", 0, "num_layers is 0, where a count belongs"),
        ("transformer/config.json", "num_layers", 3, "missing: .*blocks.2"),
        ("transformer/config.json", "ffn_dim", 48, "of another shape: .*ffn"),
        ("transformer/config.json", "rope_dim", [4, 4, 6], "does not make attention_head_dim 12"),
        ("transformer/config.json", "zero_history_timestep", False, "where True is computed"),
        ("transformer/config.json", "wings", 2, "wings is not known"),
    ],
)
def test_another_configuration_is_refused_in_a_sentence(
    released: Path, tmp_path: Path, file: str, key: str, value: object, said: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(released, folder)
    stated = json.loads((folder / file).read_text("utf-8"))
    (folder / file).write_text(json.dumps(stated | {key: value}), encoding="utf-8")
    with pytest.raises(MediaError, match=said) as error:
        opened(folder)
    assert str(folder / file.split("/")[0]) in str(error.value)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("model_index.json", "no such file; name the folder of a whole pipeline"),
        ("transformer/diffusion_pytorch_model-00001-of-*.safetensors", "fetch it again"),
        ("transformer/config.json", "no valid JSON"),
        ("vae/config.json", "no Wan VAE"),
    ],
)
def test_a_file_that_is_missing_is_named(
    released: Path, tmp_path: Path, gone: str, said: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(released, folder)
    for path in folder.glob(gone):
        path.unlink()
    with pytest.raises(MediaError, match=said):
        opened(folder)


def test_a_file_cut_short_is_named(released: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(released, folder)
    path = sorted((folder / "transformer").glob("*.safetensors"))[0]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MediaError, match=f"{path.name}: no safetensors file that can be read"):
        opened(folder)


def test_the_command_makes_clips_of_exactly_the_length_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 s at 24 frames a second of two chunks of 33; every chunk's arrival in the record."""
    sample = Path(__file__).resolve().parents[1] / "sample"
    shutil.copytree(sample / "content", tmp_path / "content")
    described = 'title = "Helios"\nsummary = "A model."\ncontent_rate_hz = 24\n'
    (tmp_path / "content" / "pipelines" / "helios.toml").write_text(described, "utf-8")
    arguments = [
        *("generate", "--root", str(tmp_path), "--pipeline", "helios", "--weights", "random"),
        *("--tiny", "--device", "cpu", "--dtype", "float32", "--size", "64x64"),
        *("--steps", "1/1/1", "--steps", "1/1/2", "--seconds", "2", "--repeats", "1"),
        *("--compile", "fused", "--run", "mine", "--machine", "sample-gpu", "--keep-noise"),
    ]
    assert main(arguments) == 0, capsys.readouterr().err
    clips = [clip for clip in load(Project(root=tmp_path)).clips if clip.run == "mine"]
    assert [clip.steps for clip in clips] == [(1, 1, 1), (1, 1, 2)]
    folder = tmp_path / "content" / "runs" / "mine"
    for clip in clips:
        facts = probe(folder / "media" / str(clip.file))
        assert (facts.frame_count, facts.duration_s) == (48, 2)
        cell = json.loads((folder / "cells" / f"{clip.row_id}.json").read_text("utf-8"))
        assert cell["takes"][0]["frames"] == [33, 33]
        first, second = cell["takes"][0]["arrivals_s"]
        assert list(clip.per_frame.arrivals_s or ()) == pytest.approx(
            [first] * 33 + [second] * 15, abs=1e-6
        )
