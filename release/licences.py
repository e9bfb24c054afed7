"""The licence report, docs/licences.md: `python release/licences.py > docs/licences.md`.

What is installed says its own licence; requirements.lock says which versions these are. Nothing
depends on the machine, so the same lock gives the same report. Exit code 1, with every reason,
when a licence is not found or not among those allowed.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent

ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT"),
        *("MPL-2.0", "OFL-1.1", "PSF-2.0", "Zlib"),
    }
)
"""What a dependency, font or script may be under: all let a site and its maker be under any other
licence. ("BSD" is what some packages say without saying which; their texts do.)"""

CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}

ELSEWHERE: dict[str, str] = {}
"""Licences of locked packages that are not installed everywhere, looked up by hand."""

USE = {
    "av": "what is in a clip's file: packets, timestamps, codec",
    "click": "the command line",
    "ffmpeg-python": "writes ffmpeg's command lines",
    "filelock": "one builder, one downloader at a time",
    "httpx": "downloads clips (`fetch`)",
    "imageio-ffmpeg": "brings the ffmpeg program",
    "jinja2": "pages from templates",
    "markdown": "prose to HTML",
    "markupsafe": "escapes what people wrote",
    "nh3": "keeps scripts out of prose",
    "numpy": "pixels and fitted lines",
    "plotly": "charts",
    "pydantic": "checks what people wrote",
    "python-frontmatter": "the head of Markdown files",
    "rich": "progress and tables at a terminal",
    "starlette": "serves a built site",
    "uvicorn": "serves a built site",
    "watchfiles": "tells `serve` what has changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendored:
    """Somebody else's file in static/; a changed one has another hash, and needs a new entry."""

    path: str
    sha256: str
    name: str
    version: str
    licence: str
    text: str
    """Where its licence stands, in static/."""


VENDORED = (
    Vendored(
        path="fonts/big-shoulders-core.woff2",
        sha256="384bfdd771eb64e6491b19f22a01df95f9f9251affd24f05b0d25df482cb6d66",
        name="Big Shoulders, subset",
        version="2.002",
        licence="OFL-1.1",
        text="fonts/big-shoulders-OFL.txt",
    ),
    Vendored(
        path="fonts/big-shoulders-more.woff2",
        sha256="14c4b98f3fecbf7c3ba25d60c7d079859512ae250824ba3381889a21e8625715",
        name="Big Shoulders, subset",
        version="2.002",
        licence="OFL-1.1",
        text="fonts/big-shoulders-OFL.txt",
    ),
    Vendored(
        path="fonts/hanken-grotesk-core.woff2",
        sha256="b9246f50589aa87e4f65e269c2c999f5f5a307cd6b6e193bfc4375c946648614",
        name="Hanken Grotesk, subset",
        version="3.013",
        licence="OFL-1.1",
        text="fonts/hanken-grotesk-OFL.txt",
    ),
    Vendored(
        path="fonts/hanken-grotesk-more.woff2",
        sha256="32419f8f8bd3513b828f8fd4935f5879f438c12e7058bb5d007c48aeab2631b7",
        name="Hanken Grotesk, subset",
        version="3.013",
        licence="OFL-1.1",
        text="fonts/hanken-grotesk-OFL.txt",
    ),
    Vendored(
        path="fonts/geist-mono-core.woff2",
        sha256="60b7bcdb8a31b3c50429e5940aea879a84afbff2ef895d8429c97ad6fde7154a",
        name="Geist Mono, subset",
        version="1.701",
        licence="OFL-1.1",
        text="fonts/geist-mono-OFL.txt",
    ),
    Vendored(
        path="fonts/geist-mono-more.woff2",
        sha256="6cfe6c824356c7c0c15caf005588d94049d8f8b6a2d205ada3e6659d137d28a0",
        name="Geist Mono, subset",
        version="1.701",
        licence="OFL-1.1",
        text="fonts/geist-mono-OFL.txt",
    ),
    Vendored(
        path="fonts/card/JetBrainsMono-Medium.ttf",
        sha256="d6b36cdb8c2280bf94237f268e4537cdad2d2b1c93070e76961f73fcf699ec3c",
        name="JetBrains Mono Medium, subset",
        version="2.211",
        licence="OFL-1.1",
        text="fonts/card/OFL.txt",
    ),
    Vendored(
        path="fonts/card/JetBrainsMono-ExtraBold.ttf",
        sha256="38f61b9ec175adb177dc6abb053972802409c363d6d55edd949228fac326fd4f",
        name="JetBrains Mono ExtraBold, subset",
        version="2.211",
        licence="OFL-1.1",
        text="fonts/card/OFL.txt",
    ),
    Vendored(
        path="vendor/plotly-basic-4.1.1.min.js",
        sha256="99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba",
        name="plotly.js, basic bundle",
        version="4.1.1",
        licence="MIT",
        text="vendor/plotly-basic-LICENSE.txt",
    ),
    Vendored(
        path="vendor/mediabunny-1.61.0.min.js",
        sha256="8a4c0bfa068a324796d2c0d5359a2196e8b1f7a95670dc6c7acea5bbdcb38a9d",
        name="mediabunny, the parts that read MP4 and WebM",
        version="1.61.0",
        licence="MPL-2.0",
        text="vendor/mediabunny-LICENSE.txt",
    ),
)

