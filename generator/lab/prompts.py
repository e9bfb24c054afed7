"""What Neon reads in a prompt: a scene and attributes, word by word, by the tables below.

No language model: a word is in a table or it is not, and what is not is told (`Reading.unread`).
A prompt must name one of the scenes that Neon was trained on; what it does not say of a scene stays
at the scene's usual value. Values are shares of an attribute's range: 0 the least of it that was
trained with, 1 the most. Needs no torch.

How a prompt is read:
1. It is cut into words: letters and digits of any script, in lower case; hyphens part words.
2. The longest phrase of a table that begins at a word is taken, then reading goes on behind it.
3. The scene is the one that more phrases name; of two with as many, the one named first.
4. A phrase of `THINGS` sets its attribute; a degree right before it says how much. One of `LOOKS`
   sets what it says. Where two speak of one attribute the later one counts.
5. Words of `FILLER` carry nothing and are passed over; all others are unread. So are phrases whose
   attribute the scene does not have, and degrees that no thing follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.errors import UsageError

__all__ = [
    "DEGREES",
    "FILLER",
    "LOOKS",
    "OF_THE_STREET",
    "SCENES",
    "THINGS",
    "Known",
    "Reading",
    "of_tables",
    "read",
    "tables",
    "unlike",
]

SCENES: Mapping[str, tuple[str, ...]] = {
    "alley": (
        *("alley", "alleyway", "back street", "side street", "street", "pavement", "sidewalk"),
        *("detective", "man", "figure", "walker", "stranger", "investigator"),
        *("walking", "walks", "walk", "strolling", "strolls", "tracking shot", "cyberpunk"),
    ),
    "metropolis": (
        *("metropolis", "megacity", "city", "cityscape", "downtown", "skyscrapers", "towers"),
        *("drone shot", "drone", "aerial shot", "aerial", "flight", "flying over", "bird s eye"),
    ),
}
"""Scene -> phrases that name it."""

DEGREES: Mapping[str, float] = {
    **dict.fromkeys(("no", "without", "without any", "free of"), 0.0),
    **dict.fromkeys(("hardly any", "almost no", "very light", "very little"), 0.1),
    **dict.fromkeys(
        ("light", "little", "a little", "few", "a few", "slight", "faint", "soft"), 0.25
    ),
    **dict.fromkeys(("some", "moderate", "medium"), 0.5),
    **dict.fromkeys(("many", "much", "lots of", "strong", "big", "large", "tall", "busy"), 0.8),
    **dict.fromkeys(("heavy", "dense", "thick", "massive", "huge", "endless"), 0.9),
    **dict.fromkeys(("very heavy", "pouring", "torrential", "extreme"), 1.0),
}
"""Degree -> share of the range, for the thing that follows it."""

THINGS: Mapping[str, tuple[str, float]] = {
    **dict.fromkeys(("rain", "rainy", "raining", "rainfall", "downpour"), ("rain", 0.6)),
    "drizzle": ("rain", 0.2),
    **dict.fromkeys(("fog", "foggy", "mist", "misty", "haze", "hazy", "smog"), ("fog", 0.7)),
    **dict.fromkeys(("steam", "steaming vents", "smoke"), ("steam", 0.7)),
    **dict.fromkeys(("crowd", "crowds", "crowded", "people", "passers by"), ("crowd", 0.7)),
    **dict.fromkeys(("neon", "neon lit", "neon signs", "neon lights"), ("neon", 0.8)),
    **dict.fromkeys(("flicker", "flickering", "flickering lights"), ("flicker", 0.8)),
    **dict.fromkeys(("windows", "lit windows"), ("windows", 0.7)),
    **dict.fromkeys(("puddles", "wet", "reflections", "wet ground"), ("wetness", 0.9)),
    **dict.fromkeys(
        ("traffic", "cars", "flying cars", "vehicles", "flying vehicles"), ("traffic", 0.7)
    ),
    **dict.fromkeys(
        (
            *("billboards", "holograms", "holographic billboards", "advertisements"),
            *("holographic advertisements", "holographic ads", "holographic signs"),
        ),
        ("billboards", 0.7),
    ),
    **dict.fromkeys(("buildings", "high rises"), ("skyline", 0.6)),
}
"""Thing -> its attribute, and the share where no degree stands before it."""

LOOKS: Mapping[str, Mapping[str, float]] = {
    "dry": {"rain": 0.0, "wetness": 0.0},
    "clear": {"rain": 0.0, "fog": 0.0},
    "deserted": {"crowd": 0.0, "traffic": 0.05},
    "empty": {"crowd": 0.0, "traffic": 0.05},
    "lonely": {"crowd": 0.0},
    "slow": {"speed": 0.15},
    "slowly": {"speed": 0.15},
    "fast": {"speed": 0.85},
    "quickly": {"speed": 0.85},
    "hurrying": {"speed": 0.95},
    "dynamic": {"speed": 0.75, "bank": 0.7},
    "sweeping": {"bank": 0.6},
    "banking": {"bank": 0.9},
    "steady": {"bank": 0.0},
    "low angle": {"camera_height": 0.1},
    "ground level": {"camera_height": 0.0},
    "eye level": {"camera_height": 0.95},
    "low": {"camera_height": 0.15},
    "high": {"camera_height": 0.85},
    "high above": {"camera_height": 0.95},
    "looking down": {"pitch": 0.85},
    "towards the horizon": {"pitch": 0.1},
    "close up": {"distance": 0.05},
    "close": {"distance": 0.15},
    "distant": {"distance": 0.9},
    "from afar": {"distance": 0.95},
    "from the left": {"side": 0.1},
    "from the right": {"side": 0.9},
    "dusk": {"hour": 0.0},
    "evening": {"hour": 0.2},
    "night": {"hour": 0.6},
    "midnight": {"hour": 1.0},
    "vivid colors": {"neon": 0.85},
    "vivid colours": {"neon": 0.85},
    "dark": {"neon": 0.15, "windows": 0.1},
    "magenta": {"palette": 0.0},
    "pink": {"palette": 0.0},
    "teal": {"palette": 0.0},
    "amber": {"palette": 1 / 3},
    "orange": {"palette": 1 / 3},
    "violet": {"palette": 2 / 3},
    "lime": {"palette": 2 / 3},
    "green": {"palette": 2 / 3},
    "crimson": {"palette": 1.0},
    "red": {"palette": 1.0},
    "red coat": {"coat": 0.0},
    "green coat": {"coat": 0.333},
    "blue coat": {"coat": 0.667},
}
"""Phrase -> attributes and their shares."""

OF_THE_STREET = ("low angle", "ground level", "eye level")
"""Looks of the alley alone: the least height over a metropolis is far above any street."""

FILLER = frozenset(
    (
        *("a", "an", "the", "of", "in", "on", "at", "to", "with", "and", "or", "by", "from", "is"),
        *("are", "its", "into", "through", "over", "under", "down", "up", "along", "past", "while"),
        *("shot", "scene", "lit"),
    )
)
"""Words that carry nothing by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a model knows of an attribute: least, most and usual value by scene; units in `unit`."""

    name: str
    unit: str
    spans: Mapping[str, tuple[float, float, float]]
    """Only scenes that have it."""

    def share(self, scene: str, value: float) -> float:
        low, high, _ = self.spans[scene]
        return (value - low) / (high - low)

    def value(self, scene: str, share: float) -> float:
        low, high, _ = self.spans[scene]
        return low + share * (high - low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read in a prompt."""

    scene: str
    shares: Mapping[str, float]
    """Of every attribute of the scene, 0 to 1: what was said, else what is usual."""
    said: Mapping[str, str]
    """Attribute -> the words that set it."""
    unread: tuple[str, ...]
    """Words that said nothing to the model, in order."""

    def told(self, known: Sequence[Known]) -> str:
        """In words, for a record: `scene alley; rain 30 mm/h ("rain"), ...; usual: ...`."""
        units = {one.name: one for one in known}

        def value(name: str) -> str:
            one = units[name]
            return f"{name} {one.value(self.scene, self.shares[name]):.3g} {one.unit}"

        stated = [f'{value(name)} ("{words}")' for name, words in self.said.items()]
        usual = [value(name) for name in self.shares if name not in self.said]
        return "; ".join(
            [f"scene {self.scene}"]
            + ([", ".join(stated)] if stated else [])
            + ([f"usual: {', '.join(usual)}"] if usual else [])
        )


