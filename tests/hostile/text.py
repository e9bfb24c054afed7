"""Texts that would be more than text: code, addresses that run, marks that hide, and floods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hostile.ended import Hostile
from hostile.tables import sparse, write

SITE = "content/site.toml"
PROMPT = "content/prompts/lighthouse.md"
PAGE = "content/pages/protocol.md"
RUN = "content/runs/elsewhere/run.toml"
CLIPS = "content/runs/elsewhere/clips.csv"
MIB = 1 << 20


def swap(name: str, old: str, new: str) -> Callable[[Path], None]:
    """Replace the one place of a file that holds `old`."""

    def make(root: Path) -> None:
        path = root / name
        text = path.read_text("utf-8")
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), "utf-8")

    return make


def prompt(front: str = "", body: str = "") -> Callable[[Path], None]:
    return write(PROMPT, f"---\ntitle: Lighthouse\ntext: A tower.\n{front}---\n{body}")


def page(body: str) -> Callable[[Path], None]:
    return write(
        PAGE, f"---\ntitle: Protocol\nsummary: What is meant.\ngroup: method\n---\n{body}\n"
    )


def matter(front: str, says: str) -> Hostile:
    """Front matter that is refused."""
    return Hostile(make=prompt(front), says=f"{PROMPT}{says}")


def prose(body: str, says: str) -> Hostile:
    """Markdown that is refused; its first line is the file's sixth."""
    return Hostile(make=page(body), says=f"{PAGE} {says}")


BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
YAML = "the front matter is no valid YAML:"
MEND = "mend the syntax there"
TURNS = (
    "which turns the direction of the text around it; take it out: letters have their direction "
    "by themselves"
)

REFUSED: dict[str, Hostile] = {
    "yaml-bomb": matter(BOMB, f' line 5: {YAML} "*a0" refers to another place; {MEND}'),
    "yaml-python-object": matter(
        "order: !!python/object/apply:os.system [touch executed]\n",
        f' line 4: {YAML} "tag:yaml.org,2002:python/object/apply:os.system" is a tag; {MEND}',
    ),
    "yaml-nested-deep": matter(
        f"order: {'[' * 5000}\n", f" line 4: {YAML} lists stand in lists without end; {MEND}"
    ),
    "yaml-half-a-character": matter(
        'order: "\\ud800"\n',
        f" line 4: {YAML} found invalid Unicode character escape code; {MEND}",
    ),
    "toml-nested-deep": Hostile(
        make=write(SITE, f"title = {'[' * 100_000}"),
        says=f"{SITE}: lists stand in lists without end; write fewer brackets",
    ),
    "toml-number-of-5000-digits": Hostile(
        make=write(SITE, f"title = {'9' * 5000}"),
        says=f"{SITE}: holds a number of thousands of digits; shorten it",
    ),
    "toml-of-200-mb": Hostile(
        make=sparse(SITE, 200 * MIB, b'title = "a'),
        says=f"{SITE}: holds 200.0 MiB, of which at most 0.25 are read; "
        "shorten it, or spread it over several files",
    ),
    "line-of-1-mb": Hostile(
        make=page("a" * MIB),
        says=f"{PAGE}: holds 1.0 MiB, of which at most 0.25 are read; "
        "shorten it, or spread it over several files",
    ),
    "markdown-brackets": prose(
        "![a](" * 1990, "line 6: more than 1000 square brackets are too many; write fewer"
    ),
    "markdown-quotes-in-quotes": prose(
        "> " * 4000, "line 6: quotes in quotes, 20 deep are too many; write fewer"
    ),
    "markdown-wide-table": prose(
        "a|" * 4000 + "\n" + "-|" * 4000 + "\n" + "|\n" * 500,
        "line 6: a paragraph of 17001 characters is too long; "
        "part it with blank lines into pieces of at most 10000",
    ),
    "markdown-that-unfolds": Hostile(
        make=page(f"[a]: https://example.org/{'x' * 9000}\n\n" + "[a] " * 450),
        says=f"{PAGE}: unfolds to more than 1048576 characters of HTML; "
        "define shorter links and notes",
    ),
    "markdown-same-headings": prose(
        "# a\n\n" * 10_000, "line 606: more than 300 headings are too many; write fewer"
    ),
    "image-of-another-host": Hostile(
        make=page("![](//evil.example/pixel.png)"),
        says=f'{PAGE}: the image "//evil.example/pixel.png" is of another host, from which pages '
        "load nothing; write a link to it instead",
    ),
    "bidi-override-in-a-title": Hostile(
        make=swap(SITE, "Sample archive", "Sample \u202earchive"),
        says=f'{SITE} $.title: "Sample �archive" holds U+202E, {TURNS}',
    ),
    "bidi-override-as-an-entity": Hostile(
        make=page("a &#x202e; b"),
        says=f"{PAGE}: holds U+202E, which cannot be seen and changes what is shown; take it out",
    ),
    "control-characters-in-prose": Hostile(
        make=page("a\n\nb \x1b[2J c"),
        says=f"{PAGE} line 8: holds U+001B, which cannot be seen and changes what is shown; "
        "take it out",
    ),
    "javascript-as-an-address": Hostile(
        make=swap(SITE, 'https://example.org/" }', 'javascript:alert(1)" }'),
        says=f'{SITE} $.links[0].url: "javascript:alert(1)" is no web address; '
        "write one that begins with https://",
    ),
    "a-thousand-claims": Hostile(
        make=lambda root: write(
            RUN,
            (root / RUN).read_text("utf-8")
            + "".join(
                f'\n[[claims]]\nkind = "statement"\nid = "c{i}"\nsays = "a"\nreason = "b"\n'
                for i in range(1000)
            ),
        )(root),
        says=f"{RUN} $.claims: this list holds too much; write 200 entries or fewer",
    ),
}

