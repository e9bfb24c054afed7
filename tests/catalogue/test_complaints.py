"""Every mistake has a place, a value and a remedy; all mistakes are named at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from generator.catalogue import load
from generator.catalogue.decode import EXAMPLE
from generator.clips import framecode
from generator.errors import ContentError, UsageError
from generator.project import Project
from generator.records import CARD

SAMPLE = Path(__file__).resolve().parent.parent / "sample"
SITE = "content/site.toml"
PRESET = "content/presets/slow-and-fast.md"
PROMPT = "content/prompts/lighthouse.md"
PIPELINE = "content/pipelines/sample-model.toml"
MACHINE = "content/machines/sample-gpu.toml"
PAGE = "content/pages/protocol.md"
RUN = "content/runs/elsewhere/run.toml"
CLIPS = "content/runs/elsewhere/clips.csv"
CARD_RUN = "content/runs/cards/run.toml"
CARDS = "content/runs/cards/clips.csv"

Edit = Callable[[Path], None]


def swap(old: str, new: str) -> Edit:
    """Replace the only place that holds `old`."""

    def edit(path: Path) -> None:
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        path.write_text(text.replace(old, new), "utf-8")

    return edit


def write(content: str | bytes) -> Edit:
    def edit(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return edit


def remove(path: Path) -> None:
    path.unlink()


def add(text: str) -> Edit:
    def edit(path: Path) -> None:
        path.write_text(path.read_text("utf-8") + text, "utf-8")

    return edit


@pytest.fixture
def sample(tmp_path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "sample"))


def complaints(root: Path) -> list[str]:
    with pytest.raises(ContentError) as caught:
        load(Project(root=root))
    return [str(complaint) for complaint in caught.value.complaints]


ROW = "lighthouse-2,published,sample-model,lighthouse,320x180,2,28.3,567,"
SHA_ROW = ROW + "https://example.org/videos/2.webm,could not be had"

CHART = """charts:
  - {{run: {run}, table: stages, title: Stages, summary: Parts., label: measured-here, x: steps,
     y: time, unit: ms}}
