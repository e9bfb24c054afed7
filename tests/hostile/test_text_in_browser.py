"""Hostile texts in every place that holds text: published, they are read, and nothing of them runs.

The site is served with its own headers to a real Chromium.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from browser.launch import WATCH, open_chromium
from browser.loopback import serving
from chromium import REMEDY, find
from hostile import text
from hostile.ended import run

from generator.publish.serve import application

SAMPLE = Path(__file__).resolve().parents[1] / "sample"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("text") / "sample"
    shutil.copytree(SAMPLE, root)
    text.harmless(root)
    ended = run(root, "build", "--base-url", "https://sample.example/")
    assert (ended.code, ended.err) == (0, "")
    assert ended.peak_mib < 400
    return root / "site"


@pytest.mark.browser
def test_nothing_of_content_runs(site: Path) -> None:
    """On no page: no dialog, no error, no policy broken, no name set, nobody else asked."""
    program = find()
    if program is None:
        pytest.skip(REMEDY)
    pages = sorted(
        path.relative_to(site).as_posix().removesuffix("index.html")
        for path in site.rglob("*.html")
    )
    assert len(pages) > 20
    found: dict[str, list[str]] = {}
    with open_chromium(program) as browser, serving(application(site)) as base:
        page = browser.new_page()
        page.add_init_script(WATCH)
        said: list[str] = []
        page.on("console", lambda one: said.append(f"{one.type}: {one.text}"))
        page.on("pageerror", lambda one: said.append(str(one)))

        def dismissed(dialog: object) -> None:
            said.append("a dialog")
            dialog.dismiss()  # type: ignore[attr-defined]

        page.on("dialog", dismissed)
        page.on(
            "request",
            lambda one: (
                said.append(one.url) if not one.url.startswith((base, "data:", "blob:")) else None
            ),
        )
        for name in pages:
            page.goto(f"{base}/{name}")
            page.wait_for_load_state("networkidle")
            said += page.evaluate("violations")
            said += page.evaluate("'pwned' in globalThis ? [`pwned ${pwned}`] : []")
            for link in page.locator("a[href]").evaluate_all(
                "all => all.map(a => new URL(a.getAttribute('href'), document.baseURI).protocol)"
            ):
                if link not in ("http:", "https:", "mailto:"):
                    said.append(f"a link to {link}")
            if said:
                found[name] = list(said)
                said.clear()
        page.goto(f"{base}/compare/?a=cards--slow&b=cell")
        page.get_by_role("combobox", name="A", exact=True).fill("<script>")
        page.wait_for_timeout(200)
        assert page.evaluate("'pwned' in globalThis") is False
        page.close()
    assert found == {}


def test_what_was_written_is_what_is_read(site: Path) -> None:
    """Escaping loses nothing: the data files give back each text, sign for sign."""
    archive = json.loads((site / "data" / "archive.json").read_text("utf-8"))
    nasty = " ".join(text.RUNS)
    one = next(clip for clip in archive["clips"] if clip["id"] == "elsewhere--cell-0")

    assert archive["site"]["title"] == nasty
    assert archive["prompts"][0]["text"] == nasty
    assert one["missing"] == nasty
    feed = ElementTree.parse(site / "feed.xml")
    assert feed.findtext("{http://www.w3.org/2005/Atom}title") == nasty


def test_no_cell_of_the_table_is_a_formula(site: Path) -> None:
    """Spreadsheets run what begins so; numbers stay numbers, and JSON keeps every text as it is."""
    with (site / "data" / "clips.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    archive = json.loads((site / "data" / "archive.json").read_text("utf-8"))
    exact = {clip["id"]: clip["extra"].get("formula") for clip in archive["clips"]}

    for i, formula in enumerate(text.FORMULAS):
        written = rows[f"elsewhere--cell-{i}"]["extra.formula"]
        assert exact[f"elsewhere--cell-{i}"] == formula.strip()
        if formula in ("-3.5", "+7", "x"):
            assert written == formula
        else:
            assert written == f"'{formula.strip()}"
    for row in rows.values():
        for cell in row.values():
            if cell[:1] in tuple("=+-@\t\r\n＝＋－＠"):
                float(cell)
