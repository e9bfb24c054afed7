"""Rendering compiled in processes of its own, while another goes on: `neon_train.py run --warm`.

    neon_warm.py alley OUT/alley.json --size 512x288      one scene, into torch's caches on disk

A child compiles all of one scene, with no bound, and renders; so torch's caches then hold what the
parent needs, which looks at each function once (seconds) instead of compiling it (minutes). A child
ends with its parent, however that ended: its standard input is a pipe that closes then. A file
beside the caches says that they are full for this code, torch, device, size and scene, so that the
next call on the same machine begins compiled. `--keep` packs what torch put there into a file for
another machine of the kind; `--take` reads such a file first.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import lzma
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

NO_BOUND_S = 1e6
FRAMES, CLIPS = 40, 4
MOST_KEPT = 15_000_000
PIECE = "warm-{}.xz"
NICE = 10


class Warming:
    """Processes that compile, by name; none where nothing is to be done."""

    def __init__(self, commands: Mapping[str, Sequence[str]], folder: Path) -> None:
        """`commands` write what they came to as JSON into `folder`, as `<name>.json`."""
        self.folder, self.children = folder, dict[str, subprocess.Popen[bytes]]()
        self.failed: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for name, command in commands.items():
            try:
                with (folder / f"{name}.txt").open("wb") as log:
                    self.children[name] = subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
                    )
            except OSError as error:  # the call does its work without
                self.failed[name] = f"{type(error).__name__}: {error}"

    def running(self) -> list[str]:
        return [name for name, child in self.children.items() if child.poll() is None]

    def worked(self) -> bool:
        """Whether all did what they should: False while one is at it."""
        return not self.failed and all(child.poll() == 0 for child in self.children.values())

    def report(self) -> dict[str, Any]:
        """By name what was written, or how it ended and its last words, or that it runs."""
        found: dict[str, Any] = {name: {"failed": why} for name, why in self.failed.items()}
        for name, child in self.children.items():
            status = child.poll()
            if status is None:
                found[name] = {"running": True}
            elif status:
                said = (self.folder / f"{name}.txt").read_text("utf-8", errors="replace")
                found[name] = {"failed": f"exit status {status}", "said": said[-2000:]}
            else:
                with contextlib.suppress(OSError, ValueError):
                    found[name] = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        return found

    def stop(self) -> None:
        """End what still runs."""
        for child in self.children.values():
            assert child.stdin is not None
            with contextlib.suppress(OSError):
                child.stdin.close()
        for child in self.children.values():
            try:
                child.wait(3)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def changing(
    eager: Any, compiled: Any, warming: Warming, size: tuple[int, int], say: Callable[..., None]
) -> Any:
    """Footage that is rendered eagerly until all is warm, and compiled from then on at this size.
    Where compiling failed, or fails here, it stays eager. `say` is told of the change."""
    way = "eager"

    def render(condition: Any, times: Any, width: int, height: int) -> Any:
        nonlocal way
        given = condition, times, width, height
        if (width, height) != size or way == "never":
            return eager.render(*given)
        if way == "eager":
            if warming.running():
                return eager.render(*given)
            if not warming.worked():
                way = "never"
                say("RENDERING STAYS EAGER: compiling failed", warming=warming.report())
                return eager.render(*given)
        import torch

        began = time.monotonic()
        try:
            frames = compiled.render(*given)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # the same frames can be had without
            way = "never"
            why = f"{type(error).__name__}: {error}"[:2000]
            say("RENDERING STAYS EAGER: compiled it failed", rendering_compiled_failed=why)
            return eager.render(*given)
        if way == "eager":
            way = "compiled"
            say(
                f"rendering is compiled from here on, first pass {time.monotonic() - began:.1f} s",
                warming=warming.report(),
            )
        return frames

    return replace(eager, render=render, report=compiled.report)


def digest(scene: str, size: str, samples: int, device: str) -> str:
    """Of all that compiled functions depend on."""
    import torch

    known = hashlib.sha256()
    for path in sorted((ROOT / "generator" / "lab" / "train" / "scenes").glob("*.py")):
        known.update(path.read_bytes())
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    known.update(repr((scene, size, samples, name, torch.__version__)).encode())
    return known.hexdigest()[:16]


def mark(scene: str, size: str, samples: int, device: str) -> Path:
    """The file that says so, among torch's caches."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    return Path(cache_dir()) / f"neon-{digest(scene, size, samples, device)}"


