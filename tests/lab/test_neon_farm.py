"""Clips that other processes render and encode, and processes that train together."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import neon_farm  # noqa: E402
from neon_stand_in import shapes  # noqa: E402

from generator.errors import UsageError  # noqa: E402
from generator.lab.train import rendered  # noqa: E402
from generator.lab.train.data import (  # noqa: E402
    ENOUGH,
    HELD_OUT,
    Clips,
    Harvest,
    Segments,
    Shelf,
    half_size,
)
from generator.lab.train.training import Plan, open_models, train  # noqa: E402

CPU = torch.device("cpu")
SIZE = {"width": 96, "height": 64}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy's VAE."""
    out = tmp_path_factory.mktemp("neon") / "weights"
    train(
        Plan(stage="vae", out=out, steps=3, device="cpu", tiny=True, pool=4, refresh=0, **SIZE),
        shapes(),
    )
    return out


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "footage", lambda samples, compile_s=0.0: shapes())


def farm(folder: Path, scene: str, *options: str) -> int:
    folder.mkdir(exist_ok=True)
    size = f"{SIZE['width']}x{SIZE['height']}"
    common = ["--device", "cpu", "--alone", "--size", size]
    return neon_farm.main([scene, str(folder), *common, *options])


def hand_over(trained: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / neon_farm.VAE).symlink_to(trained)


@pytest.mark.usefixtures("toy")
def test_a_farms_bank_is_what_one_encodes_oneself(trained: Path, tmp_path: Path) -> None:
    """At both sizes, from the renderer's own 8-bit frames; a clip's condition comes with it."""
    hand_over(trained, tmp_path)
    footage, cut = shapes(), Segments()
    for scene in footage.scenes:
        assert farm(tmp_path, scene, "--eager", "--bank", "8") == 0
    plan = Plan(stage="vae", out=trained, device="cpu", tiny=True)
    vae = open_models(plan, footage, trained, CPU).vae
    bank, half = (Harvest(tmp_path, w, h, CPU) for w, h in ((96, 64), (48, 32)))
    assert bank.filled == half.filled == 16
    assert sorted(bank.scene.tolist()) == [0] * 8 + [1] * 8
    drawn = footage.draw(torch.arange(neon_farm.COMPILED_SEED, neon_farm.COMPILED_SEED + 64))
    condition = drawn[torch.nonzero(drawn.scene == int(bank.scene[0]))[:8, 0]]
    begins = cut.begins(condition)
    video = footage.render(condition, cut.times(condition, begins), 96, 64)
    video = (video * 255).round() / 255
    of_scene = bank.scene == bank.scene[0]
    with torch.inference_mode():
        for got, frames in ((bank, video), (half, half_size(video))):
            wanted = cut.encoded(vae, frames).half()
            torch.testing.assert_close(got.x[of_scene], wanted, rtol=2e-3, atol=2e-3)
    assert torch.equal(bank.starts[of_scene], cut.starts(begins))
    torch.testing.assert_close(bank.values[of_scene], condition.values.float(), equal_nan=True)
    assert int(condition.seeds.max()) < HELD_OUT


@pytest.mark.usefixtures("toy")
def test_first_chunks_are_left_beside_encoded_clips(trained: Path, tmp_path: Path) -> None:
    """As many as were asked for, with the conditions of what is encoded."""
    hand_over(trained, tmp_path)
    scene = shapes().scenes[0]
    assert farm(tmp_path, scene, "--eager", "--bank", "12", "--shelve", "8") == 0
    shelf = Shelf(tmp_path, shapes(), count=8, frames=12, **SIZE, device=CPU)
    assert shelf.refresh(20) == 8
    assert not list(tmp_path.glob("clips-*"))
    bank = Harvest(tmp_path, SIZE["width"], SIZE["height"], CPU)
    assert bank.filled == 12
    torch.testing.assert_close(shelf.values, bank.values[:8], equal_nan=True)


@pytest.mark.usefixtures("toy")
def test_clips_wait_for_a_vae_and_are_encoded_when_it_is_there(
    trained: Path, tmp_path: Path
) -> None:
    scene = shapes().scenes[0]

    def later() -> None:
        while not (tmp_path / f"{scene}-whole.json").is_file():
            pass
        hand_over(trained, tmp_path)

    thread = threading.Thread(target=later)
    thread.start()
    assert farm(tmp_path, scene, "--eager", "--most", "8", "--bank", "12") == 0
    thread.join()
    said = json.loads((tmp_path / f"{scene}-whole.json").read_text("utf-8"))
    assert said["encoded"] == Harvest(tmp_path, 96, 64, CPU).filled == 12
    assert (tmp_path / f"compiled-{scene}").is_file()