HEAD = """\
# Licences

Everything that runs when a site is built, and everything of others that a site carries. Generated
by `make licences` from requirements.lock and from what the installed packages say of themselves;
do not edit. Matrix Archive's own code is under the MIT licence. Clips belong to their authors:
each run says under which terms its clips stand.
"""

FFMPEG = """\
## ffmpeg, and what to mind when you pass it on

Two packages carry compiled ffmpeg code that their own licence does not cover.

- **imageio-ffmpeg** (BSD-2-Clause) brings the `ffmpeg` program, a build with `--enable-gpl
  --enable-version3`: GPL-3.0-or-later. It is started as a program of its own, with files in and
  files out.
- **av** (BSD-3-Clause) brings ffmpeg's libraries, which call themselves LGPL-3.0-or-later, and on
  Linux x264 and x265 beside them, which are GPL-2.0-or-later. We read with it and encode nothing.

What follows from that:

- A site is data. Neither the GPL nor the LGPL reaches the pages and clips that a build writes.
- Matrix Archive's wheel and source archive contain no ffmpeg; pip fetches both packages from their
  makers. Passing on our files alone asks no more than the MIT, OFL and MPL licences do (the MPL:
  that mediabunny's file keeps its head, which says where its source is).
- Who passes on an installed whole (a container image, a folder with its virtual environment, an
  installer) passes on GPL programs: with their licence text, and with their source code or a
  written offer of it, for exactly these builds.
- To do without, set `MATRIX_FFMPEG` to another ffmpeg, such as one of your system's, and remove
  the program from imageio-ffmpeg's folder. H.264 needs libx264, which is under the GPL everywhere.
- H.264 and H.265 are covered by patents in some countries. No licence in this list grants those.
"""


def report() -> tuple[str, list[str]]:
    """The report, and what is wrong with the licences in it."""
    faults: list[str] = []
    rows = []
    for name, versions in locked().items():
        licence = licence_of(name)
        faults += [f"{name}: {fault}" for fault in faults_of(licence)]
        rows.append((name, "<br>".join(versions), licence or "none found", USE.get(name, "")))
    here = direct()
    faults += [f"{name}: say in USE what it is used for" for name in sorted(here - USE.keys())]
    faults += [f"{name}: is in USE and no dependency" for name in sorted(USE.keys() - here)]
    carried = []
    for one in VENDORED:
        path = REPOSITORY / "static" / one.path
        if hashlib.sha256(path.read_bytes()).hexdigest() != one.sha256:
            faults.append(f"static/{one.path}: is another file than VENDORED says; look it up anew")
        faults += [f"static/{one.path}: {fault}" for fault in faults_of(one.licence)]
        text = f"[{one.licence}](../static/{one.text})"
        carried.append((one.name, one.version, text, f"`static/{one.path}`", f"`{one.sha256}`"))
    needed = [row for row in rows if row[0] in here]
    others = [row[:3] for row in rows if row[0] not in here]
    text = "\n".join(
        (
            HEAD,
            "## What we use\n",
            *_table(("package", "version", "licence", "what for"), needed),
            "\n## What these need\n",
            *_table(("package", "version", "licence"), others),
            "\n## In static/, and so in every site\n",
            *_table(("what", "version", "licence", "file", "sha256"), carried),
            "",
            FFMPEG,
        )
    )
    return text, faults


def locked() -> dict[str, list[str]]:
    """Package -> versions in requirements.lock, with the marker where there is one."""
    found: dict[str, list[str]] = {}
    for line in (REPOSITORY / "requirements.lock").read_text("utf-8").splitlines():
        pin = re.match(r"([\w.-]+)==([\w.!+-]+)(?: ; (.*?))?(?: \\)?$", line)
        if pin:
            name, version, marker = pin.groups()
            said = version + (f" ({_plain(marker)})" if marker else "")
            found.setdefault(canonicalize_name(name), []).append(said)
    return found


def _plain(marker: str) -> str:
    said = re.sub(r"python_full_version ([<>=]+) '([\d.]+)'", r"Python \1 \2", marker)
    return said.replace("<", "&lt;").replace(">", "&gt;")


def direct() -> set[str]:
    """Packages that pyproject.toml names."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    return {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}


def licence_of(name: str) -> str:
    """What an installed package states: an SPDX expression, or the nearest thing; "" for none."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:  # one for other systems: say here what it is under
        return ELSEWHERE.get(name, "")
    if expression := about.get("License-Expression"):
        return expression
    stated = (about.get("License") or "").strip()
    if stated in ALLOWED:
        return stated
    kinds = {
        CLASSIFIED.get(line.rpartition(" :: ")[2], line.rpartition(" :: ")[2])
        for line in about.get_all("Classifier") or ()
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    }
    return " AND ".join(sorted(kinds))


def faults_of(licence: str) -> list[str]:
    """Why this may not be used: all parts of an AND must be allowed, one of an OR."""
    if not licence:
        return [
            "no licence found; install it, read its files, and do without it unless there is one"
        ]
    wrong = []
    for part in re.split(r" AND ", licence.strip("()")):
        if not any(one.strip("() ") in ALLOWED for one in part.split(" OR ")):
            wrong.append(f"{part} is not in ALLOWED; read it before you add it there")
    return wrong


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


def main() -> int:
    text, faults = report()
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    sys.stdout.write(text)
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