def commands(
    scenes: Sequence[str],
    folder: Path,
    *,
    size: str,
    samples: int,
    device: str,
    keep: Path | None = None,
    take: Path | None = None,
) -> dict[str, list[str]]:
    """One for each scene that is not warm yet."""
    found = {}
    for scene in scenes:
        if mark(scene, size, samples, device).is_file():
            continue
        found[scene] = [sys.executable, str(Path(__file__).resolve()), scene]
        found[scene] += [str(folder / f"{scene}.json"), "--size", size]
        found[scene] += ["--samples", str(samples), "--device", device]
        if keep is not None:
            found[scene] += ["--keep", str(keep / PIECE.format(scene))]
        if take is not None and (take / PIECE.format(scene)).is_file():
            found[scene] += ["--take", str(take / PIECE.format(scene))]
    return found


def until_the_parent_ends() -> None:
    """Ends this process when its standard input closes."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def child_parser(about: str | None) -> argparse.ArgumentParser:
    """What every process that renders a scene for another is told."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scene")
    parser.add_argument("--size", default="512x288")
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--alone", action="store_true", help="standard input is no parent's pipe")
    return parser


def child_arguments(
    parser: argparse.ArgumentParser, given: Sequence[str] | None
) -> argparse.Namespace:
    """Read; from here on the process gives way to others, and ends with its parent."""
    arguments = parser.parse_args(given)
    if not arguments.alone:
        until_the_parent_ends()
    os.nice(NICE)
    return arguments


def main(given: Sequence[str] | None = None) -> int:
    parser = child_parser(__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--take", type=Path)
    arguments = child_arguments(parser, given)
    began = time.monotonic()
    import torch
    from torch._dynamo.utils import counters

    from generator.lab.train import rendered
    from generator.lab.train.data import times_of

    if arguments.take is not None:
        with contextlib.suppress(Exception):  # then it compiles
            torch.compiler.load_cache_artifacts(lzma.decompress(arguments.take.read_bytes()))
    footage = rendered.footage(arguments.samples, compile_s=NO_BOUND_S)
    device = torch.device(arguments.device)
    width, height = map(int, arguments.size.split("x"))
    drawn = footage.draw(torch.arange(64, device=device))
    of_scene = drawn.seeds[drawn.scene == footage.scenes.index(arguments.scene)]
    condition = footage.draw(of_scene[:CLIPS])
    times = times_of(condition, 0, arguments.frames)
    work = partial(footage.render, condition, times, width, height)
    passes = []
    for _ in range(2):
        start = time.monotonic()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        passes.append(time.monotonic() - start)
    report = footage.report()
    said: dict[str, Any] = {
        "seconds": round(time.monotonic() - began, 1),
        "first_pass_s": round(passes[0], 1),
        "frames_a_second": round(times.numel() / passes[1], 1),
        "compiled": report,
        "cache": {
            f"{place} {what}": count
            for place in ("inductor", "aot_autograd")
            for what, count in counters[place].items()
            if "cache" in what
        },
    }
    if arguments.keep is not None:
        found = torch.compiler.save_cache_artifacts()
        packed = lzma.compress(found[0], preset=3) if found else b""
        said["kept_bytes"] = len(packed)
        if 0 < len(packed) <= MOST_KEPT:
            written(arguments.keep, packed)
    written(arguments.out, json.dumps(said, indent=1).encode())
    if not any(place["eager"] for place in report):
        marked = mark(arguments.scene, arguments.size, arguments.samples, arguments.device)
        written(marked, b"")
    return 0


def written(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partly = path.with_name(f"{path.name}.partial")
    partly.write_bytes(data)
    partly.replace(path)


if __name__ == "__main__":
    sys.exit(main())
