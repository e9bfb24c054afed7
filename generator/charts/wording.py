"""How charts name clips and print numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from generator.measure import decimals
from generator.records import Clip, Label, Pipeline, Prompt


def named_act(label: Label) -> str:
    """What somebody did to get the number."""
    return "projected" if label is Label.PROJECTED else "measured"


def decimal(value: Fraction, *, shortest: bool = False) -> str:
    """`value` with one to three decimals (`shortest` allows none): 11.0, 49.35, 23.976."""
    return decimals.decimal(value, 3, least=0 if shortest else 1)


def named_clip(pipeline: Pipeline, clip: Clip) -> str:
    """`MemFlow, 8 steps` or `Helios, [2,2,2] steps`."""
    if not clip.steps:
        return pipeline.title
    return f"{pipeline.title}, {clip.steps_label} {'step' if clip.steps == (1,) else 'steps'}"


def named_prompt(clip: Clip, prompts: Mapping[str, Prompt]) -> str:
    """The prompt's title; "" where the cell has no prompt."""
    return prompts[clip.prompt].title if clip.prompt else ""


def dimensions(width: int, height: int) -> str:
    """`848 × 480`; no-break spaces keep it in one piece."""
    return f"{width}\u00a0×\u00a0{height}"


def sentence_list(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def signed(value: float, decimals: int) -> str:
    """With a minus sign instead of a hyphen, and none before zero."""
    return f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")
