"""What would be broken in a browser is found before it is published."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.publish.check import Outline, outline, parsed_outline, problems, unsound

HERE = Path(__file__).resolve().parent.parent
GOLDEN = sorted((HERE / "golden").rglob("*.html"))
PIECES = [
    *("<a ", "<img ", "<p ", "<script ", "</script>", "<style>", "<!--", "-->", ">", "/>", " "),
    *('href="a/"', "href='a/'", "href=a/", 'HREF="b/"', 'id="x"', 'id="y"', "id", 'src="c.js"'),
    *('type="application/json"', 'style="x"', 'onclick="x"', "text", "&amp;", '"', "'", "=", "<"),
    *("</a ", "<title>", "</title>", "<!doctype html>", "/", '<b id="z">', '<i href="d/">'),
]
GOOD = '<!doctype html><title>x</title><h1 id="top">x</h1>'


def test_a_sound_site_has_no_problems(tmp_path: Path) -> None:
    picture = tmp_path / "p.webp"
    picture.write_bytes(b"")
    texts = {
        "index.html": GOOD + '<a href="a/">a</a><a href="a/#here">h</a><img src="media/p.webp">',
        "a/index.html": GOOD
        + '<p id="here"><a href="../">home</a><a href="../?x=1#top">t</a><a href="#here">h</a>'
        + '<a href="https://example.org/">out</a><a href="mailto:a@example.org">m</a>'
        + '<script type="application/ld+json">{}</script>',
        "404.html": GOOD + '<a href="/sub/a/">a</a>',
    }
    assert problems(texts, {"media/p.webp": picture}, base_path="/sub/") == []


def test_each_kind_of_break_is_named(tmp_path: Path) -> None:
    sheet, script = tmp_path / "s.css", tmp_path / "m.js"
    sheet.write_text("@font-face{src:url(../fonts/gone.woff2)}")
    script.write_text("import {a} from './gone.js';\nexport const b = 1;\n")
    texts = {
        "index.html": GOOD
        + '\n<a href="nowhere/">x</a>'
        + '\n<a href="a/#gone">x</a>'
        + '\n<a href="../../up">x</a>'
        + '\n<p id="top" style="color:red" onclick="x()">'
        + "\n<script>alert(1)</script>"
        + '\n<img src="">'
        + '\n<img src="a.png" srcset="b.png 2x">',
        "a/index.html": GOOD,
        "404.html": GOOD + '<a href="/other/">x</a>',
    }
    found = problems(texts, {"css/s.css": sheet, "js/m.js": script}, base_path="/sub/")
    expected = [
        'the id "top" stands twice',
        "line 5: style would be blocked",
        "line 5: onclick would be blocked",
        "line 6: <script> would be blocked",
        '"nowhere/" leads nowhere',
        'nothing on a/index.html has the id "gone"',
        '"../../up" leads outside',
        "the address is empty",
        '"a.png" leads nowhere',
        '"b.png" leads nowhere',
        '"/other/" leads outside',
        'css/s.css: "../fonts/gone.woff2" leads nowhere',
        'js/m.js: "./gone.js" leads nowhere',
    ]
    for words in expected:
        assert any(words in problem for problem in found), (words, found)
    assert len(found) == len(expected), found


UNUSUAL = {
    "comment": GOOD + '<!-- <a href="nowhere/" id="top"> -->',
    "text": GOOD + '<p>write <code>x id="a" href="b/"</code></p>',
    "single quotes": GOOD + "<a href='nowhere/'>x</a>",
    "bare": GOOD + "<a href=nowhere/>x</a>",
    "spaced": GOOD + '<a href = "nowhere/">x</a>',
    "capitals": GOOD + '<A HREF="nowhere/">x</A>',
    "entity": GOOD + '<a href="?a=1&amp;b=2#t&#111;p">x</a>',
    "style": GOOD + '<p style="color:red">x',
    "handler": GOOD + '<p onclick="x()">x',
    "sheet": GOOD + "<style>p{}</style>",
    "script": GOOD + "<script>1</script>",
    "module": GOOD + '<script type="module" src="a.js"></script>',
    "data": GOOD + '<script type="application/ld+json">{"href": "id=\\"x\\""}</script>',
    "twice": GOOD + '<p id="top">',
    "sources": GOOD + '<img srcset="a.png 1x, b.png 2x" src="a.png">',
    "upwards": GOOD + '<a href="../../x">x</a>',
    "broken": GOOD + '<a href="http://[x">x</a>',
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_the_quick_outline_is_the_parser_s(text: str) -> None:
    for name in ("index.html", "a/b/index.html"):
        assert outline(name, text, base_path="/sub/") == parsed_outline(
            name, text, base_path="/sub/"
        )


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.relative_to(HERE).as_posix())
def test_outlines_of_real_pages_are_the_parser_s(path: Path) -> None:
    name, text = path.relative_to(HERE / "golden").as_posix(), path.read_text("utf-8")
    assert outline(name, text) == parsed_outline(name, text)


@settings(max_examples=2000, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_outlines_of_any_heap_of_pieces_are_the_parser_s(text: str) -> None:
    assert outline("a/index.html", text) == parsed_outline("a/index.html", text)


def test_a_page_is_unsound_exactly_when_something_is_wrong_with_it(tmp_path: Path) -> None:
    """What outlines tell and what the parser says of whole sites agree."""
    for name, text in UNUSUAL.items():
        texts = {"index.html": text, "a/index.html": GOOD, "a.js": "", "a.png": ""}
        outlines: dict[str, Outline] = {
            page: outline(page, html) for page, html in texts.items() if page.endswith(".html")
        }
        assert bool(unsound(outlines, texts)) == bool(problems(texts, {})), name
