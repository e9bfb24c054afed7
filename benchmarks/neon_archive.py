"""The default archive on one GPU, in one command: `python benchmarks/neon_archive.py make OUT`.

    make OUT                    28 clips of Neon and the rendered references, as OUT's few files
    make OUT --from FOLDER      the same, going on from what an earlier call brought back
    adopt FOLDER                what came back, as runs into content/
    curves RUN FIGURES ...      what `neon_train.py run --evaluate` measured, one file a size, as
                                tables of a run that pages draw charts from

`make` gives `generate` the orders benchmarks/neon/archive.toml and rendered.toml: every cell wiped,
warmed up, measured, encoded within the order's weight and recorded before the next begins. When its
minutes are over it ends with the cell at hand unmade; the same command goes on there, on the same
machine by itself. OUT then holds neon-archive.json (commands, exit codes, seconds, sha256 of the
pieces) and the runs as one tar, cut into pieces of at most 15 MB.

`adopt` takes whole archives only, and changes no run that stands. The same cells on two CPU cores
are `python -m generator generate --matrix benchmarks/neon/cpu.toml`, at any time.

On the GPU machine it needs torch, safetensors, numpy, click, rich, markdown, filelock, pyyaml and,
as wheels that may be carried there, pydantic, python-frontmatter, nh3, ffmpeg-python and
imageio-ffmpeg, with what these need. No network. `--rehearse` makes some cells on a CPU with a toy.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import shutil
import signal
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

from taken import taken  # noqa: E402

ORDERS = ROOT / "benchmarks" / "neon"
MADE = ("archive", "rendered")
PARTS = ("site.toml", "prompts", "pipelines", "machines")
"""Of content/: what `generate` reads."""
MOST_FILES, MOST_BYTES = 8, 15_000_000
MOST_CLIPS_BYTES = 24_000_000
INDEX, TAR = "neon-archive.json", "neon-archive.tar"
MARGIN_S = 20
"""For what follows the last cell: packing."""


def make(arguments: argparse.Namespace) -> int:
    """Exit code 0: all cells are there; 1: some failed; 130: the minutes were over before."""
    began = time.monotonic()
    out = Path(arguments.out)
    work = Path(arguments.work) / ("rehearsal" if arguments.rehearse else "archive")
    out.mkdir(parents=True, exist_ok=True)
    runs = prepared(work)
    if arguments.begun:
        for run in unpacked(Path(arguments.begun), runs):
            print(f"goes on from {run}", flush=True)
    told: dict[str, Any] = {"version": 1, **taken(), "weights": arguments.weights, "calls": []}
    for order in MADE:
        left = arguments.minutes * 60 - MARGIN_S - (time.monotonic() - began)
        command = asked(order, work, arguments)
        before = time.monotonic()
        code = generated(command, left, arguments.commit)
        seconds = round(time.monotonic() - before, 1)
        told["calls"].append({"command": command, "code": code, "seconds": seconds})
        print(f"{order}: exit code {code} after {seconds} s", flush=True)
        if code not in (0, 1):
            break
    codes = [call["code"] for call in told["calls"]]
    told["complete"] = len(codes) == len(MADE) and not any(codes)
    told["runs"] = {run.name: summary(run) for run in sorted(runs.iterdir())}
    packed(runs, out, told)
    print(json.dumps(told["runs"]), flush=True)
    return next((code for code in codes if code), 0)


def prepared(work: Path) -> Path:
    """A project to generate in, with what was made in it before; its runs."""
    content = work / "content"
    for name in PARTS:
        source, target = ROOT / "content" / name, content / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    (content / "runs").mkdir(exist_ok=True)
    return content / "runs"


def asked(order: str, work: Path, arguments: argparse.Namespace) -> list[str]:
    """What `generate` is told."""
    command = ["generate", "--root", str(work), "--matrix", str(ORDERS / f"{order}.toml")]
    network = order == "archive"
    if arguments.rehearse:
        command += ["--run", f"rehearsal-{order}", "--machine", "own-computer", "--device", "cpu"]
        command += ["--size", "48x32", "--prompt", "cyberpunk-detective", "--seconds", "2"]
        command += ["--repeats", "1"]
        toy = ["--weights", "random", "--tiny", "--keep-noise", "--dtype", "float32"]
        return [*command, *toy, "--steps", "2", "--steps", "3"] if network else command
    for size in arguments.sizes:
        command += ["--size", size]
    if network:
        command += ["--weights", str(Path(arguments.weights).resolve())]
    if network and arguments.compile:
        command += ["--compile", arguments.compile]
    return command


def generated(command: Sequence[str], seconds: float, commit: str) -> int:
    """Exit code of the command, interrupted when the seconds are over.

    `commit` goes into the record where there is no git to ask."""
    from generator import cli
    from generator.lab import clock

    if seconds < 1:
        return 130
    found = clock.software
    if commit and not taken()["commit"]:
        clock.software = lambda root=None: {**found(root), "Matrix Archive": f"commit {commit}"}
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return cli.main(list(command))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        clock.software = found


def summary(run: Path) -> dict[str, int]:
    clips = [path.stat().st_size for path in run.glob("media/*.mp4")]
    cells = len(list(run.glob("cells/*.json")))
    return {"cells": cells, "clips": len(clips), "bytes": sum(clips)}


def packed(runs: Path, out: Path, told: dict[str, Any]) -> None:
    """One tar of all runs, in pieces, and the index that names them."""
    for old in out.glob(f"{TAR}.*"):
        old.unlink()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for run in sorted(runs.iterdir()):
            tar.add(run, run.name)
    data, pieces = whole.getvalue(), {}
    for i, at in enumerate(range(0, len(data), MOST_BYTES)):
        piece = data[at : at + MOST_BYTES]
        (out / f"{TAR}.{i}").write_bytes(piece)
        pieces[f"{TAR}.{i}"] = hashlib.sha256(piece).hexdigest()
    if len(pieces) >= MOST_FILES:
        raise SystemExit(f"{len(data)} bytes are more than {MOST_FILES - 1} pieces hold")
    (out / INDEX).write_text(json.dumps({**told, "pieces": pieces}, indent=1) + "\n", "utf-8")


def unpacked(folder: Path, runs: Path) -> list[str]:
    """The runs of a folder's pieces, each into `runs` in one step. None may stand there."""
    told = json.loads((folder / INDEX).read_text("utf-8"))
    data = b""
    for name, digest in told["pieces"].items():
        piece = (folder / name).read_bytes()
        if hashlib.sha256(piece).hexdigest() != digest:
            raise SystemExit(f"{folder / name}: is not what {INDEX} says; copy it again")
        data += piece
    with tempfile.TemporaryDirectory(prefix=".archive-", dir=runs.parent) as scratch:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            tar.extractall(scratch, filter="data")
        found = sorted(Path(scratch).iterdir())
        for run in found:
            if (runs / run.name).exists():
                raise SystemExit(
                    f"{runs / run.name}: stands there, and runs are never changed; "
                    "take it away first if it is to be another"
                )
        for run in found:
            run.rename(runs / run.name)
        return [run.name for run in found]