@pytest.mark.usefixtures("toy")
def test_a_shelf_is_filled_by_files_and_says_when_it_is_full(tmp_path: Path) -> None:
    """The frames are those that a pool renders by itself; files are gone when they are taken."""
    footage = shapes()
    scene = footage.scenes[1]
    (tmp_path / neon_farm.STOP).touch()
    assert farm(tmp_path, scene, "--first") == 0
    assert not list(tmp_path.glob("clips-*"))  # told to stop before it began
    (tmp_path / neon_farm.STOP).unlink()
    options = {"count": 10, "frames": 12, **SIZE, "device": CPU}
    shelf = Shelf(tmp_path, footage, **options)
    assert shelf.refresh(4) == 0
    worker = threading.Thread(target=farm, args=(tmp_path, scene, "--first"))
    worker.start()
    assert list(shelf.fill())[-1] == 10
    worker.join()
    assert (tmp_path / ENOUGH).is_file()
    drawn = footage.draw(torch.arange(64))
    clips = Clips(footage, **options)
    wanted = []
    for seed in drawn.seeds[drawn.scene == 1][:10].tolist():
        clips.next_seed = seed
        clips.refresh(1)
        wanted.append(clips.pixels[clips.oldest - 1].clone())
    assert torch.equal(shelf.pixels, torch.stack(wanted))
    assert shelf.scene.tolist() == [1] * 10


PEER = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {root!r})
from generator.lab.train.peers import Peers
rank, meet = int(sys.argv[1]), Path(sys.argv[2])
peers = Peers.meet(rank, 2, meet, torch.device("cpu"))
layer = torch.nn.Linear(3, 2)
for place in layer.parameters():
    place.grad = torch.full_like(place, float(rank + 1))
peers.average(layer)
print(peers.agreed(10.0 + rank, 5.0)[0], *{{float(p.grad.unique()) for p in layer.parameters()}})
peers.part()
"""


def test_processes_share_gradients_and_do_what_the_first_one_says(tmp_path: Path) -> None:
    """Of gradients 1 and 2 the mean is 1.5, for both; both hear 10, which the first said."""
    script = tmp_path / "peer.py"
    script.write_text(PEER.format(root=str(ROOT)), encoding="utf-8")
    command = [sys.executable, str(script)]
    peers: list[Any] = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meet")], stdout=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    said = [peer.communicate(timeout=120)[0].split() for peer in peers]
    assert said == [["10.0", "1.5"]] * 2


def test_a_stage_trains_on_a_bank_alone(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is rendered: a renderer that fails is never asked."""
    monkeypatch.setattr(rendered, "footage", lambda samples, compile_s=0.0: shapes())
    hand_over(trained, tmp_path / "farm")
    for scene in shapes().scenes:
        farm(tmp_path / "farm", scene, "--eager", "--bank", "8")

    def never(*given: Any) -> Any:
        raise AssertionError("rendered")

    footage = replace(shapes(), render=never)
    sizes = ((96, 64), (48, 32))
    banks = [Harvest(tmp_path / "farm", w, h, CPU) for w, h in sizes]
    plan = Plan(
        stage="dit", out=tmp_path / "out", resume=trained, steps=40, device="cpu", tiny=True, **SIZE
    )
    outcome = train(plan, footage, banks=banks)
    assert outcome.steps == 40
    assert outcome.last_loss < outcome.first_loss


@pytest.mark.parametrize("stage", ["vae", "dit"])
def test_a_farm_that_brings_nothing_ends_the_run(trained: Path, tmp_path: Path, stage: str) -> None:
    """With one error that names the folder, instead of waiting for ever."""
    folder = tmp_path / "farm"
    folder.mkdir()
    options: dict[str, Any] = {"banks": [Harvest(folder, 96, 64, CPU)]}
    if stage == "vae":
        shelf = Shelf(folder, shapes(), count=8, frames=12, **SIZE, device=CPU)
        options = {"clips": shelf}
    plan = Plan(
        stage=stage,
        out=tmp_path / "out",
        resume=trained,
        minutes=0.2,
        pool=8,
        device="cpu",
        tiny=True,
        **SIZE,
    )
    with pytest.raises(UsageError, match="farm: no clip came"):
        train(plan, shapes(), **options)
