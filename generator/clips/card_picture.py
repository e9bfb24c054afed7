"""What a test card shows, as a graph of ffmpeg's own drawing filters.

What stands still is drawn once and repeated; what moves is text, because drawtext places glyphs
at fractions of a pixel, and a playhead on whole pixels would judder by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from generator.clips import ffmpeg, framecode
from generator.project import defaults

SAYS = ("TEST CARD —", "no model made this")
CROSSING_S = 2
"""Time the playhead takes from the left edge to the right."""
DOT_GHOSTS, PLAYHEAD_GHOSTS = 5, 4
"""How many frames before are still to be seen."""

GROUND = "0x0b0c0e"
GRID = "0x141619"
AXIS = "0x23272c"
LINE = "0x4a515a"
DIM = "0x8d959e"
LIGHT = "0xf4f6f2"
ACID = "0xd7ff3e"
RING_LUMA = 88
COLOUR_TAGS = ("color_primaries", "color_trc", "colorspace")
"""Said outright, because players guess differently for small pictures."""

RINGS_APART = 0.045
"""Width of the dot's track, in units."""

ADVANCE_EM = 0.6
"""Advance of every glyph of the font, in parts of its size; a digit is 0.73 high."""
DIGIT_EM = 0.73


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What is drawn: picture size, rate and number of frames."""

    width: int
    height: int
    rate: Fraction
    count: int

    @property
    def stage(self) -> int:
        """Height of the picture above the code band."""
        return self.height - 2 * framecode.row_height(self.height)

    @property
    def unit(self) -> float:
        """What all sizes are measured in: the height of the largest 16:9 picture that fits."""
        return min(self.height, self.width * 9 / 16)

    @property
    def centre(self) -> tuple[float, float]:
        return self.width / 2, self.stage / 2

    @property
    def ring(self) -> float:
        """Radius of the ring."""
        return 0.36 * self.unit

    @property
    def rail(self) -> int:
        """Height at which the playhead runs."""
        return round(self.stage - 0.13 * self.unit)

    @property
    def margin(self) -> int:
        """Inset of the safe area."""
        return round(0.05 * self.unit)

    @property
    def label(self) -> int:
        """Text size of labels."""
        return max(7, round(0.046 * self.unit))


def picture(frame: Frame) -> Any:
    """An endless stream of pictures of the card; picture N stands at N / rate seconds."""
    return _moving(_still(frame), frame)


def fonts() -> tuple[Path, ...]:
    """The font files that cards are written with."""
    return _font("ExtraBold"), _font("Medium")


def plain(number: Fraction) -> str:
    """A number as people write it, three decimals at most: 49.3, 24, 23.976."""
    return f"{float(number):.3f}".rstrip("0").rstrip(".")


# What stands still


def _still(frame: Frame) -> Any:
    """One picture with everything that does not move."""
    w, h, stage = frame.width, frame.height, frame.stage
    (cx, cy), unit = frame.centre, frame.unit
    step = max(8, round(unit / 18))
    picture = ffmpeg.drawn(
        f"color=c={GROUND}:s={w}x{h}:r={frame.rate.numerator}/{frame.rate.denominator}"
    ).video
    picture = picture.filter("trim", end_frame=1).filter("format", "yuv420p")
    picture = picture.filter("setparams", range="tv", **dict.fromkeys(COLOUR_TAGS, "smpte170m"))
    picture = picture.filter(
        "drawgrid", x=int(cx) % step, y=int(cy) % step, w=step, h=step, t=1, c=GRID
    )
    for x, y, width, height, colour in _lines(frame):
        picture = _box(picture, x, y, width, height, colour)
    picture = picture.filter("geq", lum=_rings(frame), cb="cb(X,Y)", cr="cr(X,Y)")
    picture = _labels(picture, frame)
    row = framecode.row_height(h)
    picture = _box(picture, 0, stage, w, 2 * row, "black")
    edges = framecode.cell_edges(w)
    for cell, upper in framecode.SYNC.items():
        y = stage if upper else stage + row
        picture = _box(picture, edges[cell], y, edges[cell + 1] - edges[cell], row, "white")
    return picture.filter("loop", loop=-1, size=1, start=0).filter("setpts", "N")


def _lines(frame: Frame) -> Iterator[tuple[int, int, int, int, str]]:
    """Axes, safe-area corners, the rail of the playhead: (x, y, width, height, colour)."""
    w, stage, margin = frame.width, frame.stage, frame.margin
    (cx, cy), thick = (int(side) for side in frame.centre), max(1, round(frame.unit / 360))
    yield cx - thick // 2, 0, thick, stage, AXIS
    yield 0, cy - thick // 2, w, thick, AXIS
    arm = round(0.055 * frame.unit)
    for x in (margin, w - margin):
        for y in (margin, stage - margin):
            yield (x if x < cx else x - arm), (y if y < cy else y - thick), arm, thick, LINE
            yield (x if x < cx else x - thick), (y if y < cy else y - arm), thick, arm, LINE
    yield 0, frame.rail, w, thick, LINE
    for eighth in range(9):
        tall = round(frame.unit * (0.035 if eighth % 4 == 0 else 0.018))
        x = min(w - thick, eighth * w // 8)
        yield x, frame.rail - tall // 2, thick, tall, LINE


def _rings(frame: Frame) -> str:
    """Luma of the picture with two rings and twelve marks laid over it, edges smoothed."""
    cx, cy = frame.centre
    inner, outer, half = frame.ring, frame.ring + RINGS_APART * frame.unit, frame.unit / 480
    radius = f"hypot(X-{cx - 0.5:g},Y-{cy - 0.5:g})"
    turn = f"(atan2(Y-{cy - 0.5:g},X-{cx - 0.5:g})/(2*PI)*12+24)"
    from_mark = f"abs({turn}-round({turn}))*2*PI/12*{radius}"
    cover = "+".join(
        (
            f"clip({half + 0.5:g}-abs({radius}-{inner:g}),0,1)",
            f"0.45*clip({half + 0.5:g}-abs({radius}-{outer:g}),0,1)",
            f"between({radius},{inner:g},{outer:g})*clip({half + 0.5:g}-{from_mark},0,1)",
        )
    )
    return f"lum(X,Y)+clip({cover},0,1)*({RING_LUMA}-lum(X,Y))"


def _labels(picture: Any, frame: Frame) -> Any:
    """All words and figures that do not change."""
    label, (cx, cy) = frame.label, frame.centre
    inset = frame.margin + round(0.03 * frame.unit)
    corners = (SAYS, (f"{frame.width}×{frame.height}", f"{plain(frame.count / frame.rate)} s"))
    for line, (left, right) in enumerate(zip(*corners, strict=True)):
        baseline = inset + label * (DIGIT_EM + 1.4 * line)
        right_x = frame.width - inset - _width(len(right), label)
        picture = _text(picture, left, size=label, x=inset, baseline=baseline, colour=ACID)
        picture = _text(picture, right, size=label, x=right_x, baseline=baseline, colour=DIM)
    number, side, (rate_x, clock_x) = _number_size(frame), _side_size(frame), _sides(frame)
    above, below = cy - number * DIGIT_EM / 2, cy + number * DIGIT_EM / 2
    side_foot = cy + side * DIGIT_EM / 2
    rate = plain(frame.rate)
    picture = _centred(picture, rate, size=side, x=rate_x, baseline=side_foot, colour=ACID)
    for text, x, baseline in (
        ("FRAME", cx, above - 0.75 * label),
        (f"OF {frame.count:0{_digits(frame)}d}", cx, below + 1.5 * label),
        ("FPS", rate_x, side_foot + 1.5 * label),
        ("SECONDS", clock_x, side_foot + 1.5 * label),
    ):
        picture = _centred(picture, text, size=label, x=x, baseline=baseline, colour=DIM)
    return picture


# What moves


def _moving(picture: Any, frame: Frame) -> Any:
    """The endless still picture with dot, playhead, number, clock and frame code laid over it."""
    frame_s = f"{frame.rate.denominator}/{frame.rate.numerator}"
    picture = _dot(picture, frame, frame_s)
    picture = _playhead(picture, frame, frame_s)
    picture = _figures(picture, frame, frame_s)
    return _code(picture, frame)


def _figures(picture: Any, frame: Frame, frame_s: str) -> Any:
    """The frame number, counted from 0, and the time it is shown at, cut to hundredths."""
    cx, cy = frame.centre
    number, side, digits = _number_size(frame), _side_size(frame), _digits(frame)
    picture = _text(
        picture,
        f"%{{eif:n:d:{digits}}}",
        size=number,
        x=cx - _width(digits, number) / 2,
        baseline=cy + number * DIGIT_EM / 2,
        colour=LIGHT,
        expand=True,
    )
    whole = len(str(int(frame.count / frame.rate)))
    hundredths = f"floor(n*100*{frame_s}+0.00001)"
    return _text(
        picture,
        f"%{{eif:floor({hundredths}/100):d:{whole}}}.%{{eif:mod({hundredths},100):d:2}}",
        size=side,
        x=_sides(frame)[1] - _width(whole + 3, side) / 2,
        baseline=cy + side * DIGIT_EM / 2,
        colour=LIGHT,
        expand=True,
    )


def _dot(picture: Any, frame: Frame, frame_s: str) -> Any:
    """A dot that circles once a second, at the top on every full second."""
    cx, cy = frame.centre
    track = frame.ring + 0.5 * RINGS_APART * frame.unit
    for ghost in range(DOT_GHOSTS, -1, -1):
        turn = f"2*PI*(n-{ghost})*{frame_s}"
        size = round(0.26 * frame.unit * (1 - 0.09 * ghost))
        left, foot = cx - _width(1, size) / 2, cy + DIGIT_EM / 2 * size
        picture = _text(
            picture,
            "•",
            size=size,
            x=f"{left:g}+{track:g}*sin({turn})",
            baseline=f"{foot:g}-{track:g}*cos({turn})",
            colour=ACID,
            alpha=_fade(ghost, DOT_GHOSTS),
            enable=f"gte(n,{ghost})",
        )
    return picture


def _playhead(picture: Any, frame: Frame, frame_s: str) -> Any:
    """A bar that crosses the picture in CROSSING_S."""
    size = round(0.12 * frame.unit)
    for ghost in range(PLAYHEAD_GHOSTS, -1, -1):
        way = f"mod((n-{ghost})*{frame_s}/{CROSSING_S},1)"
        picture = _text(
            picture,
            "|",
            size=size,
            x=f"{frame.width}*{way}-{_width(1, size) / 2:g}",
            baseline=frame.rail + DIGIT_EM / 2 * size,
            colour=ACID,
            alpha=_fade(ghost, PLAYHEAD_GHOSTS),
            enable=f"gte(n,{ghost})",
        )
    return picture


def _fade(ghost: int, ghosts: int) -> float:
    """Opacity of what stood there `ghost` frames ago."""
    return 1 if ghost == 0 else 0.4 * (1 - ghost / (ghosts + 1))


def _code(picture: Any, frame: Frame) -> Any:
    """The cells of the frame number and of its parity: white above where 1, below where 0."""
    row, edges = framecode.row_height(frame.height), framecode.cell_edges(frame.width)
    bits = [f"bitand(n,{1 << framecode.BITS - 1 - bit})" for bit in range(framecode.BITS)]
    parity = f"mod({'+'.join(f'gt({bit},0)' for bit in bits)},2)"
    for cell, value in enumerate((*bits, parity), start=framecode.FIRST_BIT):
        width = edges[cell + 1] - edges[cell]
        above = f"gt({value},0)"
        picture = _box(picture, edges[cell], frame.stage, width, row, "white", enable=above)
        below = f"eq({value},0)"
        picture = _box(picture, edges[cell], frame.stage + row, width, row, "white", enable=below)
    return picture


# Sizes of text


def _digits(frame: Frame) -> int:
    return max(4, len(str(frame.count)))


def _number_size(frame: Frame) -> int:
    """The frame number fills the ring."""
    return int(1.7 * frame.ring / (ADVANCE_EM * _digits(frame)))


def _sides(frame: Frame) -> tuple[float, float]:
    """Centres of the columns left and right of the ring."""
    outer = frame.ring + RINGS_APART * frame.unit
    middle = (frame.width / 2 - outer) / 2 + frame.margin / 4
    return middle, frame.width - middle


def _side_size(frame: Frame) -> int:
    outer = frame.ring + RINGS_APART * frame.unit
    room = frame.width / 2 - outer - 2.8 * frame.margin
    longest = max(5, len(plain(frame.rate)), len(str(int(frame.count / frame.rate))) + 3)
    return max(7, int(min(0.15 * frame.unit, room / (ADVANCE_EM * longest))))


def _width(characters: int, size: float) -> float:
    return ADVANCE_EM * size * characters


# Drawing


def _centred(picture: Any, text: str, *, x: float, size: int, **options: Any) -> Any:
    return _text(picture, text, x=x - _width(len(text), size) / 2, size=size, **options)


def _text(
    picture: Any,
    text: str,
    *,
    size: int,
    x: float | str,
    baseline: float | str,
    colour: str,
    alpha: float = 1,
    expand: bool = False,
    **options: Any,
) -> Any:
    return picture.filter(
        "drawtext",
        fontfile=ffmpeg.utf8(_font("Medium" if colour == DIM else "ExtraBold")),
        text=text,
        expansion="normal" if expand else "none",
        fontsize=size,
        fontcolor=f"{colour}@{alpha:g}",
        x=x if isinstance(x, str) else f"{x:g}",
        y=baseline if isinstance(baseline, str) else f"{baseline:g}",
        y_align="baseline",
        **options,
    )


def _box(picture: Any, x: int, y: int, width: int, height: int, colour: str, **options: Any) -> Any:
    return picture.filter("drawbox", x=x, y=y, w=width, h=height, c=colour, t="fill", **options)


def _font(weight: str) -> Path:
    return defaults() / "static" / "fonts" / "card" / f"JetBrainsMono-{weight}.ttf"
