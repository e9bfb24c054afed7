"""Where torch is not installed: what needs it says how to get it, and everything else works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
BLOCKED = (
    "import sys\n"
    "blocked = ('torch', 'diffusers', 'transformers', 'safetensors')\n"
    "sys.modules.update(dict.fromkeys(blocked))\n"
    "from generator.cli import main\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def test_generating_says_how_to_install_what_it_needs(tmp_path: Path) -> None:
    done = command(
        *("generate", "--root", str(SAMPLE), "--weights", "random", "--size", "512x288"),
        "--prove-wipe",
    )
    assert done.returncode == 2
    assert "needs torch, which is not installed" in done.stderr
    assert "pip install -e '.[lab]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_needs_no_torch() -> None:
    """Tokens and work of a chunk at 512x288 and 4 steps: five passes of 7.24 TFLOP."""
    done = command(
        *("generate", "--root", str(SAMPLE), "--size", "512x288", "--steps", "4", "--dry-run"),
    )
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "512x288" in line).split()
    assert row[:6] == ["lighthouse-512x288-4", "1728", "8640", "27", "36.2", "15.0"]


def test_a_dry_run_counts_sparse_memory() -> None:
    """The same cell attends to 12 frames of 576 tokens in place of 15: 5 x 6.69 TFLOP."""
    done = command(
        *("generate", "--root", str(SAMPLE), "--size", "512x288", "--steps", "4", "--dry-run"),
        "--sparse-memory",
    )
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "512x288" in line).split()
    assert row[:6] == ["lighthouse-512x288-4", "1728", "6912", "27", "33.4", "15.0"]


def test_help_and_mistakes_need_no_torch() -> None:
    assert "--prove-wipe" in command("generate", "--help").stdout
    done = command("generate", "--root", str(SAMPLE), "--size", "850x480", "--dry-run")
    assert done.returncode == 2
    assert "--size 850x480: does not divide by 16 on both sides; write such as 848x480" in (
        done.stderr
    )
