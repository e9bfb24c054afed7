"""Clips of one scene, rendered on a GPU of their own while another trains: `neon_train.py --farm`.

    neon_farm.py alley FOLDER --device cuda:1 --first               until the next one is compiled
    neon_farm.py alley FOLDER --device cuda:1 --size 512x288        compiled whole, with no bound

The first kind renders eagerly, clips that training can begin with. The second compiles all of its
scene, then renders until FOLDER/stop stands there: a clip's first chunk goes to FOLDER as a file
(`clips-*`) until FOLDER/enough stands there, and all of it stays on the GPU until FOLDER/vae holds
a trained VAE. Then clips are encoded, at this size and at half of it, and written as `bank-*`,
those that come afterwards too; where FOLDER/vae stands there from the beginning, that is all, but
for as many clips as --shelve says. A farm ends with its parent, as its standard input does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

from neon_children import until_the_parent_ends, written  # noqa: E402

NO_BOUND_S = 1e6
"""Seconds for compiling, where it may take what it takes."""
NICE = 10
FIRST_SEED, COMPILED_SEED = 0, 1_000_000
CLIPS = 4
BANK_CLIPS = 64
FIRST_CLIPS = 160
"""That are rendered eagerly: more would cost who trains on the same GPU more than they bring."""
FIRST_BANK = 16
VAE, STOP = "vae", "stop"


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scene")
    parser.add_argument("--size", default="512x288")
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--alone", action="store_true", help="standard input is no parent's pipe")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", action="store_true", help="eager, until another is compiled")
    parser.add_argument("--eager", action="store_true", help="never compiled, for a rehearsal")
    parser.add_argument("--most", type=int, default=2600, help="clips that wait for the VAE")
    parser.add_argument("--bank", type=int, default=10**9, help="clips to encode at most")
    parser.add_argument("--shelve", type=int, default=0, help="clips to leave beside a VAE as well")
    parser.add_argument("--seed", type=int, default=0, help="footage begins at 10 million times it")
    arguments = parser.parse_args(given)
    if not arguments.alone:
        until_the_parent_ends()
    os.nice(NICE)  # it gives way to who trains
    return Farm(arguments).run()


class Farm:
    """A scene's renderer and what it has rendered."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        import torch

        from generator.lab.train import rendered
        from generator.lab.train.data import Segments

        self.given, self.folder, self.scene = arguments, arguments.folder, arguments.scene
        self.kind = "first" if arguments.first else "whole"
        self.device = torch.device(arguments.device)
        self.width, self.height = map(int, arguments.size.split("x"))
        bound = 0.0 if arguments.first or arguments.eager else NO_BOUND_S
        self.footage = rendered.footage(arguments.samples, compile_s=bound)
        self.cut = Segments()
        self.held: list[dict[str, Any]] = []
        self.ready: list[dict[str, Any]] = []
        self.said: dict[str, Any] = {"scene": self.scene, "rendered": 0, "encoded": 0, "files": 0}
        self.began = time.monotonic()

    def stands(self, name: str) -> bool:
        return (self.folder / name).exists()

    def run(self) -> int:
        import torch

        with torch.inference_mode():
            return self.first() if self.given.first else self.whole()

    def conditions(self, first: int) -> Iterator[Any]:
        """`CLIPS` clips of this scene at a time, by rising seed."""
        import torch

        place = self.footage.scenes.index(self.scene)
        begin, found = 10_000_000 * self.given.seed + first, torch.zeros(0, dtype=torch.long)
        while True:
            drawn = self.footage.draw(torch.arange(begin, begin + 32, device=self.device))
            begin += 32
            found = torch.cat([found.to(self.device), drawn.seeds[drawn.scene == place]])
            while len(found) >= CLIPS:
                yield self.footage.draw(found[:CLIPS])
                found = found[CLIPS:]

    def rendered(self, condition: Any, times: Any) -> Any:
        import torch

        frames = self.footage.render(condition, times, self.width, self.height)
        self.said["rendered"] += frames.shape[0] * frames.shape[1]
        return (frames * 255).round().to(torch.uint8)

    def shelve(self, condition: Any, pixels: Any) -> None:
        """The first chunk of clips, for a trainer's pool."""
        data = {"pixels": pixels, "scene": condition.scene, "values": condition.values.float()}
        self.save(data, f"clips-{self.scene}-{self.kind}-{self.said['files']:05d}")
        self.said["files"] += 1

    def save(self, data: dict[str, Any], name: str) -> None:
        from safetensors.torch import save

        written(
            self.folder / f"{name}.safetensors",
            save({key: value.contiguous().cpu() for key, value in data.items()}),
        )

    def first(self) -> int:
        """Eager rendering until the other process is compiled: whole clips where there is a VAE to
        encode them with, their first chunks for a trainer's pool where there is none."""
        from generator.lab.train.data import ENOUGH, times_of

        vae = self.encode_held() if self.stands(VAE) else None
        ends = (f"compiled-{self.scene}", STOP, *([ENOUGH] if vae is None else []))
        for condition in self.conditions(FIRST_SEED):
            if any(map(self.stands, ends)) or CLIPS * self.said["files"] >= FIRST_CLIPS:
                break
            if vae is None:
                pixels = self.rendered(condition, times_of(condition, 0, self.cut.chunk_frames))
                self.shelve(condition, pixels)
            else:
                self.encode(vae, self.clip(condition))
                if CLIPS * len(self.ready) >= FIRST_BANK:
                    self.write_bank()
        self.write_bank()
        self.tell()
        return 0

    def whole(self) -> int:
        from generator.lab.train.data import ENOUGH

        vae = self.encode_held() if self.stands(VAE) else None
        shelved = 10**9 if vae is None else self.given.shelve
        for condition in self.conditions(COMPILED_SEED):
            if self.stands(STOP) or self.said["encoded"] >= self.given.bank:
                break
            if vae is None and self.stands(VAE):
                vae = self.encode_held()
            if vae is None and CLIPS * len(self.held) >= self.given.most:
                time.sleep(0.5)
                continue
            clip = self.clip(condition)
            if not self.stands(f"compiled-{self.scene}"):
                self.said["first_pass_s"] = self.seconds()
                written(self.folder / f"compiled-{self.scene}", b"")
            if CLIPS * self.said["files"] < shelved and not self.stands(ENOUGH):
                self.shelve(condition, clip["pixels"][:, : self.cut.chunk_frames])
            if vae is None:
                self.held.append(clip)
            else:
                self.encode(vae, clip)
            self.tell()
        if vae is None and self.stands(VAE):
            self.encode_held()
        self.write_bank()
        self.tell()
        return 0

    def clip(self, condition: Any) -> dict[str, Any]:
        """Whole clips, as the transformer's are cut."""
        begins = self.cut.begins(condition)
        pixels = self.rendered(condition, self.cut.times(condition, begins))
        return {"condition": condition, "begins": begins, "pixels": pixels}

    def encode_held(self) -> Any:
        """The trained VAE, which has encoded all clips that waited for it."""
        from generator.lab.models import neon_weights
        from generator.lab.models.neon_vae import NeonVAE

        folder = self.folder / VAE
        config, state, _ = neon_weights.load(folder)
        vae = NeonVAE(config.vae)
        neon_weights.fill(vae, "vae", state, folder)
        vae.to(self.device).eval().requires_grad_(False)
        began = time.monotonic()
        while self.held:
            self.encode(vae, self.held.pop())
        self.said["encoding_s"] = round(time.monotonic() - began, 1)
        return vae

    def encode(self, vae: Any, clip: dict[str, Any]) -> None:
        import torch

        from generator.lab.train.data import half_size

        large = clip["pixels"].float() / 255
        entry = {
            "starts": self.cut.starts(clip["begins"]),
            "scene": clip["condition"].scene,
            "values": clip["condition"].values.float(),
        }
        for video in (large, half_size(large)):
            height, width = video.shape[-2:]
            if width % 16 or height % 16:
                continue
            cuda = self.device.type == "cuda"
            with torch.autocast(self.device.type, torch.bfloat16, enabled=cuda):
                latents = self.cut.encoded(vae, video)
            entry[f"x-{width}x{height}"] = latents.to(torch.float16)
        self.ready.append(entry)
        self.said["encoded"] += len(large)
        if CLIPS * len(self.ready) >= BANK_CLIPS:
            self.write_bank()

    def write_bank(self) -> None:
        import torch

        if self.ready:
            data = {name: torch.cat([one[name] for one in self.ready]) for name in self.ready[0]}
            self.save(data, f"bank-{self.scene}-{self.kind}-{self.said['encoded']:06d}")
            self.ready = []

    def tell(self) -> None:
        said = {**self.said, "compiled": self.footage.report(), "seconds": self.seconds()}
        written(self.folder / f"{self.scene}-{self.kind}.json", json.dumps(said).encode())

    def seconds(self) -> float:
        return round(time.monotonic() - self.began, 1)


if __name__ == "__main__":
    sys.exit(main())