def adopt(arguments: argparse.Namespace) -> int:
    folder, content = Path(arguments.folder), Path(arguments.content)
    told = json.loads((folder / INDEX).read_text("utf-8"))
    if not told["complete"]:
        raise SystemExit(f"{folder}: not complete; `make OUT --from {folder}` goes on with it")
    for run in unpacked(folder, content / "runs"):
        print(content / "runs" / run, json.dumps(told["runs"][run]))
    heaviest = max(run["bytes"] for run in told["runs"].values())
    if heaviest > MOST_CLIPS_BYTES:
        print(f"{heaviest} bytes of clips are more than {MOST_CLIPS_BYTES}", file=sys.stderr)
        return 1
    print("python -m generator check   # holds every clip against what its run says")
    return 0


MEASURES = {
    "frechet": ("frechet", ("64",)),
    "attribute-error": ("attribute_error", ("64", "rendered")),
    "sharpness": ("sharpness_to_rendered", ("64", "reconstructed")),
    "distance": ("rms_to_64_steps", ()),
    "warp-error": ("warp_error", ("64", "rendered")),
}
"""Table -> what is measured, and the rows of the evaluation that stand beside it at one height."""
DRIFT = {"drift-frechet": "frechet", "drift-attributes": "attribute_error"}
BESIDE = {"64": "64 steps", "rendered": "rendered", "reconstructed": "reconstructed"}
FIGURES = 4
"""Digits."""
EVALUATION = re.compile(r"evaluation( at [0-9]+x[0-9]+)?")
"""Where `neon_train.py` and the files of benchmarks/results have them."""


