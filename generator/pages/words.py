"""Numbers and records in words. What is not known is said as such, never filled in."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from generator.measure import decimals
from generator.records import Display, Facts, Label, Outcome

NOT_STATED = "not stated"

LABELS = {
    Label.PUBLISHED_ELSEWHERE: (
        "Somebody else measured and published the number. We repeat it with its source and hold "
        "it against the file as far as a file can tell."
    ),
    Label.MEASURED_HERE: (
        "This project measured the number. The run records machine, software, weights, seed and "
        "protocol."
    ),
    Label.PROJECTED: (
        "A model of the hardware gives the number; nothing has run. It never shares a line with "
        "a measurement."
    ),
    Label.DECLARED: (
        "A test card: the rate was ordered, no model achieved it. It is there to be watched."
    ),
}
"""What each label means."""

OUTCOMES = {
    Outcome.HOLDS: ("holds", "hold"),
    Outcome.FAILS: ("fails", "fail"),
    Outcome.CANNOT_CHECK: ("cannot be checked", "cannot be checked"),
}
"""After one clip, after several."""

DISPLAY_KINDS = {
    "original": "The file as it came, byte for byte.",
    "remuxed": "The same packets with the same times, counted from the first; the index stands at "
    "the front, so that playback and seeking start at once.",
    "retimed": "The same packets, bit for bit, with new timestamps: the frames are spread evenly "
    "over the time that the run states.",
    "re-encoded": "An H.264 display copy. It is not the evidence.",
}
RENDERED = "Rendered by this build."
"""Of a test card: nobody sent it."""

_SIZE = re.compile(r"\b(\d+)x(\d+)\b")
_UNIT = re.compile(r"(?<=\d) (?=(?:s|ms|FPS|GB|TB/s|px|%)(?!\w))")
_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")


def rate(value: Fraction | None) -> str:
    """Frames per second: one decimal at least, three at most."""
    return NOT_STATED if value is None else decimal(value, least=1, most=3)


def seconds(value: Fraction | None) -> str:
    return NOT_STATED if value is None else f"{decimal(value, least=3, most=3)}\u00a0s"


def decimal(value: Fraction, *, least: int, most: int) -> str:
    """`value` rounded half away from zero to at most `most` decimals, at least `least` shown."""
    text = decimals.decimal(value, most, least=least)
    head, point, tail = text.removeprefix("-").partition(".")
    return f"{'−' if text.startswith('-') else ''}{grouped(int(head))}{point}{tail}"


def rate_short(fps: Fraction) -> str:
    """A rate where room is scarce: no more digits than four, but for those of whole frames."""
    most = 2 if fps < 100 else 1 if fps < 1000 else 0
    return decimal(fps, least=min(1, most), most=most)


def grouped(number: int) -> str:
    """Thousands parted by a thin no-break space from 10 000 on."""
    return f"{number:,}".replace(",", "\u202f") if abs(number) >= 10_000 else str(number)


def count(number: int, one: str, many: str = "") -> str:
    """`1 frame`, `12 frames`."""
    return f"{grouped(number)} {one if number == 1 else many or one + 's'}"


def bytes_(number: int) -> str:
    return f"{grouped(number)} bytes"


@lru_cache(maxsize=4096)
def typeset(text: str) -> str:
    """Plain text as it is printed: `848 × 480` and `20 s` in one piece, curly apostrophes."""
    joined = _UNIT.sub("\u00a0", _SIZE.sub("\\1\u00a0×\u00a0\\2", text))
    return _APOSTROPHE.sub("’", joined)


def sentence(text: str) -> str:
    """The same, with a capital letter at its beginning."""
    return typeset(text[:1].upper() + text[1:])


def steps(counts: tuple[int, ...], label: str) -> str:
    """`8 steps`, `[2,2,2] steps`; "" where there are none."""
    if not counts:
        return ""
    return f"{label} step" if counts == (1,) else f"{label} steps"


def iso_duration(value: Fraction) -> str:
    """ISO 8601, as schema.org wants it."""
    return f"PT{float(value):.3f}S"


def or_not_stated(text: object) -> str:
    return NOT_STATED if text is None or text == "" else str(text)


@lru_cache(maxsize=4096)
def longest_keyframe_gap_s(facts: Facts) -> Fraction | None:
    """Longest time a decoder may have to run through to reach a frame; None without keyframes."""
    if not facts.keyframes:
        return None
    per_second = facts.ticks_per_second
    starts = [Fraction(facts.ticks[index]) for index in facts.keyframes]
    ends = [*starts[1:], max(facts.duration_s * per_second, Fraction(facts.ticks[-1]))]
    longest = max(end - start for start, end in zip(starts, ends, strict=True))
    return longest / per_second


@lru_cache(maxsize=4096)
def timing(facts: Facts) -> str:
    """What a player can show of a file, in one sentence."""
    frames, distinct = facts.frame_count, facts.distinct_timestamps
    length = seconds(facts.duration_s)
    if distinct < frames:
        return (
            f"{grouped(frames)} frames on {grouped(distinct)} distinct timestamps in {length}: "
            f"a player cannot show {grouped(frames - distinct)} of them."
        )
    return f"{count(frames, 'frame')} in {length}."


def display_kind(display: Display) -> str:
    """How the copy was made, and why where that is not plain."""
    why = display.recipe.get("why")
    if not why:
        return DISPLAY_KINDS[display.kind]
    return f"An H.264 display copy, made because {why}. It is not the evidence."


def display_timing(display: Display) -> str:
    return f"{display_kind(display)} {timing(display.facts)}"


PLAYS = {
    "original": "as recorded",
    "remuxed": "as recorded",
    "retimed": "retimed",
    "re-encoded": "re-encoded for browsers",
    "declared": "as rendered",
    "remote": "streams from its original address",
}
"""What plays, by the kind of the display copy; "declared" for cards that the build draws."""

UNSEEN = f"{PLAYS['remote']}; nobody has looked at the file in this build"


def pictures(facts: Facts, *, evenly: bool = False) -> str:
    """What a viewer of these bytes can see; `evenly` where frames stand at equal distances."""
    frames, distinct = facts.frame_count, facts.distinct_timestamps
    length = f"{decimal(facts.duration_s, least=1, most=1)}\u00a0s"
    if evenly:
        return f"{count(frames, 'frame')} evenly over {length}"
    rate_hz = decimal(distinct / facts.duration_s, least=1, most=1)
    if distinct < frames:
        return (
            f"{count(frames, 'frame')} in {length}, of which {grouped(distinct)} can be shown: "
            f"{rate_hz} pictures a second at most"
        )
    return f"{count(frames, 'frame')} in {length}, {rate_hz} pictures a second"


def playing(facts: Facts, how: str, note: str) -> str:
    """What really plays, for the caption under it. `how` is a key of PLAYS, `note` what the
    series says about its recordings."""
    evenly = how in ("retimed", "declared")
    said = f"{PLAYS[how]}: {pictures(facts, evenly=evenly)}"
    return f"{said}. {sentence(note)}" if note else said
