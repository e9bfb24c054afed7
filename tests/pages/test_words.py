"""Numbers in words, and addresses from page to page."""

from __future__ import annotations

from fractions import Fraction
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.pages import addresses, words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction("49.3"), "49.3"),
        (Fraction(24), "24.0"),
        (Fraction(30000, 1001), "29.97"),
        (Fraction("23.976"), "23.976"),
        (Fraction(1, 3), "0.333"),
        (None, "not stated"),
    ],
)
def test_rates(value: Fraction | None, text: str) -> None:
    assert words.rate(value) == text


@given(st.fractions(min_value=0, max_value=10_000))
def test_a_decimal_is_the_nearest_one(value: Fraction) -> None:
    shown = Fraction(words.decimal(value, least=1, most=3).replace("\u202f", ""))

    assert abs(shown - value) <= Fraction(1, 2000)


@pytest.mark.parametrize(
    ("address", "here", "written"),
    [
        ("", "index.html", "./"),
        ("", "clips/x/index.html", "../../"),
        ("archive/", "index.html", "archive/"),
        ("archive/", "archive/index.html", "./"),
        ("method/#claims", "clips/x/index.html", "../../method/#claims"),
        ("compare/?a=1&b=2", "clips/x/index.html", "../../compare/?a=1&b=2"),
        ("media/0.webm", "clips/x/index.html", "../../media/0.webm"),
        ("https://example.org/a b", "clips/x/index.html", "https://example.org/a b"),
    ],
)
def test_references_are_relative(address: str, here: str, written: str) -> None:
    assert addresses.reference(address, here) == written


_SEGMENT = st.sampled_from(["clips", "a", "b", "page-2", "x.json", "c d"])
_FOLDERS = st.lists(_SEGMENT, max_size=4).map(lambda names: "".join(f"{name}/" for name in names))


@given(
    _FOLDERS, st.one_of(st.just(""), _SEGMENT), st.sampled_from(["", "#c", "?a=1&b=2"]), _FOLDERS
)
def test_a_reference_leads_where_it_should(folders: str, name: str, rest: str, at: str) -> None:
    """As the standard library resolves it, from any page."""
    address, page = folders + name + rest, f"https://example.org/{at}index.html"

    led = urljoin(page, addresses.reference(address, f"{at}index.html"))

    assert led == f"https://example.org/{address}"


def test_the_lost_page_names_the_root() -> None:
    assert addresses.rooted("archive/", "https://example.org/sub/") == "/sub/archive/"
