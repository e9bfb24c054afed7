"""The band of cells on test cards, against a band drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from generator.clips.framecode import read_frame_code, row_height

SIZES = ((512, 288), (640, 384), (848, 480), (160, 96), (1920, 1080))


def draw(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A picture with the band as its description has it, drawn without the module's help."""
    luma = np.full((height, width), 40, np.uint8)
    row = 2 * (height // 48)
    bits = f"{number:016b}"
    upper = "10" + bits + str(bits.count("1") % 2) + "0"
    for cell, bit in enumerate(upper):
        columns = slice(cell * width // 20, (cell + 1) * width // 20)
        luma[height - 2 * row : height - row, columns] = 235 if bit == "1" else 16
        luma[height - row :, columns] = 16 if bit == "1" else 235
    return luma


@given(number=st.integers(0, 65535), size=st.sampled_from(SIZES))
def test_every_number_is_read_back(number: int, size: tuple[int, int]) -> None:
    assert read_frame_code(draw(number, *size)) == number


@given(
    number=st.integers(0, 65535),
    size=st.sampled_from(SIZES[:3]),
    seed=st.integers(0, 1000),
    spread=st.floats(0, 40),
)
def test_noise_of_a_codec_does_not_matter(
    number: int, size: tuple[int, int], seed: int, spread: float
) -> None:
    noise = np.random.default_rng(seed).normal(0, spread, size[::-1])
    noisy = np.clip(draw(number, *size) + noise, 0, 255).astype(np.uint8)
    assert read_frame_code(noisy) == number


@pytest.mark.parametrize("cell", range(20))
@pytest.mark.parametrize("row", [0, 1])
def test_a_single_wrong_cell_is_no_code(cell: int, row: int) -> None:
    luma = draw(0b1010_0110_0001_1101, 512, 288)
    high = row_height(288)
    top = 288 - (2 - row) * high
    area = luma[top : top + high, cell * 512 // 20 : (cell + 1) * 512 // 20]
    area[:] = 251 - area
    assert read_frame_code(luma) is None


@pytest.mark.parametrize("cell", range(2, 19))
def test_parity_catches_a_bit_that_is_wrong_in_both_rows(cell: int) -> None:
    luma = draw(777, 512, 288)
    area = luma[288 - 2 * row_height(288) :, cell * 512 // 20 : (cell + 1) * 512 // 20]
    area[:] = 251 - area
    assert read_frame_code(luma) is None


@pytest.mark.parametrize("value", [0, 16, 128, 235, 255])
def test_a_flat_picture_is_no_code(value: int) -> None:
    assert read_frame_code(np.full((288, 512), value, np.uint8)) is None


def test_a_picture_too_small_for_a_band_is_no_code() -> None:
    assert read_frame_code(np.zeros((40, 30), np.uint8)) is None


def test_half_of_one_frame_over_half_of_another_is_no_code() -> None:
    torn = draw(341, 512, 288)
    torn[288 - row_height(288) :] = draw(342, 512, 288)[288 - row_height(288) :]
    assert read_frame_code(torn) is None