def read(prompt: str, known: Sequence[Known], scenes: Sequence[str] = tuple(SCENES)) -> Reading:
    """A prompt as a scene and its attributes. Raises UsageError where it names no scene."""
    words = _words(prompt)
    phrases = _phrases(words)
    votes = _votes(phrases, scenes)
    if not votes:
        raise UsageError(
            f'prompt "{prompt[:80]}": names no scene that Neon knows; it has two: '
            + "; ".join(f"{scene} ({', '.join(SCENES[scene][:4])} ...)" for scene in SCENES)
        )
    scene = max(dict.fromkeys(votes), key=votes.count)
    spans = {one.name: one for one in known if scene in one.spans}
    shares = {name: one.share(scene, one.spans[scene][2]) for name, one in spans.items()}
    said: dict[str, str] = {}
    unread: list[str] = []
    degree = ""
    for phrase in phrases:
        meant: Mapping[str, float] = {}
        if phrase in THINGS:
            name, usual = THINGS[phrase]
            meant = {name: DEGREES.get(degree, usual)}
        elif phrase in LOOKS and (scene == "alley" or phrase not in OF_THE_STREET):
            meant = LOOKS[phrase]
        heard = {name: share for name, share in meant.items() if name in shares}
        used = bool(heard) and phrase in THINGS and bool(degree)
        if degree and not used:
            unread.extend(degree.split())
        for name, share in heard.items():
            shares[name] = share
            said.pop(name, None)
            said[name] = f"{degree} {phrase}" if used else phrase
        degree = phrase if phrase in DEGREES else ""
        if not (heard or degree or phrase in SCENES.get(scene, ()) or phrase in FILLER):
            unread.extend(phrase.split())
    unread.extend(degree.split())
    return Reading(scene=scene, shares=shares, said=said, unread=tuple(unread))