"""
MISTAKES = {
    # site.toml
    "no site.toml": (
        SITE,
        remove,
        [f"{SITE}: no such file; write it; {EXAMPLE}"],
    ),
    "TOML syntax": (
        SITE,
        swap('title = "Example"', "title = Example"),
        [f"{SITE}: no valid TOML: Invalid value (at line 6, column 20); mend the syntax there"],
    ),
    "not UTF-8": (
        SITE,
        write(b'title = "caf\xe9"'),
        [f"{SITE} byte 12: this is not UTF-8 text; save the file as UTF-8"],
    ),
    "a missing key": (
        SITE,
        swap('tagline = "Small enough to build in every test"\n', ""),
        [f"{SITE} $.tagline: is missing; add it: One line under the name."],
    ),
    "an empty text": (
        SITE,
        swap('"Sample archive"', '"  "'),
        [f"{SITE} $.title: is empty; write it: Name of the site."],
    ),
    "an unknown key": (
        SITE,
        swap("tagline =", "tag_line ="),
        [
            f"{SITE} $.tagline: is missing; add it: One line under the name.",
            f'{SITE} $.tag_line: nothing is called "tag_line" here; did you mean "tagline"?',
        ],
    ),
    "a base address without its slash": (
        SITE,
        swap("org/sample/", "org/sample"),
        [
            f'{SITE} $.base_url: "https://example.org/sample" does not end with a slash; '
            "write https://example.org/sample/"
        ],
    ),
    "no web address": (
        SITE,
        swap('url = "https://example.org/"', 'url = "javascript:alert(1)"'),
        [
            f'{SITE} $.links[0].url: "javascript:alert(1)" is no web address; '
            "write one that begins with https://"
        ],
    ),
    "a language that is none": (
        SITE,
        swap("hero =", 'language = "English!"\nhero ='),
        [f'{SITE} $.language: "English!" does not fit; write a language code such as en or de'],
    ),
    "text in place of a list": (
        SITE,
        swap('["Sample", "archive"]', '"Sample"'),
        [f'{SITE} $.hero: "Sample" is no list; write it as [a, b]'],
    ),
    "presets where earlier versions had them": (
        SITE,
        swap("hero =", "compare = []\nhero ="),
        [
            f"{SITE} $.compare: comparisons stand in files of their own; "
            "write each as content/presets/<id>.md (see docs/content.md), and take this out"
        ],
    ),
    # presets
    "a preset of an unknown clip": (
        PRESET,
        swap("cards--fast", "cards--fasst"),
        [f'{PRESET} $.clips[1]: no clip "cards--fasst"; did you mean "cards--fast"?'],
    ),
    "a preset of one clip": (
        PRESET,
        swap("  - cards--fast\n", ""),
        [f"{PRESET} $.clips: names 1 clip; name 2 to 9"],
    ),
    "everything wrong with the clips of a preset": (
        PRESET,
        swap("  - cards--fast\n", "".join(f"  - cards--slow{'w' * n}\n" for n in range(9))),
        [
            f"{PRESET} $.clips: names 10 clips; name 2 to 9",
            f'{PRESET} $.clips[1]: "cards--slow" stands twice; name each clip once',
            *(
                f'{PRESET} $.clips[{n + 1}]: no clip "cards--slow{"w" * n}"; '
                'did you mean "cards--slow"?'
                for n in range(1, 9)
            ),
        ],
    ),
    "a preset without a title that opens in no mode": (
        PRESET,
        swap("title: Slow and fast", "mode: wipes"),
        [
            f"{PRESET} $.title: is missing; add it: What is compared, in a few words.",
            f'{PRESET} $.mode: "wipes" is not possible here; did you mean "wipe"?',
        ],
    ),
    "a preset that lays one over another of four": (
        "content/presets/all-four.md",
        swap("base: frame", "mode: wipe"),
        [
            'content/presets/all-four.md $.mode: "wipe" lays one clip over another, '
            "but 4 are named; leave mode out, or name two clips"
        ],
    ),
    "a preset that begins before the beginning": (
        "content/presets/all-four.md",
        swap("start_s: 0.5", "start_s: -0.5"),
        ["content/presets/all-four.md $.start_s: -0.5 is less than 0; write 0 or more"],
    ),
    "a preset at the address of all comparisons": (
        "content/presets/compare.md",
        write("---\ntitle: A\nsummary: B\nclips: [cards--slow, cards--fast]\n---\n"),
        ['content/presets/compare.md: "compare" is taken by the site itself; rename it'],
    ),
    "a misspelt folder": (
        "content/prompt/harbour.md",
        write("---\ntitle: Harbour\n---\n"),
        ['content/prompt: nothing in content/ is called "prompt"; did you mean "prompts"?'],
    ),
    # prompts and pages
    "no front matter": (
        PROMPT,
        write("Only prose.\n"),
        [f"{PROMPT} line 1: no front matter; begin with --- and the fields title, text, then ---"],
    ),
    "an impossible date in front matter": (
        PROMPT,
        swap("title: Lighthouse", "title: 2026-13-45"),
        [
            f"{PROMPT}: the front matter is no valid YAML: month must be in 1..12; "
            "mend the syntax there"
        ],
    ),
    "a number in place of text": (
        PROMPT,
        swap("title: Lighthouse", "title: 42"),
        [f"{PROMPT} $.title: 42 is no text; put it in quotes"],
    ),
    "text in place of a whole number": (
        PROMPT,
        swap("order: 1", "order: first"),
        [f'{PROMPT} $.order: "first" is no whole number; write digits only'],
    ),
    "a file name that is no id": (
        "content/prompts/Light House.md",
        write("---\ntitle: a\ntext: b\n---\n"),
        [
            'content/prompts/Light House.md: "Light House" is no id; '
            "rename it with small letters, digits and single hyphens or dots"
        ],
    ),
    "a foreign file among prompts": (
        "content/prompts/notes.txt",
        write("x"),
        ["content/prompts/notes.txt: only .md files are read here; rename it or move it elsewhere"],
    ),
    "a kind of page that there is not": (
        PAGE,
        swap("group: method", "group: method\nkind: plann"),
        [f'{PAGE} $.kind: "plann" is not possible here; did you mean "plan"?'],
    ),
    "a chart of no run": (
        PAGE,
        swap("group: method\n", f"group: method\n{CHART.format(run='elsewere')}"),
        [f'{PAGE} $.charts[0].run: no run "elsewere"; did you mean "elsewhere"?'],
    ),
    "a chart of no table": (
        PAGE,
        swap("group: method\n", f"group: method\n{CHART.format(run='elsewhere')}"),
        [
            f'{PAGE} $.charts[0].table: run elsewhere holds no table "stages"; '
            "write stages.csv in its folder tables/"
        ],
    ),
    # pipelines and machines
    "a renderer that there is not": (
        PIPELINE,
        add('renderer = "gpu"\n'),
        [
            f'{PIPELINE} $.renderer: "gpu" is not possible here; '
            'write one of: "", "test-card", "lab"'
        ],
    ),
    "a rate of nothing": (
        PIPELINE,
        swap("content_rate_hz = 16", "content_rate_hz = 0"),
        [
            f"{PIPELINE} $.content_rate_hz: 0 is not greater than 0; "
            "write a number above 0, or leave it out"
        ],
    ),
    "a rate without bounds": (
        PIPELINE,
        swap("content_rate_hz = 16", "content_rate_hz = inf"),
        [
            f"{PIPELINE} $.content_rate_hz: inf is no number; "
            "write digits, such as 49.3 or 30000/1001"
        ],
    ),
    "memory of less than nothing": (
        MACHINE,
        swap("memory_gb = 80", "memory_gb = -80"),
        [f"{MACHINE} $.memory_gb: -80 is not greater than 0; Memory, in 10^9 bytes."],
    ),
    "endless memory": (
        MACHINE,
        swap("memory_gb = 80", "memory_gb = inf"),
        [f"{MACHINE} $.memory_gb: inf is no finite number; write digits, such as 3.35"],
    ),
    "a machine without a source": (
        MACHINE,
        swap('source = "these tests; no such product exists"\n', ""),
        [f"{MACHINE} $.source: is missing; add it: Who states these figures."],
    ),
    # run.toml
    "an unknown machine": (
        RUN,
        swap('machine = "sample-gpu"', 'machine = "sample-gpus"'),
        [f'{RUN} $.machine: no machine "sample-gpus"; did you mean "sample-gpu"?'],
    ),
    "an unknown machine, unlike any": (
        RUN,
        swap('machine = "sample-gpu"', 'machine = "tpu"'),
        [f'{RUN} $.machine: no machine "tpu"; known are none, sample-gpu'],
    ),
    "a day that is none": (
        RUN,
        swap("published = 2026-01-01", 'published = "last spring"'),
        [f'{RUN} $.published: "last spring" is no date; write it as 2026-03-14'],
    ),
    "a word in place of yes or no": (
        RUN,
        swap('weights = "not stated"', 'weights = "not stated"\npublish_media = "perhaps"'),
        [f'{RUN} $.publish_media: "perhaps" is neither true nor false; write true or false'],
    ),
    "a label that there is not": (
        RUN,
        swap('label = "published-elsewhere"', 'label = "measured"'),
        [
            f'{RUN} $.series[0].label: "measured" is not possible here; '
            'did you mean "measured-here"?'
        ],
    ),
    "measured here with unknown software": (
        RUN,
        lambda path: (
            swap('label = "published-elsewhere"', 'label = "measured-here"')(path),
            swap('[software]\n"Sample server" = "not stated"\n', "")(path),
        ),
        [
            f'{RUN} $.software: series "published" is measured here, but no software is stated; '
            "list the software and versions under [software]"
        ],
    ),
    "work of a number that others published": (
        RUN,
        swap('label = "published-elsewhere"', 'label = "published-elsewhere"\nwork = "memflow"'),
        [
            f'{RUN} $.series[0].work: series "published" is published elsewhere, but only what is '
            "measured here is known to have done this work; leave it out"
        ],
    ),
    "work that nobody counts": (
        RUN,
        swap('label = "published-elsewhere"', 'label = "published-elsewhere"\nwork = "memflw"'),
        [f'{RUN} $.series[0].work: "memflw" is not possible here; did you mean "memflow"?'],
    ),
    "no series at all": (
        CARD_RUN,
        write(
            'title = "a"\nsummary = "b"\nmeasured_by = "c"\npublished = 2026-01-02\n'
            'machine = "none"\nweights = "none"\nrights = "d"\nseries = []\n'
        ),
        [f"{CARD_RUN} $.series: is empty; write it: What kinds of numbers it holds."],
    ),
    "a claim of an unknown kind": (
        RUN,
        swap('kind = "statement"', 'kind = "opinion"'),
        [
            f'{RUN} $.claims[2]: "opinion" is no kind of claim; '
            "write kind = one of: duration, fps-from-frames, statement"
        ],
    ),
    "a claim without a kind": (
        RUN,
        swap('kind = "statement"\n', ""),
        [
            f"{RUN} $.claims[2]: kind is missing; "
            "write kind = one of: duration, fps-from-frames, statement"
        ],
    ),
    "a misspelt key of a claim": (
        RUN,
        swap('rounding = "cut"', 'roundings = "cut"'),
        [
            f'{RUN} $.claims[1].roundings: nothing is called "roundings" here; '
            'did you mean "rounding"?'
        ],
    ),
    "more decimals than a claim can have": (
        RUN,
        swap('rounding = "cut"', "decimals = 7"),
        [f"{RUN} $.claims[1].decimals: 7 is more than 6; write 6 or less"],
    ),
    "a claim about an unknown series": (
        RUN,
        swap('series = ["published"]', 'series = ["publishd"]'),
        [f'{RUN} $.claims[1].series: no series "publishd"; did you mean "published"?'],
    ),
    "two claims of one name": (
        RUN,
        swap('id = "cache-reset"', 'id = "exact-duration"'),
        [f'{RUN} $.claims[2].id: "exact-duration" stands twice; name it otherwise'],
    ),
    "two series of one name": (
        RUN,
        swap(
            '[[claims]]\nkind = "duration"',
            '[[series]]\nid = "published"\ntitle = "b"\n'
            'label = "projected"\n\n[[claims]]\nkind = "duration"',
        ),
        [f'{RUN} $.series[1].id: "published" stands twice; name it otherwise'],
    ),
    "a file among runs": (
        "content/runs/notes.md",
        write("x"),
        ["content/runs/notes.md: only folders stand here; give each run a folder of its own"],
    ),
    "a claim named as the table's own": (
        RUN,
        swap('id = "exact-duration"', 'id = "table-size"'),
        [
            f'{RUN} $.claims[0].id: "table-size" is kept for what the table states; '
            "name the claim otherwise"
        ],
    ),
    "a number without a meaning": (
        RUN,
        swap('fps_means = "output FPS as stated"\n', ""),
        [
            f'{CLIPS} line {line}, fps: series "published" does not say what its FPS means; '
            "write fps_means for it in run.toml"
            for line in (2, 3)
        ],
    ),
    "published without rights": (
        CARD_RUN,
        swap('rights = "Drawn by this project\'s own code."', 'rights = "not stated"'),
        [
            f"{CARD_RUN} $.publish_media: the clips would be published, but whose they are is "
            "not stated; write under rights whose they are and what may be done with them"
        ],
    ),
    "brackets without end": (
        RUN,
        add("\nzz = " + "[" * 5000),
        [f"{RUN}: lists stand in lists without end; write fewer brackets"],
    ),
    "a number of 5000 digits": (
        RUN,
        add("\nzz = " + "9" * 5000),
        [f"{RUN}: holds a number of thousands of digits; shorten it"],
    ),
    "a group named as the comparer": (
        PAGE,
        swap("group: method", "group: compare"),
        [f'{PAGE} $.group: "compare" is taken by the site itself; choose another, such as notes'],
    ),
    "a control character": (
        SITE,
        swap('title = "Sample archive"', 'title = "Sample\\u0001archive"'),
        [f'{SITE} $.title: "Sample\ufffdarchive" holds a control character; take it out'],
    ),
    "an address that smuggles a policy": (
        CLIPS,
        swap("https://example.org/videos/2.webm", "https://a; script-src * @h.example/2.webm"),
        [
            f'{CLIPS} line 2, url: "https://a; script-src * @h.example/2.webm" holds a user\'s '
            "name; an address that is published must not"
        ],
    ),
    "an address that smuggles a policy by its host": (
        CLIPS,
        swap("https://example.org/videos/2.webm", "https://h.example;script-src-elem/2.webm"),
        [
            f'{CLIPS} line 2, url: "https://h.example;script-src-elem/2.webm" names no host; '
            "write one such as https://example.org/"
        ],
    ),
    # clips.csv
    "semicolons": (
        CLIPS,
        write("id;series;pipeline;size\na;b;c;d\n"),
        [f"{CLIPS} line 1: the columns are separated by semicolons; separate them by commas"],
    ),
    "a number with an underscore": (
        CLIPS,
        swap(",567,", ",5_67,"),
        [f'{CLIPS} line 2, frames: "5_67" is no whole number; write digits only'],
    ),
    "no table": (
        CARDS,
        remove,
        [
            f"{CARDS}: no such file; write it; {EXAMPLE}",
        ],
    ),
    "a misspelt column": (
        CLIPS,
        swap("frames,url", "frame,url"),
        [f'{CLIPS} line 1: no column is called "frame"; did you mean "frames"?'],
    ),
    "a column of one's own": (
        CLIPS,
        swap("frames,url", "vram,url"),
        [
            f'{CLIPS} line 1: no column is called "vram"; '
            'rename it "x-vram" to carry it along, or leave it out'
        ],
    ),
    "a missing column": (
        CLIPS,
        swap("id,series,pipeline,", "id,series,x-pipe,"),
        [f'{CLIPS} line 1: the column "pipeline" is missing; add pipeline'],
    ),
    "a column twice": (
        CLIPS,
        swap("frames,url", "fps,url"),
        [
            f'{CLIPS} line 1: column "fps" stands twice; keep one',
            f'{CLIPS} line 1: column "fps" stands twice; keep one',
        ][:1],
    ),
    "more fields than columns": (
        CLIPS,
        add("a,published,sample-model,lighthouse,320x180,2,1,1,,gone, alas\n"),
        [
            f"{CLIPS} line 4: 1 more field than the header has; "
            'quote fields that hold commas: "a, b"'
        ],
    ),
    "a quote that never ends": (
        CLIPS,
        add('a,published,sample-model,lighthouse,320x180,2,1,1,,"gone\n'),
        [
            f"{CLIPS} line 4: a field in quotation marks begins here and does not end; "
            'close it; inside such a field write the mark twice ("")'
        ],
    ),
    "a quote that never ends, with lines below it": (
        CLIPS,
        swap("lighthouse-2,published", 'lighthouse-2,"published'),
        [
            f"{CLIPS} line 2: a field in quotation marks begins here and does not end; "
            'close it; inside such a field write the mark twice ("")'
        ],
    ),
    "a quote that never ends, after a line with nothing on it": (
        CLIPS,
        add('\na,published,sample-model,lighthouse,320x180,2,1,1,,"gone\n'),
        [
            f"{CLIPS} line 5: a field in quotation marks begins here and does not end; "
            'close it; inside such a field write the mark twice ("")'
        ],
    ),
    "more fields than columns, after a line with nothing on it": (
        CLIPS,
        add("\na,published,sample-model,lighthouse,320x180,2,1,1,,gone, alas\n"),
        [
            f"{CLIPS} line 5: 1 more field than the header has; "
            'quote fields that hold commas: "a, b"'
        ],
    ),
    "an empty table": (
        CLIPS,
        write(""),
        [
            f"{CLIPS} line 1: names no columns; "
            "begin with a line of them: id, series, pipeline, size"
        ],
    ),
    "no step count": (
        CLIPS,
        swap("320x180,2,28.3", "320x180,0,28.3"),
        [f"{CLIPS} line 2, steps: 0 is no step count; write 1 or more, or 2/2/2 for stages"],
    ),
    "no size": (
        CLIPS,
        swap("320x180,2,28.3", "320p,2,28.3"),
        [
            f'{CLIPS} line 2, size: "320p" does not fit; '
            "write width x height in pixels, such as 848x480"
        ],
    ),
    "no number": (
        CLIPS,
        swap("28.3", "fast"),
        [f'{CLIPS} line 2, fps: "fast" is no number; write digits, such as 49.3 or 30000/1001'],
    ),
    "a number of a billion digits": (
        CLIPS,
        swap("28.3", "1e999999999"),
        [
            f'{CLIPS} line 2, fps: "1e999999999" is no number; '
            "write digits, such as 49.3 or 30000/1001"
        ],
    ),
    "a fraction of nothing": (
        CLIPS,
        swap("28.3", "1/0"),
        [f"{CLIPS} line 2, fps: 1/0 is no number; write digits, such as 49.3 or 30000/1001"],
    ),
    "no frames": (
        CLIPS,
        swap("567", "0"),
        [f"{CLIPS} line 2, frames: 0 is less than 1; write 1 or more"],
    ),
    "half a frame": (
        CLIPS,
        swap("567", "56.5"),
        [f"{CLIPS} line 2, frames: 56.5 is no whole number; write digits only"],
    ),
    "an unknown pipeline": (
        CLIPS,
        swap("lighthouse-2,published,sample-model", "lighthouse-2,published,sample-modl"),
        [f'{CLIPS} line 2, pipeline: no pipeline "sample-modl"; did you mean "sample-model"?'],
    ),
    "an unknown prompt": (
        CLIPS,
        swap("sample-model,lighthouse,320x180,2,28.3", "sample-model,harbour,320x180,2,28.3"),
        [f'{CLIPS} line 2, prompt: no prompt "harbour"; known are lighthouse'],
    ),
    "an unknown series": (
        CLIPS,
        swap("lighthouse-2,published", "lighthouse-2,pubished"),
        [f'{CLIPS} line 2, series: no series "pubished"; did you mean "published"?'],
    ),
    "an id twice": (
        CLIPS,
        swap("lighthouse-8,", "lighthouse-2,"),
        [
            f'{CLIPS} line 3, id: "lighthouse-2" stands in line 2 already; '
            "give each line an id of its own"
        ],
    ),
    "neither clip nor reason": (
        CLIPS,
        swap("2.webm,could not be had", "2.webm,"),
        [
            f"{CLIPS} line 2, sha256: is missing; "
            "write the sha256 of the clip's file, or say in no_clip why there is none"
        ],
    ),
    "a hash that is none": (
        CLIPS,
        lambda path: (swap("frames,url", "sha256,url")(path), swap("567", "ABC")(path)),
        [
            f'{CLIPS} line 2, sha256: "ABC" does not fit; '
            "write the sha256 as 64 hexadecimal digits in small letters"
        ],
    ),
    "a hash and a reason why there is none": (
        CLIPS,
        lambda path: (swap("frames,url", "sha256,url")(path), swap("567", "0" * 64)(path)),
        [
            f"{CLIPS} line 2, no_clip: there is a sha256 as well; "
            "leave no_clip empty, or take the sha256 out"
        ],
    ),
    "a file that is not there": (
        CLIPS,
        lambda path: (
            swap("frames,url,no_clip", "file,url,no_clip")(path),
            swap("567", "two.webm")(path),
            swap("2.webm,could not be had", "2.webm,")(path),
        ),
        [
            f'{CLIPS} line 2, file: no file "two.webm" in the run\'s media/ folder; '
            "put it there, or write its sha256 and url"
        ],
    ),
    "a file that leads elsewhere": (
        CLIPS,
        lambda path: (swap("frames,url", "file,url")(path), swap("567", "../../site.toml")(path)),
        [
            f'{CLIPS} line 2, file: "../../site.toml" leads elsewhere; '
            "write the name of a file inside the run's media/ folder"
        ],
    ),
    # test cards
    "a card without a rate": (
        CARDS,
        swap("256x144,6,2", "256x144,,2"),
        [
            f"{CARDS} line 2, fps: is missing; "
            "a test card is rendered from its fps and seconds; write both"
        ],
    ),
    "a card of half a frame": (
        CARDS,
        swap("256x144,6,2", "256x144,6.25,2"),
        [
            f"{CARDS} line 2, fps: 6.25 FPS over 2 s is no whole number of frames; "
            "choose seconds so that fps x seconds is whole"
        ],
    ),
    "a card longer than it can count": (
        CARDS,
        swap("256x144,6,2", "256x144,60,2000"),
        [
            f"{CARDS} line 2, seconds: 120000 frames are more than a test card can number; "
            "choose fps x seconds of at most 65536"
        ],
    ),
    "a card too small to read": (
        CARDS,
        swap("256x144,6,2", "128x96,6,2"),
        [
            f'{CARDS} line 2, size: "128x96" cannot hold a test card; '
            "choose even sides from 160 x 96 to 4096 x 4096"
        ],
    ),
    "a card that somebody measured": (
        CARD_RUN,
        swap('label = "declared"', 'label = "projected"'),
        [
            f'{CARDS} line {line}, series: "declared" is labelled projected, but a test card is '
            'measured by nobody; put test cards into a series with label = "declared"'
            for line in (2, 3)
        ],
    ),
    "a card with an address": (
        CARDS,
        lambda path: (
            swap("fps,seconds", "fps,seconds,url")(path),
            swap("6,2", "6,2,https://example.org/a.mp4")(path),
        ),
        [f"{CARDS} line 2, url: a test card has none: every build renders it; leave it empty"],
    ),
}


def test_the_sample_is_without_fault():
    catalogue = load(Project(root=SAMPLE))

    assert catalogue.site.base_url == "https://example.org/sample/"
    assert [clip.id for clip in catalogue.clips] == [
        "cards--slow",
        "cards--fast",
        "elsewhere--lighthouse-2",
        "elsewhere--lighthouse-8",
    ]
    assert [clip.fps for clip in catalogue.clips[2:]] == [Fraction(283, 10), Fraction(133, 10)]
    assert catalogue.clips[3].steps_label == "[2,2,4]"
    assert [page.kind for page in catalogue.pages] == ["page", "plan"]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_remedy(sample, name):
    path, edit, expected = MISTAKES[name]
    edit(sample / path)

    assert complaints(sample) == expected


def test_many_mistakes_are_named_in_one_run_each_once(sample):
    """A faulty file is no reason to be silent about others, nor to blame those that refer to it."""
    swap('tagline = "Small', 'taglin = "Small')(sample / SITE)
    swap("cards--fast", "cards--fats")(sample / PRESET)
    other = "content/presets/without-clips.md"
    swap("elsewhere--lighthouse-2", "elsewhere--lighthouse-3")(sample / other)
    swap("title: Lighthouse", "title: ''")(sample / PROMPT)
    swap("content_rate_hz = 16", 'content_rate_hz = "many"')(sample / PIPELINE)
    swap('source = "these', 'sources = "these')(sample / MACHINE)
    swap("group: method", "group: The method")(sample / PAGE)
    swap('machine_stated = "one sample GPU"', "machine_stated = 1")(sample / RUN)
    swap('kind = "statement"', 'kind = "guess"')(sample / RUN)
    swap("sample-model,lighthouse,320x180,2,28.3", "sample-modell,lighthouse,320x180,-2,28.3")(
        sample / CLIPS
    )
    swap("2/2/4,13.3", "2/2/4,0")(sample / CLIPS)
    add("third,published,sample-modell,lighthous,320x180,2,1,1,,gone\n")(sample / CLIPS)

    assert complaints(sample) == [
        f"{SITE} $.tagline: is missing; add it: One line under the name.",
        f'{SITE} $.taglin: nothing is called "taglin" here; did you mean "tagline"?',
        f"{PROMPT} $.title: is empty; write it: Short name.",
        f'{PIPELINE} $.content_rate_hz: "many" is no number; '
        "write digits, such as 49.3 or 30000/1001",
        f"{MACHINE} $.source: is missing; add it: Who states these figures.",
        f'{MACHINE} $.sources: nothing is called "sources" here; did you mean "source"?',
        f'{PAGE} $.group: "The method" does not fit; '
        "write an id of small letters, digits and single hyphens or dots",
        f"{RUN} $.machine_stated: 1 is no text; put it in quotes",
        f'{RUN} $.claims[2]: "guess" is no kind of claim; '
        "write kind = one of: duration, fps-from-frames, statement",
        f"{CLIPS} line 2, steps: -2 is no step count; write 1 or more, or 2/2/2 for stages",
        f"{CLIPS} line 3, fps: 0 is not greater than 0; write a number above 0, or leave it out",
        f'{CLIPS} line 4, pipeline: no pipeline "sample-modell"; did you mean "sample-model"?',
        f'{CLIPS} line 4, prompt: no prompt "lighthous"; did you mean "lighthouse"?',
        f'{PRESET} $.clips[1]: no clip "cards--fats"; did you mean "cards--fast"?',
    ]


@pytest.mark.parametrize("blank_lines", [0, 2])
def test_front_matter_that_is_no_yaml_is_named_with_its_line(sample, blank_lines):
    swap("---\ntitle: Lighthouse", "---\n" + "\n" * blank_lines + "title: a: b")(sample / PROMPT)

    found = complaints(sample)

    assert len(found) == 1
    where = (
        f"{PROMPT} line {2 + blank_lines}: the front matter is no valid YAML: mapping values are"
    )
    assert found[0].startswith(where)
    assert found[0].endswith("; mend the syntax there")


def test_the_message_holds_a_line_per_complaint(sample):
    swap("content_rate_hz = 16", "content_rate_hz = -1")(sample / PIPELINE)
    swap("memory_gb = 80", "memory_gb = 0")(sample / MACHINE)

    with pytest.raises(ContentError) as caught:
        load(Project(root=sample))

    assert len(str(caught.value).splitlines()) == 2
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("given", ["https://example.net/a", "https://example.net/a/"])
def test_another_base_address_may_be_given(given):
    assert load(Project(root=SAMPLE), base_url=given).site.base_url == "https://example.net/a/"


@pytest.mark.parametrize("given", ["", "example.net", "ftp://example.net/"])
def test_a_given_base_address_must_be_one(given):
    with pytest.raises(UsageError, match=r"--base-url .*: no web address"):
        load(Project(root=SAMPLE), base_url=given)


def test_numbers_keep_the_decimals_they_were_written_with(sample):
    swap("28.3", "30000/1001")(sample / CLIPS)
    swap("13.3", "49.300")(sample / CLIPS)

    fps = [clip.fps for clip in load(Project(root=sample)).clips[2:]]

    assert fps == [Fraction(30000, 1001), Fraction(493, 10)]


def test_columns_of_one_s_own_are_carried_along(sample):
    swap("frames,url", "x-vram gb,url")(sample / CLIPS)

    clips = load(Project(root=sample)).clips

    assert [clip.extra for clip in clips[2:]] == [(("vram gb", "567"),), ()]


def test_tables_of_spreadsheets_are_read(sample):
    """A byte order mark and carriage returns are no mistakes."""
    text = (sample / CLIPS).read_text("utf-8")
    (sample / CLIPS).write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    plain = load(Project(root=SAMPLE)).clips

    assert load(Project(root=sample)).clips == tuple(replace(clip) for clip in plain)


def test_a_card_has_as_many_frames_as_its_code_can_number():
    assert CARD.max_frames == 1 << framecode.BITS
