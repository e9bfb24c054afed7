"""Fractions in decimals, without a detour over binary floats."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import floor


@lru_cache(maxsize=4096)
def decimal(value: Fraction, most: int, *, least: int | None = None) -> str:
    """`value` rounded to `most` decimals, halves away from zero: decimal(49.35, 1) = 49.4.

    All decimals are shown; with `least`, zeros at the end beyond that many are not.
    """
    scaled = floor(abs(value) * 10**most + Fraction(1, 2))
    whole, rest = divmod(scaled, 10**most)
    tail = f"{rest:0{most}d}" if most else ""
    if least is not None:
        tail = tail.rstrip("0").ljust(least, "0")
    text = f"{whole}.{tail}" if tail else str(whole)
    return f"-{text}" if value < 0 and scaled else text
