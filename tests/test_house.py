"""The house's rules, held by reading the code: who imports whom, and what a build loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "generator"

OWN = {
    "errors": set(),
    "records": set(),
    "intake": set(),
    "kept": set(),
    "project": {"errors", "intake"},
    "catalogue": {"errors", "records", "intake", "project"},
    "clips": {"errors", "records", "intake", "kept", "project"},
    "measure": {"errors", "records", "clips"},
    "charts": {"errors", "records", "measure"},
    "pages": {"errors", "records", "kept", "charts", "measure"},
    "publish": {"errors", "intake", "kept", "project", "pages"},
    "lab": {"errors", "records", "intake", "kept", "clips", "measure"},
    "new": {"errors", "project"},
    "answer": {"errors", "records"},
    "logbook": {"errors", "clips", "answer"},
    "again": {"errors", "project", "publish"},
    "build": {
        *("again", "errors", "records", "project", "catalogue"),
        *("clips", "measure", "charts", "pages", "publish"),
    },
}
THIRD_PARTY = {
    "errors": set(),
    "records": set(),
    "intake": set(),
    "kept": set(),
    "project": set(),
    "catalogue": {"markdown", "nh3", "frontmatter", "yaml", "pydantic", "pydantic_core"},
    "clips": {"filelock", "ffmpeg", "imageio_ffmpeg", "av", "numpy", "httpx"},
    "measure": {"numpy"},
    "charts": {"plotly"},
    "pages": {"jinja2", "markupsafe"},
    "publish": {"starlette", "uvicorn", "watchfiles", "httpx", "pydantic", "filelock"},
    "lab": {"torch", "triton", "diffusers", "transformers", "safetensors", "numpy"},
    "new": set(),
    "answer": set(),
    "logbook": set(),
    "again": set(),
    "build": set(),
    "cli": {"click", "rich"},
}
FOR_THE_COMMAND_LINE = ("print", "exit", "quit", "sys.exit", "os._exit", "sys.stdout.write")
HEAVY = ("torch", "cv2", "scipy", "diffusers")


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name"
            if node.module == "generator":
                yield from ((node.lineno, f"generator.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module or ""


def modules() -> list[Path]:
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if room(path) not in ("__init__", "__main__", "starter")
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_its_neighbours(path: Path) -> None:
    here = room(path)
    wrong = []
    for line, name in imports(path):
        top = name.split(".")[0]
        if top == "generator":
            other = name.split(".")[1]
            if other != here and here != "cli" and other not in OWN[here]:
                wrong.append(f"line {line}: {here} may not import {name}")
        elif top not in sys.stdlib_module_names and top not in THIRD_PARTY[here]:
            wrong.append(f"line {line}: {here} may not import {name}")
    assert wrong == []


PROGRAMS = {"reference.py": ("sys.stdout.write",), "demux.py": ("sys.exit", "os._exit")}
"""What is run as a program of its own may do as a program does."""


def test_only_the_command_line_prints_or_exits() -> None:
    """`print`, `sys.exit` and catching everything belong to cli.py alone."""
    for path in modules():
        if room(path) == "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in PROGRAMS.get(path.name, ()):
                    continue
                assert called not in FOR_THE_COMMAND_LINE, f"{path}:{node.lineno}"
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{path}:{node.lineno}: bare except"


def test_building_loads_nothing_heavy() -> None:
    """A subprocess imports all that a build needs; no torch, OpenCV or SciPy comes with it."""
    code = (
        "import sys, generator.build, generator.cli; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_help_loads_no_room() -> None:
    """Each command imports what it needs when it runs, so --help is quick."""
    code = (
        "import sys; from generator.cli import main; main(['--help']); "
        "loaded = [n for n in sys.modules if n.split('.')[0] in "
        "('plotly', 'jinja2', 'av', 'numpy', 'pydantic')]; "
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=120)
