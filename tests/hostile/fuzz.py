"""Coverage-guided fuzzing of everything that reads what people write.

    pip install atheris          (not among the development dependencies)
    python tests/hostile/fuzz.py --seconds 600 [--corpus DIR] [--finds DIR]

Mutates the files of tests/sample/content, one at a time, and reads the whole project with each;
tables go through `ingest`'s reader, too. Reading must give records or complaints, each with a
file, a problem and a remedy; anything else is a find. Finds are kept in --finds, one for each
place in the code that raised; inputs that take longer than 10 s or 1 GiB end the run and are kept
there as well. A find becomes a file of tests/hostile/finds/, which test_finds.py reads.

The first byte of an input chooses its file (see `TARGETS`), the rest is the file's bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.errors import Complaint

SAMPLE = Path(__file__).resolve().parents[1] / "sample" / "content"
TARGETS = (
    "site.toml",
    "prompts/lighthouse.md",
    "pages/protocol.md",
    "pipelines/sample-model.toml",
    "machines/sample-gpu.toml",
    "runs/elsewhere/run.toml",
    "runs/elsewhere/clips.csv",
    "table.csv",
)
"""What an input is, by its first byte modulo their number; table.csv is one to be ingested."""
WORDS = (
    *("---\n", "title: ", "text: ", "[[series]]\n", "[[claims]]\n", "kind = ", "label = "),
    *(
        '"\\ud800"',
        "!!int",
        "!!float",
        "&a",
        "*a",
        "<<: ",
        "1e308",
        "nan",
        "inf",
        "-1",
        "9999-12-31",
    ),
    *("'''", '"""', "\ufeff", "\r\n", "\u2028", "\u202e", "\x00", "<script>", "![", "](", "[^1]:"),
    *("id,", "x-", "sha256,", "sep=;\n", "{{", "{%", "&#x202e;", "javascript:", "\\U0010ffff"),
)


def read(data: bytes, root: Path) -> None:
    """Read the project in `root` with one file replaced; raises what must not be raised."""
    from generator.catalogue import load
    from generator.clips.table import read_table
    from generator.errors import ContentError
    from generator.project import Project

    name = TARGETS[data[0] % len(TARGETS)] if data else TARGETS[0]
    if name == "table.csv":
        path = root / name
        path.write_bytes(data[1:])
        try:
            table, complaints = read_table(path, name)
        except ContentError as error:  # no table at all
            _check(error.complaints, name)
            return
        _check(complaints, name)
        for row in table.rows:
            str(row).encode()
        return
    path = root / "content" / name
    whole = path.read_bytes()
    path.write_bytes(data[1:])
    try:
        catalogue = load(Project(root=root))
    except ContentError as error:
        _check(error.complaints, "content/")
    else:
        for text in (*(p.html for p in catalogue.prompts), *(p.html for p in catalogue.pages)):
            text.encode()
            assert "<script" not in text.lower()
        str(catalogue).encode()
    finally:
        path.write_bytes(whole)


def _check(complaints: Sequence[Complaint], start: str) -> None:
    for one in complaints:
        assert one.where.startswith(start), one
        assert one.problem, one
        assert one.remedy, one
        str(one).encode()
        assert str(one).isprintable(), one
        assert len(str(one)) < 2000, one


def seeds() -> list[bytes]:
    """The sample's own files, as inputs."""
    found = [bytes([i]) + (SAMPLE / name).read_bytes() for i, name in enumerate(TARGETS[:-1])]
    return [*found, bytes([7]) + b"file,fps,steps,size\na.webm,49.3,2,848x480\nb.webm,1,2/2,1x1\n"]


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the readers of content.")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--finds", type=Path, default=Path("finds"))
    given = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.stderr.write("no atheris here: pip install atheris\n")
        return 2
    with atheris.instrument_imports(include=["generator", "frontmatter", "markdown", "tomllib"]):
        import generator.catalogue
        import generator.clips.table  # noqa: F401
    root = Path(tempfile.mkdtemp(prefix="fuzz-"))
    shutil.copytree(SAMPLE, root / "content")
    given.finds.mkdir(parents=True, exist_ok=True)
    corpus = given.corpus or root / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    words = root / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))

    def one(data: bytes) -> None:
        try:
            read(data, root)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            name = f"{type(error).__name__}-{Path(where.filename).stem}-{where.lineno}"
            if not (given.finds / name).exists():
                (given.finds / name).write_bytes(data)
                (given.finds / f"{name}.txt").write_text(traceback.format_exc(), errors="replace")

    options = {
        "max_total_time": given.seconds,
        "timeout": 10,
        "rss_limit_mb": 1024,
        "max_len": 8192,
        "len_control": 0,
        "keep_seed": 1,
        "dict": words,
        "artifact_prefix": f"{given.finds}/",
        "print_final_stats": 1,
    }
    arguments = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items())]
    atheris.Setup([*arguments, str(corpus)], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
