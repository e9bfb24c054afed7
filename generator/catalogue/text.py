"""Markdown in, safe HTML out.

The parser's time grows with the square of what some signs number, and a few lines can unfold to
gigabytes. Texts therefore have limits, generous to prose; what keeps within them is rendered in
seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import markdown
import nh3

from generator.catalogue.forms import CONTROL, DIRECTION

__all__ = ["faults", "limits", "prose", "to_html"]

EXTENSIONS = ("tables", "fenced_code", "footnotes", "sane_lists", "toc", "def_list", "abbr")

TAGS = {
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "sub", "sup", "abbr"),
    *("h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "a", "img", "div"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption"),
}
ATTRIBUTES = {
    "*": {"id"},
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "abbr": {"title"},
    "th": {"scope", "colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
    "ol": {"start"},
}

MAX_CHARS = 1 << 16
MAX_PARAGRAPH_CHARS = 10_000
MAX_CELLS = 20_000
MAX_HTML_CHARS = 1 << 20
LIMITS: tuple[tuple[str, str, int], ...] = (
    ("headings", r"(?m)^ {0,3}#|^[=-]+[ \t]*$", 300),
    ("square brackets", r"\[", 1000),
    ("footnote marks", r"\[\^", 200),
    ("definitions of links, notes and abbreviations", r"(?m)^ {0,3}\*?\[[^\]\n]*\]:", 300),
    ("definitions of terms", r"(?m)^ {0,3}:[ \t]", 150),
    ("fences", r"(?m)^ {0,3}(?:`{3}|~{3})", 200),
    ("backticks", r"`", 4000),
    ("angle brackets", r"<", 1000),
    ("comments and declarations", r"<[!?]", 20),
    ("abbreviations of more than 300 characters", r"(?m)^ {0,3}\*\[[^\]\n]*\]:.{300}", 0),
    ("quotes in quotes, 20 deep", r"(?m)^(?:[ \t]*>){20}", 0),
    ("lists in lists, 20 deep", r"(?m)^(?:[ \t]*(?:[-*+]|[0-9]{1,9}\.)[ \t]+){20}", 0),
)
"""What, how it is found, and how often it may stand in one text."""
ROW = re.compile(r"(?m)^.*\|.*$")
BLANK = re.compile(r"\n[ \t]*\n")
REMOTE_IMAGE = re.compile(r'<img[^>]*?\ssrc="((?:[A-Za-z][A-Za-z0-9+.-]*:|[/\\]{2})[^"]*)"')


def faults(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, problem, remedy) of everything for which this Markdown is not rendered."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)  # as the parser does
    if len(text) > MAX_CHARS:
        yield 1, f"{len(text)} characters are too much", f"write {MAX_CHARS} or fewer"
        return
    start = 0
    for part in (*BLANK.finditer(text), None):
        end = len(text) if part is None else part.start()
        if end - start > MAX_PARAGRAPH_CHARS:
            yield (
                _line(text, start),
                f"a paragraph of {end - start} characters is too long",
                f"part it with blank lines into pieces of at most {MAX_PARAGRAPH_CHARS}",
            )
        start = end if part is None else part.end()
    for what, pattern, most in LIMITS:
        found = next(islice(re.finditer(pattern, text), most, None), None)
        if found is not None:
            few = f"more than {most} {what}" if most else what
            yield _line(text, found.start()), f"{few} are too many", "write fewer"
    rows = [row[0].count("|") + 1 for row in ROW.finditer(text)]
    if rows and max(rows) * len(rows) > MAX_CELLS:
        yield (
            _line(text, next(ROW.finditer(text)).start()),
            f"tables of {len(rows)} lines with up to {max(rows)} cells are too large",
            f"keep lines times cells within {MAX_CELLS}",
        )


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def limits() -> list[str]:
    """What a text may hold, a phrase each."""
    return [
        f"{MAX_CHARS} characters, a paragraph {MAX_PARAGRAPH_CHARS}",
        *(f"{most} {what}" if most else f"no {what}" for what, _, most in LIMITS),
        f"tables of which lines times cells are at most {MAX_CELLS}",
        f"{MAX_HTML_CHARS} characters of HTML",
    ]


def prose(text: str) -> str | list[tuple[int, str, str]]:
    """Safe HTML of Markdown, or (line, problem, remedy) of everything that must not be in it.

    Lines count from the text's first; 0 where none can be named.
    """
    found = list(faults(text))
    if found:
        return found
    try:
        html = to_html(text)
    except RecursionError:
        return [(0, "lists or quotes stand in each other without end", "write fewer levels")]
    if len(html) > MAX_HTML_CHARS:
        problem = f"unfolds to more than {MAX_HTML_CHARS} characters of HTML"
        return [(0, problem, "define shorter links and notes")]
    for turned in (CONTROL, DIRECTION):
        sign = turned.search(html)
        if sign is not None:
            name = f"U+{ord(sign[0]):04X}"
            place = text.find(sign[0])
            found.append(
                (
                    _line(text, place) if place >= 0 else 0,
                    f"holds {name}, which cannot be seen and changes what is shown",
                    "take it out",
                )
            )
    found += [
        (
            0,
            f'the image "{address[:80]}" is of another host, from which pages load nothing',
            "write a link to it instead",
        )
        for address in REMOTE_IMAGE.findall(html)
    ]
    return found or html


def to_html(text: str) -> str:
    """Render Markdown and keep only what prose needs: no script, style, handler or odd scheme.

    A `# heading` becomes an h2: the page's title is the only h1.
    """
    html = markdown.markdown(
        text,
        extensions=list(EXTENSIONS),
        extension_configs={"toc": {"baselevel": 2}},
        output_format="html",
    )
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener",
    )
