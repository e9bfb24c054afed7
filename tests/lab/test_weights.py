"""Published layouts are read, wrong and broken files refused in a sentence; a merged LoRA is the
LoRA."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
pytest.importorskip("safetensors", reason="the extra `lab` is not installed")

from generator.errors import MediaError  # noqa: E402
from generator.lab.models import text, weights  # noqa: E402
from generator.lab.models.cache import KVCache, TextCache  # noqa: E402
from generator.lab.models.dit import CausalDiT  # noqa: E402
from generator.lab.pipelines.memflow import TINY_DIT  # noqa: E402

ALPHA_OVER_RANK = 1.0
RANK = 3
X = torch.randn(3, 16, 4, 6, generator=torch.Generator().manual_seed(0))


def a_model(seed: int = 5) -> CausalDiT:
    model = weights.build(TINY_DIT, device=torch.device("cpu"), dtype=torch.float32)
    weights.fill_randomly(model, seed)
    return model


def flow_of(model: Any) -> Any:
    cache = KVCache(TINY_DIT, 6, device=torch.device("cpu"), dtype=torch.float32)
    heard = TextCache()
    with torch.inference_mode():
        model.read_text(torch.ones(4, TINY_DIT.text_dim), heard)
        return model(X, model.modulation(700.0), model.rotation(0, 3, 2, 3), cache, heard)


def a_lora(model: CausalDiT, prefix: str, infix: str = "") -> dict[str, Any]:
    """peft's layout: a pair for every linear layer of the blocks."""
    generator = torch.Generator().manual_seed(9)
    state = {}
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.Linear) and name.startswith("blocks."):
            a = torch.randn(RANK, layer.in_features, generator=generator) / 5
            b = torch.randn(layer.out_features, RANK, generator=generator) / 5
            state[f"{prefix}{name}.lora_A{infix}.weight"] = a
            state[f"{prefix}{name}.lora_B{infix}.weight"] = b
    return state


def published(folder: Path, model: CausalDiT, *, wrapper: str, fsdp: bool = False) -> None:
    """A folder with base.pt, as MemFlow's authors publish it."""
    middle = "_fsdp_wrapped_module." if fsdp else ""
    state = {f"model.{middle}{name}": value for name, value in model.state_dict().items()}
    torch.save({wrapper: state, "step": 3000}, folder / "base.pt")


@pytest.mark.parametrize("wrapper", ["generator", "generator_ema", "model"])
@pytest.mark.parametrize("fsdp", [False, True])
def test_the_published_layout_is_read(tmp_path: Path, wrapper: str, fsdp: bool) -> None:
    published(tmp_path, a_model(), wrapper=wrapper, fsdp=fsdp)
    loaded = a_model(seed=6)
    said = weights.load(loaded, tmp_path)
    assert torch.equal(flow_of(loaded), flow_of(a_model()))
    assert "base.pt sha256 " in said.said
    assert not said.random


