"""Tables that nobody should have to read: clips.csv, and tables that are ingested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hostile.ended import Hostile

CLIPS = "content/runs/elsewhere/clips.csv"
CARDS = "content/runs/cards/clips.csv"
HEADER = "id,series,pipeline,prompt,size,steps,fps,frames,url,no_clip\n"
ROW = "{id},published,sample-model,lighthouse,{size},{steps},{fps},{frames},,gone\n"
PLAIN = {"id": "lighthouse-2", "size": "320x180", "steps": "2", "fps": "28.3", "frames": "567"}
LAST = ROW.format(**{**PLAIN, "id": "lighthouse-8"})
INGEST = ("ingest", "clips", "--table", "clips/table.csv", "--run", "new")
MIB = 1 << 20


def write(name: str, data: str | bytes) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())

    return make


def sparse(name: str, size: int, start: bytes = b"") -> Callable[[Path], None]:
    """A file of so many bytes, of which all but the first are a hole."""

    def make(root: Path) -> None:
        write(name, start)(root)
        with (root / name).open("r+b") as file:
            file.truncate(size)

    return make


def line(**given: str) -> Callable[[Path], None]:
    """The sample's table with cells of its first line replaced."""
    return write(CLIPS, HEADER + ROW.format(**{**PLAIN, **given}) + LAST)


def cell(column: str, value: str, says: str) -> Hostile:
    return Hostile(make=line(**{column: value}), says=f"{CLIPS} line 2, {column}: {says}")


NUMBER = "is no number; write digits, such as 49.3 or 30000/1001"
STEPS = "is no step count; write 1 or more, or 2/2/2 for stages"
SIZE = "does not fit; write width x height in pixels, such as 848x480"
LARGE = "MiB, of which at most 8 are read; shorten it, or spread it over several files"

