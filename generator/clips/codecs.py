"""Codec names as browsers know them: the `codecs` parameter of RFC 6381."""

from __future__ import annotations

from fractions import Fraction

VP9_LEVELS = (
    (10, 829_440, 36_864),
    (11, 2_764_800, 73_728),
    (20, 4_608_000, 122_880),
    (21, 9_216_000, 245_760),
    (30, 20_736_000, 552_960),
    (31, 36_864_000, 983_040),
    (40, 83_558_400, 2_228_224),
    (41, 160_432_128, 2_228_224),
    (50, 311_951_360, 8_912_896),
    (51, 588_251_136, 8_912_896),
    (52, 1_176_502_272, 8_912_896),
    (60, 1_176_502_272, 35_651_584),
    (61, 2_353_004_544, 35_651_584),
)
"""(level, luma samples a second, luma samples a picture) of the VP9 levels, at most."""

PLAYABLE = {
    "vp8": {"yuv420p"},
    "vp9": {"yuv420p", "yuv420p10le"},
    "av1": {"yuv420p", "yuv420p10le"},
    "h264": {"yuv420p", "yuvj420p"},
}
"""Codec to pixel formats that browsers play."""


def is_playable(codec: str, pixel_format: str) -> bool:
    return pixel_format in PLAYABLE.get(codec, ())


def codecs_parameter(
    codec: str,
    extradata: bytes,
    *,
    pixel_format: str,
    luma_samples: int,
    rate_hz: Fraction,
) -> str:
    """`vp8`, `vp09.00.20.08`, `av01.0.04M.08`, `avc1.64001e`; "" where it cannot be known.

    `extradata` is the decoder's configuration as the container holds it.
    """
    if codec == "vp8":
        return "vp8"
    if codec == "vp9":
        return _vp9(pixel_format, luma_samples, rate_hz)
    if codec == "h264" and len(extradata) >= 4 and extradata[0] == 1:
        return f"avc1.{extradata[1:4].hex()}"
    if codec == "av1" and len(extradata) >= 4 and extradata[0] == 0x81:
        return _av1(extradata)
    return ""


def _vp9(pixel_format: str, luma_samples: int, rate_hz: Fraction) -> str:
    depth = next((bits for bits in (10, 12) if f"p{bits}" in pixel_format), 8)
    profile = (0 if "420" in pixel_format else 1) + (2 if depth > 8 else 0)
    level = next(
        (
            level
            for level, samples_a_second, samples in VP9_LEVELS
            if luma_samples <= samples and luma_samples * rate_hz <= samples_a_second
        ),
        62,
    )
    return f"vp09.{profile:02d}.{level}.{depth:02d}"


def _av1(configuration: bytes) -> str:
    """From the av1C box: profile and level in one byte, tier and depth in the next."""
    profile, level = configuration[1] >> 5, configuration[1] & 0x1F
    tier = "H" if configuration[2] & 0x80 else "M"
    depth = 8
    if configuration[2] & 0x40:
        depth = 12 if configuration[2] & 0x20 else 10
    return f"av01.{profile}.{level:02d}{tier}.{depth:02d}"
