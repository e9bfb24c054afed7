"""What is read in a prompt: every word is accounted for; the archive's prompts read as meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generator.errors import UsageError
from generator.lab import prompts
from generator.lab.prompts import Known, read

DETECTIVE = (
    "A cinematic low-angle tracking shot of a cyberpunk detective walking down a neon-lit alleyway "
    "in the rain, 8k, photorealistic."
)
METROPOLIS = (
    "A dynamic drone shot sweeping over a futuristic sci-fi metropolis with flying cars and "
    "massive holographic advertisements, vivid colors, 4k."
)
ONLY_METROPOLIS = {"traffic", "billboards", "bank", "pitch", "skyline"}
KNOWN = tuple(
    Known(
        name=one.name,
        unit="share",
        spans={"metropolis": (0.0, 2.0, 1.0)}
        if one.name in ONLY_METROPOLIS
        else {"alley": (0.0, 1.0, 0.5), "metropolis": (0.0, 2.0, 1.0)},
    )
    for one in prompts.of_tables()
)
WORDS = st.sampled_from(
    sorted(
        {
            *(word for table in (prompts.THINGS, prompts.LOOKS, prompts.DEGREES) for word in table),
            *(word for words in prompts.SCENES.values() for word in words),
            *prompts.FILLER,
            *("photorealistic", "8k", "zebra", "very", "of"),
        }
    )
)
PROMPTS = st.lists(WORDS, min_size=1, max_size=14).map(" ".join)


def test_the_archives_prompts_read_as_they_are_meant() -> None:
    detective = read(DETECTIVE, KNOWN)
    assert detective.scene == "alley"
    assert detective.said == {"camera_height": "low angle", "neon": "neon lit", "rain": "rain"}
    assert detective.shares["camera_height"] < 0.2 < 0.5 < detective.shares["rain"]
    assert detective.unread == ("cinematic", "8k", "photorealistic")

    drone = read(METROPOLIS, KNOWN)
    assert drone.scene == "metropolis"
    assert drone.said["billboards"] == "massive holographic advertisements"
    assert drone.shares["billboards"] == 0.9
    assert set(drone.said) == {"speed", "bank", "traffic", "billboards", "neon"}
    assert drone.unread == ("futuristic", "sci", "fi", "4k")


@pytest.mark.parametrize(
    ("prompt", "name", "share"),
    [
        ("an alley without rain", "rain", 0.0),
        ("an alley in heavy rain", "rain", 0.9),
        ("an alley in the rain", "rain", 0.6),
        ("a dry alley", "rain", 0.0),
        ("an alley, rain, then dry", "rain", 0.0),
        ("a few people in an alley", "crowd", 0.25),
        ("an alley", "crowd", 0.5),
    ],
)
def test_degrees_and_the_last_word_count(prompt: str, name: str, share: float) -> None:
    assert read(prompt, KNOWN).shares[name] == share


@pytest.mark.parametrize("prompt", ["", "a lighthouse at dawn", "very heavy rain"])
def test_a_prompt_without_a_scene_is_refused_and_told_which_there_are(prompt: str) -> None:
    with pytest.raises(UsageError, match=r"names no scene that Neon knows; it has two: alley"):
        read(prompt, KNOWN)


def test_what_the_scene_does_not_have_is_unread() -> None:
    """Billboards of a metropolis in an alley say nothing, and neither does their degree."""
    reading = read("an alley with massive holographic advertisements", KNOWN)
    assert reading.unread == ("massive", "holographic", "advertisements")
    assert "billboards" not in reading.shares


@pytest.mark.parametrize("look", prompts.OF_THE_STREET)
def test_looks_of_the_street_say_nothing_of_a_metropolis(look: str) -> None:
    """Ground level is not 170 m above it."""
    assert read(f"{look} shot of an alley", KNOWN).said["camera_height"] == look
    drone = read(f"{look} drone shot over a metropolis", KNOWN)
    assert drone.unread == tuple(look.split())
    assert "camera_height" not in drone.said


def test_words_of_other_scripts_are_unread_whole() -> None:
    assert read("Ünïcode alley, 日本 street_sign", KNOWN).unread == ("ünïcode", "日本", "sign")


@settings(max_examples=200, deadline=None)
@given(PROMPTS)
def test_every_word_is_said_passed_over_or_unread(prompt: str) -> None:
    """Nothing is swallowed: what is not unread is in a table that the reading used."""
    try:
        reading = read(prompt, KNOWN)
    except UsageError:
        return
    used = {
        *(w for said in reading.said.values() for w in said.split()),
        *prompts.FILLER,
        *(w for words in prompts.SCENES[reading.scene] for w in words.split()),
        *reading.unread,
    }
    overruled = {
        w
        for table in (prompts.THINGS, prompts.LOOKS, prompts.DEGREES)
        for phrase in table
        for w in phrase.split()
    }
    words = set(re.findall(r"[a-z0-9]+", prompt.lower()))
    assert words - overruled <= used
    assert set(reading.unread) <= words
    assert all(0 <= share <= 1 for share in reading.shares.values())
    assert set(reading.shares) == {one.name for one in KNOWN if reading.scene in one.spans}


@settings(max_examples=100, deadline=None)
@given(PROMPTS, st.sampled_from(["zebra", "xylophone", "blurple"]))
def test_an_unknown_word_changes_nothing_and_is_told(prompt: str, word: str) -> None:
    try:
        before = read(prompt, KNOWN)
    except UsageError:
        return
    after = read(f"{prompt}, {word}!", KNOWN)
    assert (after.scene, after.shares) == (before.scene, before.shares)
    assert after.unread == (*before.unread, word)


@settings(max_examples=100, deadline=None)
@given(PROMPTS)
def test_case_and_punctuation_say_nothing(prompt: str) -> None:
    def tried(text: str) -> object:
        try:
            return read(text, KNOWN)
        except UsageError:
            return None

    assert tried(prompt.upper().replace(" ", ", ")) == tried(prompt)


@settings(max_examples=50, deadline=None)
@given(PROMPTS)
@example("flight tracking shot")
def test_there_is_another_prompt_for_each(prompt: str) -> None:
    """Found: one that names both scenes as often was taken for the wrong one."""
    other = read(prompts.unlike(prompt), KNOWN)
    try:
        assert read(f"{prompt}", KNOWN).shares != other.shares
    except UsageError:
        return


def test_values_are_told_in_the_models_units() -> None:
    known = (Known(name="rain", unit="mm/h", spans={"alley": (0.0, 50.0, 25.0)}),)
    assert read("an alley in heavy rain", known).told(known) == (
        'scene alley; rain 45 mm/h ("heavy rain")'
    )
    assert read("an alley", known).told(known) == "scene alley; usual: rain 25 mm/h"


def test_the_documentation_holds_the_tables() -> None:
    """docs/neon.md ends with what `prompts.tables()` gives."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "neon.md").read_text("utf-8")
    assert page.endswith(prompts.tables() + "\n")


def test_prompts_that_name_no_scene_are_all_told_before_a_cell_is_made() -> None:
    pytest.importorskip("torch", reason="the extra `lab` is not installed: no torch")
    from generator.lab.generate import heard_of
    from generator.lab.pipelines import Heard
    from generator.lab.record import Cell

    class Reads:
        def heard(self, prompt: str) -> Heard:
            reading = read(prompt, KNOWN)
            return Heard(told=reading.told(KNOWN), unread=reading.unread)

    texts = {"sea": "a lighthouse", "lane": "an alley", "wood": "some trees"}
    cells = [
        Cell(pipeline="neon", prompt=name, text=text, width=64, height=64, steps=(2,), seed=0)
        for name, text in texts.items()
    ]
    with pytest.raises(UsageError, match=r"(?s)^sea: .*lighthouse.*\nwood: .*some trees"):
        heard_of(Reads(), cells)  # type: ignore[arg-type]
    assert heard_of(Reads(), cells[1:2])["lane"].unread == ()  # type: ignore[arg-type]
