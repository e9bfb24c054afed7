"""The frame number of a test card, as cells that machines read back from the pixels.

A band at the foot of the picture, full width, holds two rows of twenty cells. Upper row: a white
and a black cell for synchronisation, the frame number as 16 bits (most significant first, white
is 1), a cell of even parity, a black cell. The lower row is the complement of the upper one, so
that no flat picture and no half-drawn frame reads as a number.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CELLS = 20
BITS = 16
FIRST_BIT = 2
PARITY = FIRST_BIT + BITS
SYNC = {0: 1, 1: 0, 19: 0}
"""Cells of the upper row that never change."""

THRESHOLD = 128


def row_height(height: int) -> int:
    """Height of each of the two rows, in pixels, on a picture `height` pixels high."""
    return 2 * (height // 48)


def cell_edges(width: int) -> tuple[int, ...]:
    """The 21 edges of the twenty cells, in pixels from the left."""
    return tuple(cell * width // CELLS for cell in range(CELLS + 1))


def upper_row(number: int) -> tuple[int, ...]:
    """The twenty cells, 1 for white, that stand for a frame number (0 to 65535)."""
    if not 0 <= number < 1 << BITS:
        raise ValueError(f"{number} is no frame number of {BITS} bits")
    bits = [number >> (BITS - 1 - place) & 1 for place in range(BITS)]
    return (1, 0, *bits, sum(bits) % 2, 0)


def read_frame_code(luma: NDArray[np.uint8]) -> int | None:
    """The frame number that a picture (height x width, 0 to 255) carries; None without a code."""
    height, width = luma.shape
    row = row_height(height)
    if row < 2 or width < 2 * CELLS:
        return None
    upper = _cells(luma[height - 2 * row : height - row], width)
    lower = _cells(luma[height - row :], width)
    if any(high == low for high, low in zip(upper, lower, strict=True)):
        return None
    number = int("".join(map(str, upper[FIRST_BIT:PARITY])), 2)
    return number if upper == upper_row(number) else None


def _cells(row: NDArray[Any], width: int) -> tuple[int, ...]:
    """Each cell as 0 or 1, by the mean of its middle half."""
    top, bottom = row.shape[0] // 4, row.shape[0] - row.shape[0] // 4
    edges = cell_edges(width)
    return tuple(
        int(_middle(row[top:bottom], left, right).mean() > THRESHOLD)
        for left, right in pairwise(edges)
    )


def _middle(row: NDArray[Any], left: int, right: int) -> NDArray[Any]:
    quarter = (right - left) // 4
    return row[:, left + quarter : right - quarter]
