"""What a scene is told: two families and their named attributes.

The table below is the one place that states names, ranges, units and meanings; docs/scenes.md is
printed from it and a test compares the two.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "ATTRIBUTES",
    "FAMILIES",
    "PALETTES",
    "Attribute",
    "Scene",
    "Span",
    "conditions",
    "draw",
    "table",
    "usual",
]

FAMILIES = ("alley", "metropolis")
"""A detective in a neon alley; a drone over a metropolis. A scene's id is its place here."""
PALETTES = ("magenta-teal", "amber-teal", "violet-lime", "crimson-blue")
"""`palette` 0, 1, 2, 3; between whole numbers the neighbours are mixed."""


class Span(NamedTuple):
    """What an attribute may be in one family, and what it is where nobody says."""

    low: float
    high: float
    usual: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One thing a scene is told. A span of None: the family does not know the attribute."""

    name: str
    unit: str
    meaning: str
    alley: Span | None = None
    metropolis: Span | None = None

    def span(self, family: str) -> Span | None:
        return self.alley if family == "alley" else self.metropolis


ATTRIBUTES = (
    Attribute(
        name="palette",
        unit="index",
        meaning="colours of neon, fog and sky: " + ", ".join(PALETTES),
        alley=Span(0, 3, 0),
        metropolis=Span(0, 3, 0),
    ),
    Attribute(
        name="hour",
        unit="h",
        meaning="time of night: 19 has dusk left in the sky, 24 has none",
        alley=Span(19, 24, 22),
        metropolis=Span(19, 24, 21),
    ),
    Attribute(
        name="rain",
        unit="mm/h",
        meaning="streaks in the air; in the alley also splashes and rings in puddles",
        alley=Span(0, 50, 25),
        metropolis=Span(0, 50, 4),
    ),
    Attribute(
        name="fog",
        unit="1/km",
        meaning="extinction of the air, which also glows with the neon in it",
        alley=Span(5, 60, 22),
        metropolis=Span(0.3, 2.5, 0.8),
    ),
    Attribute(
        name="camera_height",
        unit="m",
        meaning="the camera above the ground",
        alley=Span(0.35, 1.5, 0.55),
        metropolis=Span(170, 280, 210),
    ),
    Attribute(
        name="speed",
        unit="m/s",
        meaning="the walker's pace, which the camera keeps; the drone's flight",
        alley=Span(0.7, 1.8, 1.25),
        metropolis=Span(6, 28, 15),
    ),
    Attribute(
        name="neon",
        unit="share",
        meaning="bays with signs and tubes; towers with lit edges",
        alley=Span(0.15, 1, 0.75),
        metropolis=Span(0, 1, 0.5),
    ),
    Attribute(
        name="flicker",
        unit="share",
        meaning="signs and holograms whose light is unsteady",
        alley=Span(0, 0.8, 0.15),
        metropolis=Span(0, 0.8, 0.2),
    ),
    Attribute(
        name="windows",
        unit="share",
        meaning="windows with light behind them",
        alley=Span(0.05, 0.9, 0.4),
        metropolis=Span(0.05, 0.9, 0.45),
    ),
    Attribute(
        name="crowd",
        unit="per 100 m",
        meaning="people with umbrellas along the walls",
        alley=Span(0, 50, 12),
    ),
    Attribute(
        name="wetness",
        unit="share",
        meaning="how much the street mirrors, and how far puddles reach",
        alley=Span(0, 1, 0.85),
    ),
    Attribute(
        name="steam",
        unit="per 100 m",
        meaning="plumes that rise from vents",
        alley=Span(0, 30, 12),
    ),
    Attribute(
        name="coat",
        unit="turn",
        meaning="hue of the coat: 0 red, 1/3 green, 2/3 blue",
        alley=Span(0, 1, 0.08),
    ),
    Attribute(
        name="distance",
        unit="m",
        meaning="from the camera to the walker",
        alley=Span(2.8, 6, 3.7),
    ),
    Attribute(
        name="side",
        unit="m",
        meaning="the camera right (+) or left (-) of the walker's path",
        alley=Span(-0.9, 0.9, 0.3),
    ),
    Attribute(
        name="bank",
        unit="degree",
        meaning="greatest roll while the drone weaves",
        metropolis=Span(0, 8, 3),
    ),
    Attribute(
        name="pitch",
        unit="degree",
        meaning="how far the drone's camera looks down",
        metropolis=Span(4, 12, 7),
    ),
    Attribute(
        name="skyline",
        unit="m",
        meaning="mean height of towers",
        metropolis=Span(60, 110, 85),
    ),
    Attribute(
        name="traffic",
        unit="per km",
        meaning="vehicles in a lane, in the air and on the ground",
        metropolis=Span(2, 40, 18),
    ),
    Attribute(
        name="billboards",
        unit="share",
        meaning="places for a hologram that carry one",
        metropolis=Span(0, 0.9, 0.55),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One endless shot: with a time it says everything about a frame.

    `seed` chooses what stands where, `attributes` how it is (every attribute of the family, each
    within its span).
    """

    family: str
    seed: int
    attributes: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"{self.family!r} is no family; write {' or '.join(FAMILIES)}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"{self.seed} is no seed; write 0 to 2**63 - 1")
        spans = {a.name: a.span(self.family) for a in ATTRIBUTES}
        known = {name: span for name, span in spans.items() if span}
        wrong = [f"no attribute {name!r}" for name in self.attributes if name not in known]
        wrong += [f"{name} is missing" for name in known if name not in self.attributes]
        wrong += [
            f"{name} = {self.attributes[name]:g} lies outside {span.low:g} to {span.high:g}"
            for name, span in known.items()
            if name in self.attributes and not span.low <= self.attributes[name] <= span.high
        ]
        if wrong:
            raise ValueError(f"scene {self.family}: " + "; ".join(wrong))