INPUTS: dict[str, Hostile] = {
    "fps-nan": cell("fps", "NaN", f'"NaN" {NUMBER}'),
    "fps-infinite": cell("fps", "inf", f'"inf" {NUMBER}'),
    "fps-negative": cell(
        "fps", "-5", "-5 is not greater than 0; write a number above 0, or leave it out"
    ),
    "fps-1e308": cell("fps", "1e308", f'"1e308" {NUMBER}'),
    "fps-hexadecimal": cell("fps", "0x10", f'"0x10" {NUMBER}'),
    "fps-in-other-digits": cell("fps", "٤٢", f'"٤٢" {NUMBER}'),
    "steps-a-billion": cell("steps", "1000000000", f"1000000000 {STEPS}"),
    "steps-negative": cell("steps", "-2", f"-2 {STEPS}"),
    "steps-in-a-thousand-stages": cell("steps", "/".join("1" * 1000), f'"{"1/" * 39}1…" {STEPS}'),
    "width-a-billion": cell("size", "1000000000x1", f'"1000000000x1" {SIZE}'),
    "frames-negative": cell("frames", "-1", "-1 is less than 1; write 1 or more"),
    "id-twice": Hostile(
        make=line(id="lighthouse-8"),
        says=f'{CLIPS} line 3, id: "lighthouse-8" stands in line 2 already; '
        "give each line an id of its own",
    ),
    "nul-bytes": cell(
        "id",
        "a\0b",
        '"a�b" does not fit; write an id of small letters, digits and single hyphens or dots',
    ),
    "formula-as-id": cell(
        "id",
        "=cmd",
        '"=cmd" does not fit; write an id of small letters, digits and single hyphens or dots',
    ),
    "not-utf-8": Hostile(
        make=write(CLIPS, HEADER.encode() + b"caf\xe9,"),
        says=f"{CLIPS} byte 63: this is not UTF-8 text; save the file as UTF-8",
    ),
    "utf-16": Hostile(
        make=write(CLIPS, HEADER.encode("utf-16")),
        says=f"{CLIPS} byte 0: this is not UTF-8 text; save the file as UTF-8",
    ),
    "200-mb": Hostile(
        make=sparse(CLIPS, 200 * MIB, HEADER.encode()), says=f"{CLIPS}: holds 200.0 {LARGE}"
    ),
    "8-tb": Hostile(make=sparse(CLIPS, 8 << 40), says=f"{CLIPS}: holds 8388608.0 {LARGE}"),
    "10000-columns": Hostile(
        make=write(CLIPS, ",".join(f"x-{i}" for i in range(10_000)) + "\n"),
        says=f"{CLIPS} line 1: 10000 columns are more than a table may have; keep at most 200",
    ),
    "cell-of-1-mb": Hostile(
        make=line(id="a" * MIB),
        says=f"{CLIPS} line 2: no valid CSV: field larger than field limit (131072); mend the line",
    ),
    "100000-rows": Hostile(
        make=write(
            CLIPS,
            HEADER
            + "".join(ROW.format(**{**PLAIN, "id": f"lighthouse-{i}"}) for i in range(100_000)),
        ),
        says=f"{CLIPS} line 10002: a run holds at most 10000 clips; spread them over several runs",
    ),
    "20000-mistakes": Hostile(
        make=write(CLIPS, HEADER + "a,b,c\n" * 20_000),
        says=f"{CLIPS}: only the first 200 mistakes are listed; "
        "mend these, and give the command again",
    ),
    "quotes-without-end": Hostile(
        make=write(CLIPS, HEADER + '"' * 100_001),
        says=f"{CLIPS} line 2: a field in quotation marks begins here and does not end; "
        'close it; inside such a field write the mark twice ("")',
    ),
    "card-of-a-billion-pictures": Hostile(
        make=write(
            CARDS,
            "id,series,pipeline,size,fps,seconds\na,declared,test-card,4096x4096,1000000,1000\n",
        ),
        says=f"{CARDS} line 2, seconds: 1000000000 frames are more than a test card can number; "
        "choose fps x seconds of at most 65536",
    ),
    "card-that-takes-days-to-draw": Hostile(
        make=write(
            CARDS,
            "id,series,pipeline,size,fps,seconds\nslow,declared,test-card,4096x4096,24,2700\n",
        ),
        says=f"{CARDS} line 2, seconds: 64800 frames of 4096x4096 are more than a build draws; "
        "choose fewer, or a smaller size: at most 8589934592 pixels in all",
    ),
    "ingest-200-mb": Hostile(
        make=sparse("clips/table.csv", 200 * MIB, b"file,fps\n"),
        command=INGEST,
        says=f"clips/table.csv: holds 200.0 {LARGE}",
    ),
    "ingest-nan": Hostile(
        make=write("clips/table.csv", "size,fps,no_clip\n2x2,1e999,gone\n"),
        command=INGEST,
        says='clips/table.csv line 2, fps: "1e999" is no frame rate; write digits, such as 49.3',
    ),
    "ingest-10000-columns": Hostile(
        make=write("clips/table.csv", "fps," * 10_000),
        command=INGEST,
        says="clips/table.csv line 1: 10001 columns are more than a table may have; "
        "keep at most 200",
    ),
    "ingest-100000-missing-files": Hostile(
        make=write("clips/table.csv", "file\n" + "a.webm\n" * 100_000),
        command=INGEST,
        says="clips/table.csv line 10002: a run holds at most 10000 clips; "
        "spread them over several runs",
    ),
    "ingest-nul-bytes": Hostile(
        make=write("clips/table.csv", "size,prompt,no_clip\n2x2,a\0b,gone\n"),
        command=INGEST,
        says='clips/table.csv line 2, prompt: "a�b" holds a control character; take it out',
    ),
    # what is odd but right
    "byte-order-mark-and-crlf": Hostile(
        make=write(
            CLIPS,
            ("\ufeff" + HEADER + ROW.format(**PLAIN) + LAST).replace("\n", "\r\n").encode(),
        ),
        code=0,
    ),
    "absurd-but-possible-numbers": Hostile(
        make=write(
            CLIPS,
            HEADER
            + ROW.format(
                id="lighthouse-2",
                size="99999x1",
                steps="9999",
                fps="999999999999999e9",
                frames="999999999999999999",
            )
            + ROW.format(
                id="lighthouse-8", size="1x99999", steps="1", fps="0.000000000000001", frames="1"
            ),
        ),
        code=0,
    ),
    "quoted-line-breaks": Hostile(
        make=write(CLIPS, HEADER + ROW.format(**PLAIN).replace("gone", '"go\n\nne"') + LAST),
        code=0,
    ),
}