def curves(arguments: argparse.Namespace) -> int:
    """Tables of the run: measures by steps, and by quarters of 20 s, with their intervals."""
    from generator.catalogue.tables import FOLDER

    files = [json.loads(Path(one).read_text("utf-8")) for one in arguments.figures]
    found = [told for one in files for key, told in one.items() if EVALUATION.fullmatch(key)]
    folder = Path(arguments.run) / FOLDER
    folder.mkdir(exist_ok=True)
    for name, (measure, beside) in MEASURES.items():
        lines = {}
        for each in found:
            by_steps = each["by_steps"]
            rows = {int(key): row[measure] for key, row in by_steps.items() if key.isdecimal()}
            lines[each["size"]] = {steps: row for steps, row in rows.items() if steps < 64}
        for each in found:  # behind all sizes, so that these look alike in every chart
            for other in beside:
                level = {"value": each["by_steps"][other][measure]["value"]}
                title = f"{BESIDE[other]} at {each['size']}"
                lines[title] = dict.fromkeys(lines[each["size"]], level)
        tabled(folder / f"{name}.csv", "steps", lines)
    for name, measure in DRIFT.items():
        quarters = {
            each["size"]: {row["to_s"]: row[measure] for row in each["drift"]["quarters"]}
            for each in found
            if "drift" in each
        }
        tabled(folder / f"{name}.csv", "seconds", quarters)
    return 0


def tabled(path: Path, place: str, lines: dict[str, dict[Any, dict[str, float]]]) -> None:
    """A table of generator/catalogue/tables.py: `lines` by name, their points by place."""
    from generator.catalogue.tables import HIGH, LOW

    ends = {"value": "", "low": LOW, "high": HIGH}
    header, columns = [place], []
    for name, points in lines.items():
        keys = [key for key in ends if key in next(iter(points.values()))]
        header += [name + ends[key] for key in keys]
        columns += [(points, key) for key in keys]
    rows = [header]
    for at in sorted({at for points in lines.values() for at in points}):
        cells = [
            f"{points[at][key]:.{FIGURES}g}" if at in points else "" for points, key in columns
        ]
        rows.append([f"{at:g}", *cells])
    path.write_text("".join(f"{','.join(row)}\n" for row in rows), "utf-8")
    print(path)


def parsed(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("make", help="on a GPU: generate, measure, pack")
    one.add_argument("out", help="folder for what is to be copied back")
    one.add_argument("--weights", default=str(ROOT / "weights" / "neon"))
    one.add_argument("--minutes", type=float, default=9.5)
    one.add_argument("--from", dest="begun", default="", help="what an earlier call brought back")
    one.add_argument("--size", dest="sizes", action="append", default=[], metavar="WxH",
                     help="in place of the orders' sizes; may be repeated")  # fmt: skip
    one.add_argument("--compile", default="", help="of Neon: none, fused or graphs")
    one.add_argument("--commit", default="", help="of this code, where git is not at hand")
    one.add_argument("--work", default=str(ROOT / ".cache" / "neon-archive"),
                     help="where runs are made and kept from call to call")  # fmt: skip
    one.add_argument("--rehearse", action="store_true", help="a cell or two on a CPU with a toy")
    one.set_defaults(call=make)
    one = commands.add_parser("adopt", help="put what came back into content/")
    one.add_argument("folder")
    one.add_argument("--content", default=str(ROOT / "content"))
    one.set_defaults(call=adopt)
    one = commands.add_parser("curves", help="tables for the charts of pages")
    one.add_argument("run", help="its folder under content/runs")
    one.add_argument("figures", nargs="+", help="figures.json of a run with --evaluate")
    one.set_defaults(call=curves)
    return parser.parse_args(given)


if __name__ == "__main__":
    chosen = parsed()
    sys.exit(chosen.call(chosen))