@pytest.mark.parametrize("prefix", ["base_model.model.", "base_model.model.model.", "model."])
@pytest.mark.parametrize("infix", ["", ".default"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_merged_lora_computes_what_an_unmerged_one_does(
    tmp_path: Path, prefix: str, infix: str, wrapped: bool
) -> None:
    """The slow twin adds scale * B(A(x)) behind every linear layer, as peft does."""
    base = a_model()
    lora = a_lora(base, prefix, infix)
    published(tmp_path, base, wrapper="generator")
    torch.save({"generator_lora": lora} if wrapped else lora, tmp_path / "lora.pt")
    merged = a_model(seed=6)
    said = weights.load(merged, tmp_path)

    for name, layer in base.named_modules():
        pair = [lora.get(f"{prefix}{name}.lora_{half}{infix}.weight") for half in "AB"]
        if pair[0] is None:
            continue

        def beside(module: Any, given: Any, out: Any, pair: Any = pair) -> Any:
            return out + ALPHA_OVER_RANK * (given[0] @ pair[0].T) @ pair[1].T

        layer.register_forward_hook(beside)
    slow, fast = flow_of(base), flow_of(merged)
    assert (fast - slow).abs().max() / slow.abs().max() < 1e-5
    assert (slow - flow_of(a_model())).abs().max() > 0.01 * slow.abs().max()
    assert "LoRA merged" in said.said


def test_saved_and_read_again_it_is_the_same(tmp_path: Path) -> None:
    """Configuration and weights, in a folder as diffusers writes it."""
    model = a_model()
    weights.save_pretrained(model, tmp_path / "model")
    read, said = weights.from_pretrained(
        tmp_path / "model", device=torch.device("cpu"), dtype=torch.float32
    )
    assert read.shape == TINY_DIT
    assert torch.equal(flow_of(read), flow_of(model))
    assert "sha256" in said.said


def test_random_weights_are_the_same_for_the_same_seed() -> None:
    assert torch.equal(flow_of(a_model(3)), flow_of(a_model(3)))
    assert not torch.equal(flow_of(a_model(3)), flow_of(a_model(4)))
    assert all(parameter.abs().sum() > 0 for parameter in a_model().parameters())


class Harmful:
    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('ran code from a file of weights')",))


def broken(folder: Path, how: str) -> None:
    model = a_model()
    state = {f"model.{name}": value for name, value in model.state_dict().items()}
    path = folder / "base.pt"
    if how == "cut short":
        torch.save({"generator": state}, path)
        path.write_bytes(path.read_bytes()[:-5000])
    elif how == "no weights at all":
        path.write_bytes(b"<html>Not found</html>")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "harmful":
        path.write_bytes(pickle.dumps({"generator": Harmful()}))
    elif how == "a list":
        torch.save([1, 2], path)
    elif how == "missing and unexpected":
        state["model.blocks.9.extra.weight"] = state.pop("model.head.modulation")
        torch.save({"generator": state}, path)
    elif how == "other shape":
        state["model.head.head.bias"] = torch.zeros(3)
        torch.save({"generator": state}, path)
    elif how == "other LoRA":
        torch.save({"generator": state}, path)
        torch.save(
            {
                "blocks.77.ffn.0.lora_A.weight": torch.zeros(2, 2),
                "blocks.77.ffn.0.lora_B.weight": torch.zeros(2, 2),
            },
            folder / "lora.pt",
        )
    elif how == "half a LoRA":
        torch.save({"generator": state}, path)
        torch.save({"blocks.0.ffn.0.lora_A.weight": torch.zeros(2, 2)}, folder / "lora.pt")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cut short", "base.pt: no file of weights that can be read"),
        ("no weights at all", "base.pt: no file of weights that can be read"),
        ("empty", "base.pt: no file of weights that can be read"),
        ("harmful", "base.pt: no file of weights that can be read"),
        ("a list", "base.pt: holds a list"),
        (
            "missing and unexpected",
            "missing: head.modulation; unexpected: blocks.9.extra.weight",
        ),
        ("other shape", r"head.head.bias \[3\] for \[64\]"),
        ("other LoRA", "lora.pt: blocks.77.ffn.0 of this LoRA fit no linear layer"),
        ("half a LoRA", "lora.pt: holds blocks.0.ffn.0 where pairs"),
        ("nothing", "holds neither base.pt nor"),
    ],
)
def test_a_file_that_is_wrong_is_one_clear_error(tmp_path: Path, how: str, said: str) -> None:
    """One sentence with the file and what is wrong; the model is left as it was."""
    broken(tmp_path, how)
    model = a_model()
    before = flow_of(model)
    with pytest.raises(MediaError, match=said) as caught:
        weights.load(model, tmp_path)
    assert "\n" not in str(caught.value)
    assert torch.equal(flow_of(model), before)


def test_a_truncated_safetensors_file_is_one_clear_error(tmp_path: Path) -> None:
    weights.save_pretrained(a_model(), tmp_path)
    path = tmp_path / weights.SAFETENSORS
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MediaError, match="cut short"):
        weights.from_pretrained(tmp_path, device=torch.device("cpu"), dtype=torch.float32)


def test_a_configuration_with_unknown_words_is_refused(tmp_path: Path) -> None:
    weights.save_pretrained(a_model(), tmp_path)
    (tmp_path / "config.json").write_text('{"layerz": 2}', "utf-8")
    with pytest.raises(MediaError, match="knows no layerz"):
        weights.from_pretrained(tmp_path, device=torch.device("cpu"), dtype=torch.float32)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[1]", "holds no JSON object"),
        ("{", "no valid JSON"),
        ('{"layers": "two"}', "no network has layers 'two'"),
        ('{"layers": -1, "patch": [1, 2]}', r"no network has layers -1, patch \(1, 2\)"),
        ('{"dim": 50, "heads": 4}', "4 heads do not share a width of 50"),
        ('{"vace_layers": [1, 2]}', "begin with 0 and rise"),
        ('{"_class_name": "WanTransformer3DModel"}', "states no num_layers, num_attention_heads"),
    ],
)
def test_a_configuration_that_is_no_network_is_refused(
    tmp_path: Path, config: str, said: str
) -> None:
    weights.save_pretrained(a_model(), tmp_path)
    (tmp_path / "config.json").write_text(config, "utf-8")
    with pytest.raises(MediaError, match=said):
        weights.from_pretrained(tmp_path, device=torch.device("cpu"), dtype=torch.float32)


