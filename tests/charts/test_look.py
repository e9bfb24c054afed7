"""Lines stay apart for eyes that see fewer colours."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest

from generator.charts.look import DASHES, DOTTED, GROUND, PALETTE, SHAPES, look
from generator.records import Label

# Machado, Oliveira, Fernandes 2009, severity 1.0; they act on linear RGB.
VISION = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray:
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear RGB."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(np.maximum(to_xyz @ rgb / [0.9505, 1.0, 1.089], 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_colours_stay_apart(vision):
    """15 units of CIE 1976 difference is plain to see for lines side by side."""
    seen = [lab(np.clip(np.array(VISION[vision]) @ linear(c), 0, 1)) for c in PALETTE]
    close = {
        (PALETTE[a], PALETTE[b]): round(float(np.linalg.norm(seen[a] - seen[b])), 1)
        for a, b in combinations(range(len(PALETTE)), 2)
        if np.linalg.norm(seen[a] - seen[b]) < 15
    }

    assert close == {}


@pytest.mark.parametrize("colour", PALETTE)
def test_colours_stand_out_from_the_ground(colour):
    """WCAG contrast of at least 4.5 : 1, so that even their labels can be read."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    light, dark = weights @ linear(colour), weights @ linear(GROUND)

    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_no_two_lines_look_alike():
    """36 origins, four prompts and three labels: all different."""
    labels = (Label.PUBLISHED_ELSEWHERE, Label.MEASURED_HERE, Label.PROJECTED)
    looks = {look(*which) for which in product(labels, range(36), range(4))}

    assert len(looks) == 3 * 36 * 4
    assert len(SHAPES) == len(PALETTE)
    assert not set(DASHES) & set(DOTTED)
