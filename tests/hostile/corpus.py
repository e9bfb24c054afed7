"""Write the hostile inputs as projects, to try them by hand: `python tests/hostile/corpus.py DIR`.

Each becomes DIR/<kind>-<name>/, a copy of tests/sample with that one thing spoilt. The module
`INPUTS` names all of them for the tests; none is kept in the repository.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hostile import addresses, paths, tables, text
from hostile.ended import Hostile

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
INPUTS: dict[str, Hostile] = {
    f"{kind}-{name}": hostile
    for kind, inputs in (
        ("table", tables.INPUTS),
        ("text", text.REFUSED),
        ("path", paths.INPUTS),
        ("address", addresses.INPUTS),
    )
    for name, hostile in inputs.items()
}


def main() -> int:
    folder = Path(sys.argv[1])
    everything = {**INPUTS, "text-harmless": Hostile(make=text.harmless, code=0)}
    for name, hostile in everything.items():
        root = folder / name / "sample"
        shutil.copytree(SAMPLE, root)
        hostile.make(root)
        command = " ".join(hostile.command)
        print(f"{root}: python -m generator {command} ends with {hostile.code} {hostile.says}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
