"""What would be broken in a browser is found before it is published."""

from pathlib import Path

from generator.publish.check import problems

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