def usual(family: str, seed: int = 0, **changed: float) -> Scene:
    """The scene that the family's prompt asks for, with what is `changed`."""
    values = {a.name: span.usual for a in ATTRIBUTES if (span := a.span(family))}
    return Scene(family=family, seed=seed, attributes={**values, **changed})


def draw(seed: int, family: str | None = None) -> Scene:
    """A scene with attributes drawn evenly from their spans; without `family` that is drawn too.

    Each attribute has a stream of its own, so that a new one leaves the others as they were.
    """

    def unit(name: str) -> float:
        return random.Random(f"{seed}/{name}").random()

    family = family or FAMILIES[int(unit("family") * len(FAMILIES))]
    values = {
        a.name: span.low + (span.high - span.low) * unit(a.name)
        for a in ATTRIBUTES
        if (span := a.span(family))
    }
    return Scene(family=family, seed=seed, attributes=values)


def conditions(scenes: Sequence[Scene]) -> tuple[list[int], list[list[float]]]:
    """Scenes as a network is told them: family ids, and attributes from -1 (low) to 1 (high).

    Attributes stand in the order of ATTRIBUTES; those that a family does not know are 0.
    """
    values = [
        [
            2 * (scene.attributes[a.name] - span.low) / (span.high - span.low) - 1
            if (span := a.span(scene.family))
            else 0.0
            for a in ATTRIBUTES
        ]
        for scene in scenes
    ]
    return [FAMILIES.index(scene.family) for scene in scenes], values


def table() -> str:
    """The attributes as a Markdown table."""

    def cell(span: Span | None) -> str:
        return f"{span.low:g} to {span.high:g} ({span.usual:g})" if span else "–"

    lines = ["| attribute | unit | alley | metropolis | meaning |", "|---|---|---|---|---|"]
    lines += [
        f"| `{a.name}` | {a.unit} | {cell(a.alley)} | {cell(a.metropolis)} | {a.meaning} |"
        for a in ATTRIBUTES
    ]
    return "\n".join(lines) + "\n"
