"""Builds on a disk of their own, small or read-only: a tmpfs in a namespace that ends with it.

Run by `on_small_disk` as a program of its own; what it prints is one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from publishing import tree

HERE = Path(__file__).resolve().parent
SIZE_KB = 24_000


def _why_not() -> str:
    try:
        tried = subprocess.run(
            ("unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"),
            capture_output=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "needs `unshare` of util-linux"
    return "" if tried.returncode == 0 else "needs a system that lets a user mount a tmpfs"


WHY_NOT = _why_not() if os.environ.get("SMALL_DISK") is None else ""
"""Why no such disk can be had here; "" where it can."""


def on_small_disk(folder: Path, fault: str, spare_kb: int) -> dict[str, Any]:
    """Build over a published site while the disk has the `fault`, then without it."""
    program = (sys.executable, str(Path(__file__).resolve()))
    ran = subprocess.run(
        ("unshare", "--map-root-user", "--mount", *program, str(folder), fault, str(spare_kb)),
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "SMALL_DISK": "1", "PYTHONPATH": str(HERE.parent)},
    )
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def build(root: Path, *options: str) -> tuple[int, list[str]]:
    ran = subprocess.run(
        (sys.executable, "-m", "generator", "build", "--root", str(root), *options),
        capture_output=True,
        text=True,
    )
    return ran.returncode, [line for line in ran.stderr.splitlines() if line.strip()]


def mount(*arguments: str) -> None:
    subprocess.run(("mount", *arguments), check=True)


def main(folder: str, fault: str, spare_kb: str) -> None:
    root = Path(folder) / "disk"
    root.mkdir()
    mount("-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(root))
    shutil.copytree(HERE / "sample", root, dirs_exist_ok=True)
    if fault == "full-at-first":
        pass
    elif fault == "read-only-site":
        (root / "site").mkdir()
        mount("-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(root / "site"))
    else:
        code, said = build(root)
        assert code == 0, said
    before = tree(root / "site")
    if fault.startswith("full"):
        free = shutil.disk_usage(root).free - int(spare_kb) * 1024
        (root / "filler").write_bytes(b"\0" * max(0, free))
    elif fault == "read-only-project":
        mount("-o", "remount,ro", str(root))
    elif fault == "bound-site":
        mount("--bind", str(root / "site"), str(root / "site"))
    else:
        mount("-o", "remount,ro", str(root / "site"))
    if fault == "bound-site":
        (root / "static").mkdir()
        (root / "static" / "own.css").write_text("p { color: red }")
    code, said = build(root, "--verify")
    answer: dict[str, Any] = {
        "exit_code": code,
        "said": said,
        "same": tree(root / "site") == before,
        "beside": sorted(path.name for path in root.iterdir()),
    }
    if fault == "bound-site":
        mount("--make-rprivate", str(root / "site"))
        subprocess.run(("umount", str(root / "site")), check=True)
        answer["next_exit_code"], answer["next_said"] = build(root, "--verify")
    if fault.startswith("full"):
        (root / "filler").unlink()
        answer["next_exit_code"], answer["next_said"] = build(root, "--verify")
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
