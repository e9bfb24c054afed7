"""Names and links that lead elsewhere, and things in a file's place that are none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hostile.ended import Hostile
from hostile.tables import write

CLIPS = "content/runs/elsewhere/clips.csv"
HEADER = "id,series,pipeline,prompt,size,file,no_clip\n"
LAST = "lighthouse-8,published,sample-model,lighthouse,320x180,,gone\n"
ID_REMEDY = "rename it with small letters, digits and single hyphens or dots"
ELSEWHERE = "leads elsewhere; write the name of a file inside the run's media/ folder"
OUT = "leads out of the project's content"
LINK = f"{OUT}; put the file itself here instead of a link"
NO_SITE = (
    "{root}: no content/site.toml here or above; name a project with --root, "
    "or start one with `python -m generator new DIR`"
)
NO_FILE = "this is no file; put a text file in its place"


def link(name: str, target: str) -> Callable[[Path], None]:
    """A link; "outside" is a folder beside the project, with files that are not its own."""

    def make(root: Path) -> None:
        outside = root.parent / "outside"
        outside.mkdir(exist_ok=True)
        (outside / "secret.md").write_text("---\ntitle: Secret\ntext: of mine\n---\n")
        (outside / "run.toml").write_text('title = "secret"')
        path = root / name
        path.unlink(missing_ok=True)
        path.symlink_to(target.replace("outside", str(outside)))

    return make


def pipe(name: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    return make


def row(file: str) -> Callable[[Path], None]:
    line = f"lighthouse-2,published,sample-model,lighthouse,320x180,{file},\n"
    return write(CLIPS, HEADER + line + LAST)


def named(file: str) -> Hostile:
    return Hostile(make=row(file), says=f'{CLIPS} line 2, file: "{file}" {ELSEWHERE}')


def both(*makes: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for one in makes:
            one(root)

    return make


def prompt(name: str | bytes) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        folder = os.fsencode(root / "content" / "prompts")
        path = os.path.join(folder, os.fsencode(name))  # noqa: PTH118
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(b"---\ntitle: a\ntext: b\n---\n")

    return make


def odd_mirror(root: Path) -> None:
    """A mirror of pipes, devices, ways out, loops and names that look like options."""
    mirror = root / "-m"
    (mirror / "-r").mkdir(parents=True)
    os.mkfifo(mirror / "pipe.webm")
    (mirror / "endless.webm").symlink_to("/dev/zero")
    (mirror / "out.webm").symlink_to("/etc/hostname")
    (mirror / "loop").symlink_to(".")
    (mirror / "itself.webm").symlink_to("itself.webm")
    for name in ("-i.webm", "a\nb.webm", "\x1b[2J.webm", "file:x.webm", "A.webm", "a.webm"):
        (mirror / name).write_bytes(b"no clip")
    with open(os.fsencode(mirror) + b"/caf\xe9.webm", "wb") as file:  # noqa: PTH123
        file.write(b"no clip")
    write(
        CLIPS,
        "id,series,pipeline,size,sha256\n"
        f"lighthouse-2,published,sample-model,320x180,{'0' * 64}\n"
        f"lighthouse-8,published,sample-model,320x180,{'1' * 64}\n",
    )(root)


MEDIA = "content/runs/elsewhere/media"
PROMPT = "content/prompts/lighthouse.md"
INGEST = ("ingest", "clips", "--table", "clips/table.csv", "--run", "new")

INPUTS: dict[str, Hostile] = {
    "file-above": named("../../../secret.webm"),
    "file-absolute": named("/etc/passwd"),
    "file-of-windows": named("C:\\secret.webm"),
    "file-of-home": named("~root/x.webm"),
    "file-of-300-letters": Hostile(
        make=row("a" * 300),
        says=f'{CLIPS} line 2, file: "{"a" * 79}…" is longer than a disk can hold; rename the file',
    ),
    "link-to-a-file-outside": Hostile(
        make=link("content/prompts/secret.md", "outside/secret.md"),
        says=f"content/prompts/secret.md: {LINK}",
    ),
    "link-to-a-run-outside": Hostile(
        make=link("content/runs/secret", "outside"),
        says=f"content/runs/secret/run.toml: {LINK}",
    ),
    "link-to-media-outside": Hostile(
        make=link(MEDIA, "outside"),
        says=f"{MEDIA}: {OUT}; name the folder that it leads to with --mirror",
    ),
    "link-to-a-clip-outside": Hostile(
        make=both(
            lambda root: (root / MEDIA).mkdir(),
            link(f"{MEDIA}/a.webm", "/etc/hostname"),
            row("a.webm"),
        ),
        says=f'{CLIPS} line 2, file: "a.webm" leads out of its folder; '
        "put the file itself there instead of a link",
    ),
    "link-to-itself": Hostile(
        make=link(PROMPT, "lighthouse.md"),
        says=f"{PROMPT}: cannot be read (Too many levels of symbolic links); "
        "check the path and permissions",
    ),
    "device-as-site": Hostile(make=link("content/site.toml", "/dev/zero"), code=2, says=NO_SITE),
    "pipe-as-site": Hostile(make=pipe("content/site.toml"), code=2, says=NO_SITE),
    "pipe-as-prompt": Hostile(make=pipe(PROMPT), says=f"{PROMPT}: {NO_FILE}"),
    "pipe-as-table": Hostile(make=pipe(CLIPS), says=f"{CLIPS}: {NO_FILE}"),
    "pipe-as-run": Hostile(
        make=pipe("content/runs/pipe"),
        says="content/runs/pipe: only folders stand here; give each run a folder of its own",
    ),
    "pipe-as-clip": Hostile(
        make=both(row("a.webm"), pipe(f"{MEDIA}/a.webm")),
        says=f'{CLIPS} line 2, file: no file "a.webm" in the run\'s media/ folder; '
        "put it there, or write its sha256 and url",
    ),
    "folder-as-prompt": Hostile(
        make=lambda root: (root / "content/prompts/folder.md").mkdir(),
        says=f"content/prompts/folder.md: {NO_FILE}",
    ),
    "name-like-an-option": Hostile(
        make=prompt("-rf.md"), says=f'content/prompts/-rf.md: "-rf" is no id; {ID_REMEDY}'
    ),
    "name-that-steers-a-terminal": Hostile(
        make=prompt("\x1b[2Ja\nb.md"),
        says=f'content/prompts/�[2Ja�b.md: "�[2Ja�b" is no id; {ID_REMEDY}',
    ),
    "name-not-utf-8": Hostile(
        make=prompt(b"caf\xe9.md"), says=f'content/prompts/caf�.md: "caf�" is no id; {ID_REMEDY}'
    ),
    "names-alike-but-for-capitals": Hostile(
        make=prompt("Lighthouse.md"),
        says=f'content/prompts/Lighthouse.md: "Lighthouse" is no id; {ID_REMEDY}',
    ),
    "pipe-as-ingested-table": Hostile(
        make=pipe("clips/table.csv"), command=INGEST, says=f"clips/table.csv: {NO_FILE}"
    ),
    "pipe-among-prompts-while-ingesting": Hostile(
        make=both(
            pipe("content/prompts/pipe.md"),
            pipe("content/pipelines/pipe.toml"),
            write("clips/table.csv", "size,prompt,no_clip\n2x2,a tower,gone\n"),
        ),
        command=INGEST,
        code=0,
    ),
    "pipe-as-ingested-clip": Hostile(
        make=both(pipe("clips/a.webm"), write("clips/table.csv", "file\na.webm\n")),
        command=INGEST,
        says='clips/table.csv line 2, file: "a.webm" is no file; put the clip\'s file there',
    ),
    "ingest-a-file-above": Hostile(
        make=write("clips/table.csv", "file\n../content/site.toml\n"),
        command=INGEST,
        says='clips/table.csv line 2, file: no file "../content/site.toml" in clips; '
        "put it there, or take the line out",
    ),
    "ingest-into-a-run-above": Hostile(
        make=write("clips/table.csv", "size,no_clip\n2x2,gone\n"),
        command=("ingest", "clips", "--table", "clips/table.csv", "--run", "../../site"),
        code=2,
        says='--run "../../site": no id for a run; write small letters, digits and single '
        'hyphens, such as "site"',
    ),
    "mirror-of-odd-things": Hostile(make=odd_mirror, command=("build", "--mirror", "-m"), code=0),
}