def test_a_model_in_several_files_is_read_as_diffusers_spread_it(tmp_path: Path) -> None:
    """The published folder of Wan2.1-T2V-1.3B has two; a lost one is named, and so is an index that
    leads elsewhere."""
    diffusers = pytest.importorskip("diffusers", reason="no diffusers")
    theirs = diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=24,
        text_dim=20,
        freq_dim=32,
        ffn_dim=64,
        num_layers=2,
    )
    weights.fill_randomly(theirs, 7)
    theirs.save_pretrained(tmp_path / "whole")
    theirs.save_pretrained(tmp_path / "spread", max_shard_size="60KB")
    shards = sorted((tmp_path / "spread").glob("*.safetensors"))
    assert len(shards) > 1
    cpu = torch.device("cpu")
    whole, _ = weights.from_pretrained(tmp_path / "whole", device=cpu, dtype=torch.float32)
    spread, said = weights.from_pretrained(tmp_path / "spread", device=cpu, dtype=torch.float32)
    for name, value in whole.state_dict().items():
        assert torch.equal(spread.state_dict()[name], value)
    assert said.said.count("sha256") == len(shards)
    shards[0].unlink()
    with pytest.raises(MediaError, match=f"{shards[0].name}: no such file"):
        weights.from_pretrained(tmp_path / "spread", device=cpu, dtype=torch.float32)
    index = tmp_path / "spread" / weights.INDEX
    index.write_text('{"weight_map": {"a": "../whole/x.safetensors"}}', "utf-8")
    with pytest.raises(MediaError, match="names no files of weights"):
        weights.from_pretrained(tmp_path / "spread", device=cpu, dtype=torch.float32)


def test_embeddings_made_before_are_found_by_their_prompt(tmp_path: Path) -> None:
    source = text.random_text(16, 12)
    text.save_embeddings(tmp_path / "prompts.safetensors", ["a lake", "a city"], source)
    read = text.precomputed(tmp_path / "prompts.safetensors", 16)
    assert torch.equal(read.embed("a city"), source.embed("a city"))
    assert not torch.equal(read.embed("a city"), read.embed("a lake")[: len(read.embed("a city"))])
    assert "sha256" in read.said
    with pytest.raises(MediaError, match='no embeddings of the prompt "a forest"'):
        read.embed("a forest")
    with pytest.raises(MediaError, match="where \\[tokens, 4096\\] is read"):
        text.precomputed(tmp_path / "prompts.safetensors", 4096).embed("a lake")


def test_the_text_encoder_is_what_transformers_computes(tmp_path: Path) -> None:
    """A tiny UMT5 with a tokenizer of its own: last hidden states of the tokens, no padding."""
    transformers = pytest.importorskip("transformers", reason="no transformers")
    tokenizers = pytest.importorskip("tokenizers", reason="no tokenizers")

    words = {"<pad>": 0, "</s>": 1, "<unk>": 2, "a": 3, "lake": 4, "at": 5, "dawn": 6}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    plain.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    config = transformers.UMT5Config(
        vocab_size=8, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2
    )
    encoder = transformers.UMT5EncoderModel(config).eval()
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    encoder.save_pretrained(tmp_path / "text_encoder")

    source = text.umt5(tmp_path, device=torch.device("cpu"), dtype=torch.float32, most_tokens=12)

    with torch.inference_mode():
        wanted = encoder(input_ids=torch.tensor([[3, 4, 5, 6, 1]])).last_hidden_state[0]
    torch.testing.assert_close(source.embed("a  lake at\ndawn"), wanted)
    with pytest.raises(MediaError, match="no UMT5 encoder"):
        text.umt5(tmp_path / "no", device=torch.device("cpu"), dtype=torch.float32, most_tokens=12)
