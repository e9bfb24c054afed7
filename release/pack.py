"""Wheel and source archive, the same bytes from the same commit: `python release/pack.py DIR`.

What git tracks is packed, as it stands in the checkout, and nothing else that lies about. The
source archive gets one time for all (SOURCE_DATE_EPOCH, else the last commit's), no owner and
plain modes, whatever the umask; the wheel is made from that archive. Another setuptools or zlib
may write other bytes: requirements-dev.lock names the one, Python brings the other.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def pack(target: Path) -> tuple[Path, Path]:
    """Write both into `target` and return their paths: source archive, wheel."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        for name in filter(None, _git("ls-files", "-z").split("\0")):
            copy = tree / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, copy)
        _uv_build("--sdist", tree, Path(scratch) / "made", moment)
        (made,) = (Path(scratch) / "made").glob("*.tar.gz")
        archive = target / made.name
        level(made, archive, moment)
        _uv_build("--wheel", archive, target, moment)
    return archive, target / f"{archive.name.removesuffix('.tar.gz')}-py3-none-any.whl"


def level(made: Path, target: Path, moment: int) -> None:
    """Copy a .tar.gz with its entries in order, of one time, owned by nobody in particular."""
    with (
        tarfile.open(made) as old,
        target.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=moment) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for entry in sorted(old.getmembers(), key=lambda entry: entry.name):
            entry.mtime, entry.pax_headers = moment, {}
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o755 if entry.isdir() else 0o644
            new.addfile(entry, old.extractfile(entry) if entry.isfile() else None)


def _uv_build(what: str, source: Path, target: Path, moment: int) -> None:
    uv = (sys.executable, "-m", "uv", "build", "--quiet", "--offline", "--no-config", "--no-cache")
    subprocess.run(
        [*uv, "--no-build-isolation", "--python", sys.executable, what, "-o", target, source],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(moment)},
        umask=0o022,
        check=True,
    )


def _git(*arguments: str) -> str:
    return subprocess.run(
        ("git", *arguments), cwd=REPOSITORY, check=True, capture_output=True, encoding="utf-8"
    ).stdout


def main() -> int:
    (target,) = sys.argv[1:] or ("dist",)
    for path in pack(Path(target)):
        sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.1f} MB\n")
    if changed := _git("status", "--porcelain").splitlines():
        sys.stderr.write(f"{len(changed)} files differ from the last commit; commit them first\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