def unlike(prompt: str) -> str:
    """A prompt that reads otherwise, to make another clip of."""
    votes = _votes(_phrases(_words(prompt)), tuple(SCENES))
    alley = bool(votes) and max(dict.fromkeys(votes), key=votes.count) == "alley"
    return "A drone over a metropolis." if alley else "A detective walks down an alley."


def of_tables() -> tuple[Known, ...]:
    """Every attribute that the tables name, in shares, for models that were trained on nothing."""
    names = [name for name, _ in THINGS.values()] + [n for look in LOOKS.values() for n in look]
    spans = dict.fromkeys(SCENES, (0.0, 1.0, 0.5))
    return tuple(Known(name=name, unit="share", spans=spans) for name in dict.fromkeys(names))


def tables() -> str:
    """The tables as Markdown, for docs/neon.md."""

    def rows(head: str, table: Mapping[str, str]) -> list[str]:
        by_meaning: dict[str, list[str]] = {}
        for phrase, meaning in table.items():
            by_meaning.setdefault(meaning, []).append(phrase)
        lines = [f"| {head} | words |", "|---|---|"]
        return [*lines, *(f"| {what} | {', '.join(words)} |" for what, words in by_meaning.items())]

    looks = {
        phrase: ", ".join(f"`{name}` {share:.2g}" for name, share in meant.items())
        for phrase, meant in LOOKS.items()
    }
    parts = (
        ("scene", {phrase: f"`{scene}`" for scene in SCENES for phrase in SCENES[scene]}),
        ("degree", {phrase: f"{share:g}" for phrase, share in DEGREES.items()}),
        ("thing", {phrase: f"`{name}` {share:g}" for phrase, (name, share) in THINGS.items()}),
        ("look", looks),
    )
    told = ["\n".join(rows(head, table)) for head, table in parts]
    told += [f"In the alley alone: {', '.join(OF_THE_STREET)}."]
    return "\n\n".join([*told, f"Passed over: {', '.join(sorted(FILLER))}."])


def _words(prompt: str) -> list[str]:
    return re.findall(r"[^\W_]+", prompt.lower())


def _votes(phrases: Sequence[str], scenes: Sequence[str]) -> list[str]:
    """The scenes that phrases name, each as often as it is named."""
    return [scene for phrase in phrases for scene in scenes if phrase in SCENES.get(scene, ())]


def _phrases(words: Sequence[str]) -> list[str]:
    """The longest phrases that the tables know, one after the other; other words by themselves."""
    found, at = [], 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            if length == 1 or phrase in _PHRASES:
                found.append(phrase)
                at += length
                break
    return found


_PHRASES = frozenset(
    (*THINGS, *LOOKS, *DEGREES, *(one for all_ in SCENES.values() for one in all_))
)
_LONGEST = max(len(phrase.split()) for phrase in _PHRASES)
