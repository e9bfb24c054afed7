"""A Chromium, clips to show it, and a loopback server to show them from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import REMEDY, find
from playwright.sync_api import Browser

from generator import build as building
from generator.project import Project
from generator.publish.serve import application

from .fixture import fixture_app
from .footage import Reel, card_reel, format_reel, real_reel
from .launch import open_chromium
from .loopback import serving


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program of a Chromium; skips aloud, with the remedy, where there is none."""
    program = find()
    if program is None:
        pytest.skip(REMEDY)
    return program


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One a module: an open Playwright keeps an event loop, which other tests need for theirs."""
    with open_chromium(chromium) as opened:
        yield opened


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/sample, built; nothing may write there."""
    root = tmp_path_factory.mktemp("site") / "sample"
    shutil.copytree(Path(__file__).resolve().parents[1] / "sample", root)
    building.build(Project(root=root), building.Options(base_url="https://sample.example/"))
    return root / "site"


@pytest.fixture(scope="session")
def base(site: Path) -> Iterator[str]:
    """Address of the built sample, under the headers that it is published with."""
    with serving(application(site)) as address:
        yield address


@pytest.fixture(scope="session")
def formats(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    """Cards of every codec, by names such as "vp9-30"."""
    return format_reel(tmp_path_factory.mktemp("formats"))


@pytest.fixture(scope="session")
def formats_base(formats: Reel) -> Iterator[str]:
    """Address of the fixture pages showing those."""
    with serving(fixture_app(list(formats.clips.values()))) as base:
        yield base


@pytest.fixture(scope="session")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Reel:
    return card_reel(tmp_path_factory.mktemp("cards"))


@pytest.fixture(scope="session")
def cards_base(cards: Reel) -> Iterator[str]:
    """Address of the fixture pages showing test cards."""
    with serving(fixture_app(list(cards.clips.values()))) as base:
        yield base


@pytest.fixture(scope="session")
def real(archive: Path) -> Reel:
    return real_reel(archive)


@pytest.fixture(scope="session")
def real_base(real: Reel) -> Iterator[str]:
    """Address of the fixture pages showing the original page's clips."""
    with serving(fixture_app(list(real.clips.values()))) as base:
        yield base