RUNS = (
    "<script>globalThis.pwned = 1</script>",
    '<img src=/404.html onerror="globalThis.pwned = 2">',
    '"><svg onload="globalThis.pwned = 3">',
    "</script><script>globalThis.pwned = 4</script>",
    "{{ 7 * 7 }} {% for a in ().__class__.__bases__ %}x{% endfor %} {# gone #} ${7*7} #{7*7}",
    "javascript:globalThis.pwned = 5",
    "\u2028globalThis.pwned = 6\u2029//",
    "<!--<script>]]>",
    "' onmouseover='globalThis.pwned = 7' x='",
    "&lt;script&gt;globalThis.pwned = 8&lt;/script&gt;",
)
"""Texts that run where somebody forgets that they are texts."""
PROSE = (
    *RUNS,
    "[a](javascript:globalThis.pwned=9) [b](JaVaScRiPt&colon;globalThis.pwned=9)",
    "[c](data:text/html,<script>globalThis.pwned=9</script>) [d](vbscript:x)",
    "![e](javascript:globalThis.pwned=9) ![f](data:image/svg+xml,<svg/onload=globalThis.pwned=9>)",
    '<a href="java&#10;script:globalThis.pwned=9" onclick="globalThis.pwned=9" id="x">g</a>',
    '<iframe srcdoc="<script>parent.pwned=9</script>"></iframe><object data="x"></object>',
    '<style>body{display:none}</style><link rel="stylesheet" href="//evil.example/x.css">',
    '<form action="//evil.example/"><button>h</button></form><base href="//evil.example/">',
    '<math><mtext><table><mglyph><style><img src=/404.html onerror="pwned=9"></style></table>',
    '<svg><script>globalThis.pwned=9</script><a xlink:href="javascript:globalThis.pwned=9">i</a>',
    '<noscript><p title="</noscript><img src=/404.html onerror=globalThis.pwned=9>"></noscript>',
    '<meta http-equiv="refresh" content="0;url=//evil.example/"><p style="position:fixed">j</p>',
    "`<script>globalThis.pwned=9</script>`\n\n    <script>globalThis.pwned=9</script>\n",
    "שלום עולם, مرحبا: right to left by their own letters",
)
FORMULAS = (
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    " =1",
    "＝1",
    "-3.5",
    "+7",
    "x",
)
"""The last three are no formulas."""


def _toml(text: str) -> str:
    return (
        '"'
        + "".join(f"\\u{ord(sign):04x}" if sign in '"\\\u2028\u2029\t' else sign for sign in text)
        + '"'
    )


def harmless(root: Path) -> None:
    """Every place of content/ that holds text holds all of these."""
    nasty = " ".join(RUNS)
    notes = "\n\n".join(PROSE)
    quoted = _toml(nasty)
    base = 'base_url = "https://example.org/sample/"'
    write(
        SITE,
        f"title = {quoted}\ntagline = {quoted}\ndescription = {quoted}\n{base}\n"
        f"hero = [{quoted}]\n"
        f'links = [{{ title = {quoted}, url = "https://example.org/?a=<b>" }}]\n',
    )(root)
    write(
        "content/presets/slow-and-fast.md",
        f"---\ntitle: {quoted}\nsummary: {quoted}\nclips: [cards--slow, cards--fast]\n"
        f"---\n{notes}\n",
    )(root)
    write(PROMPT, f"---\ntitle: {quoted}\ntext: {quoted}\n---\n{notes}\n")(root)
    write(PAGE, f"---\ntitle: {quoted}\nsummary: {quoted}\ngroup: method\n---\n{notes}\n")(root)
    write(
        "content/pages/more-cells.md",
        f"---\ntitle: {quoted}\nsummary: {quoted}\ngroup: plans\nkind: plan\n---\n{notes}\n",
    )(root)
    for name in ("sample-model", "test-card"):
        renderer = 'renderer = "test-card"\n' if name == "test-card" else ""
        write(
            f"content/pipelines/{name}.toml",
            f"title = {quoted}\nsummary = {quoted}\nparameters = {quoted}\nlicence = {quoted}\n"
            f"notes = '''\n{notes.replace(chr(39) * 3, '')}'''\n{renderer}",
        )(root)
    write(
        "content/machines/sample-gpu.toml",
        f"title = {quoted}\nsource = {quoted}\nnotes = {quoted}\nmemory_gb = 1e308\n",
    )(root)
    text = (root / RUN).read_text("utf-8")
    for old in (
        *('"Two cells without clips"', '"nobody: sample data"', '"one sample GPU"'),
        *('"As published"', '"output FPS as stated"', '"Every clip lasts exactly 20 s"'),
        *('"Every clip is said to last 20 s."', '"Caches were wiped before each clip"'),
        *('"Numbers of two cells whose clips could not be had."', '"There are no clips."'),
        '"A clip shows no state of the process that made it."',
        *('"Sample server"', '"Example"'),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, quoted)
    write(RUN, text.replace("published = 2026-01-01", "published = 9999-12-31"))(root)
    gone = nasty.replace('"', '""')
    rows = [
        f'cell-{i},published,sample-model,lighthouse,320x180,2,28.3,"{gone}","{formula}"'
        for i, formula in enumerate(FORMULAS)
    ]
    header = "id,series,pipeline,prompt,size,steps,fps,no_clip,x-formula"
    write(CLIPS, "\n".join([header, *rows, ""]))(root)
    for name in ("all-four", "without-clips"):  # of rows that were there before
        (root / f"content/presets/{name}.md").unlink()
