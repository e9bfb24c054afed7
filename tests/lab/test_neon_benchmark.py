"""Training rehearsed: every call that a GPU is to run, on a CPU with a toy and a stand-in."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

from neon_stand_in import shapes  # noqa: E402

from generator.clips.pictures import picture_of  # noqa: E402
from generator.lab.models import neon_weights  # noqa: E402
from generator.lab.train.data import times_of  # noqa: E402
from generator.lab.train.log import read_log  # noqa: E402

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_calls_of_the_plan_go_on_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Features and VAE, then the transformer from what came back, then the evaluation, then what is
    shipped: at most eight files each time, a sheet that is a PNG, and one log of all runs."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import neon_train

    first, second, shipped = tmp_path / "a", tmp_path / "b", tmp_path / "neon"
    call = ["run", str(first), "--rehearse", "--stage", "render=0.5"]
    call += ["--stage", "features=1", "--stage", "vae=1"]
    assert neon_train.run(neon_train.parsed(call), shapes()) == 0
    measured = json.loads((first / "figures.json").read_text("utf-8"))["rendering"]
    assert [(row["scene"], row["way"]) for row in measured] == [
        ("alley", "eager"),
        ("metropolis", "eager"),
    ]
    assert all(row["frames_a_second"] > 0 for row in measured)
    assert picture_of(first / "sheet.png").shape == (4 * 32, 2 * 48, 3)

    call = ["run", str(second), "--rehearse", "--from", str(first), "--stage", "dit=1"]
    assert neon_train.run(neon_train.parsed([*call, "--evaluate", "2"]), shapes()) == 0
    names = {path.name for path in second.iterdir()}
    assert {"config.json", "log.jsonl", "figures.json", "sheet.png"} < names
    assert len(names) <= 8
    assert picture_of(second / "sheet.png").shape == (4 * 32 + 4 * 16, 5 * 48, 3)
    runs = [line["run"] for line in read_log(second / "log.jsonl") if line["event"] == "run"]
    assert runs == ["1-features", "2-vae", "3-dit"]
    figures = json.loads((second / "figures.json").read_text("utf-8"))
    assert set(figures["evaluation"]["by_steps"]) >= {"rendered", "1", "2", "64"}
    assert figures["frames_rendered_a_second"] > 0
    losses = figures["flow_loss"]["48x32"]
    assert losses.keys() == {"told", "told another's", "known without a network"}
    # two clips of coloured shapes whiten no others: how large they are says nothing here
    assert all(0 < loss < math.inf for loss in losses["told"].values())
    assert any("so far" in line for line in figures["log"])

    capsys.readouterr()
    assert neon_train.main(["ship", str(second), str(shipped)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bytes"] == sum((shipped / name).stat().st_size for name in said["files"])
    assert read_log(shipped / "log.jsonl") == read_log(second / "log.jsonl")
    config, state, read = neon_weights.load(shipped)
    assert any(name.startswith("features.") for name in state)
    assert "neon-1-of-1.safetensors sha256" in read.said
    assert "features" not in read.said
    assert config.rounding["flow"] == said["lost"]["flow"] < 0.2
    assert config.training["seconds"].keys() == {"features", "vae", "dit"}
    sys.modules.pop("neon_train")


def test_a_stage_that_fails_does_not_take_the_next_one_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The VAE is trained without features where those fail; the file says what failed, and the
    exit status that something did."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import neon_train

    from generator.lab.train import loops

    def broken(*arguments: object, **options: object) -> object:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(loops, "features_step", broken)
    call = ["run", str(tmp_path), "--rehearse", "--stage", "features=1", "--stage", "vae=1"]
    assert neon_train.run(neon_train.parsed(call), shapes()) == 1
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert "RuntimeError: no such kernel" in figures["failed"]
    _, state, _ = neon_weights.load(tmp_path)
    assert {name.split(".")[0] for name in state} == {"vae"}
    assert (tmp_path / "sheet.png").is_file()
    sys.modules.pop("neon_train")


def test_training_takes_the_faster_way_to_render_and_tells_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled functions may be slower than plain ones; what became of compiling is told anyway."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import neon_train

    plain = shapes()
    other = replace(
        plain,
        render=lambda *given: plain.render(*given),
        report=lambda: [{"place": "alley"}],
    )
    ways = {"eager": plain, "compiled": other}
    monkeypatch.setattr(
        neon_train, "timed", lambda work, device: 1.0 if work.func is plain.render else 9.0
    )
    said = neon_train.Said(tmp_path / "figures.json")
    taken = neon_train.speed(said, ways, torch.device("cpu"), 48, 32, 2)
    assert taken is ways["eager"]
    assert said.data["rendered"] == "eager"
    assert said.data["frames_rendered_a_second"] == 24
    assert said.data["compiled"] == [{"place": "alley"}]
    sys.modules.pop("neon_train")


def test_what_is_spent_before_training_is_the_longest_stages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call takes the minutes that it was ordered for, whatever compiling took."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import neon_train

    stages = [("render", 0.5), ("features", 1.5), ("vae", 6.5)]
    assert neon_train.shortened(stages, 90) == [("features", 1.5), ("vae", 5.5)]
    assert neon_train.shortened(stages, 20) == [("features", 1.5), ("vae", 6.5)]
    assert neon_train.shortened([("dit", 3.0)], 600) == [("dit", 1.0)]
    assert neon_train.shortened([("render", 0.5)], 90) == []
    sys.modules.pop("neon_train")


def test_a_farm_begins_anew_on_a_machine_where_one_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What told the one before to end is gone, and so is its VAE; what it rendered stays."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import neon_train

    begun: list[dict[str, list[str]]] = []
    monkeypatch.setattr(neon_train.neon_children, "Children", lambda what, _: begun.append(what))
    folder, source = tmp_path / "farm", tmp_path / "weights"
    for name in ("vae/config.json", "stop", "enough", "compiled-alley", "bank-alley.safetensors"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("old", "utf-8")
    source.mkdir()
    (source / "config.json").write_text("new", "utf-8")
    call = ["run", str(tmp_path), "--farm", str(folder), "--from", str(source), "--stage", "dit=1"]
    neon_train.farmed(neon_train.parsed(call), ("alley",), 48, 32, tmp_path)
    assert {path.name for path in folder.iterdir()} == {"vae", "bank-alley.safetensors"}
    assert (folder / "vae" / "config.json").read_text("utf-8") == "new"
    assert begun[0].keys() == {"alley-first", "alley-whole"}
    sys.modules.pop("neon_train")


def test_a_shelf_that_a_farm_has_left_is_trained_on_without_rendering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import neon_train
    from safetensors.torch import save_file

    footage = shapes()
    condition = footage.draw(torch.arange(8))
    pixels = footage.render(condition, times_of(condition, 0, 12), 48, 32)
    clips = {"pixels": (pixels * 255).round().to(torch.uint8), "scene": condition.scene}
    save_file({**clips, "values": condition.values.float()}, tmp_path / "clips-0.safetensors")
    call = ["run", str(tmp_path / "out"), "--rehearse", "--stage", "features=1"]
    call += ["--shelf", str(tmp_path)]
    assert neon_train.run(neon_train.parsed(call), footage) == 0
    assert not list(tmp_path.glob("clips-*"))
    (end,) = (one for one in read_log(tmp_path / "out" / "log.jsonl") if one["event"] == "end")
    assert end["rendered"] == 8
    sys.modules.pop("neon_train")


def child(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_children_are_told_of_and_those_that_cannot_start_are_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from neon_children import Children

    wrote = f"import sys; sys.stdin.read(1); open({str(tmp_path / 'a.json')!r}, 'w').write('[1]')"
    commands = {"a": child(wrote), "b": child("raise SystemExit('no compiler')")}
    children = Children({**commands, "c": [str(tmp_path / "nothing")]}, tmp_path)
    assert "a" in children.running()
    assert children.report()["a"] == {"running": True}
    stdin = children.children["a"].stdin
    assert stdin is not None
    stdin.write(b"x")
    stdin.flush()
    for one in children.children.values():
        one.wait(60)
    told = children.report()
    assert told["a"] == [1]
    assert told["b"]["said"].strip() == "no compiler"
    assert "FileNotFoundError" in told["c"]["failed"]
    assert children.running() == []
    children.stop()
    sys.modules.pop("neon_children")


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="no /proc to see processes in")
def test_what_works_beside_ends_with_the_call_even_where_that_is_killed(tmp_path: Path) -> None:
    """A child waits for its standard input beside its work; the system closes that for it."""
    waits = (
        f"import sys, time; sys.path.insert(0, {str(BENCHMARKS)!r}); import neon_children;"
        "neon_children.until_the_parent_ends(); print('up', flush=True); time.sleep(120)"
    )
    parent = (
        f"import sys, time; sys.path.insert(0, {str(BENCHMARKS)!r}); import neon_children, pathlib;"
        f"w = neon_children.Children({{'a': [sys.executable, '-c', {waits!r}]}},"
        f" pathlib.Path({str(tmp_path)!r}));"
        "print(w.children['a'].pid, flush=True); time.sleep(120)"
    )
    with subprocess.Popen(child(parent), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        ends = time.monotonic() + 60
        while "up" not in (tmp_path / "a.txt").read_text("utf-8") and time.monotonic() < ends:
            time.sleep(0.05)
        process.kill()
    while time.monotonic() < ends and alive(pid):
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
