"""Claims are held against files by exact arithmetic; `decimal` and hand-worked rows judge it."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import blank
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.measure import claims
from generator.records import Claim, Clip, Facts, Label, Outcome, Run, Series, in_ticks

SERIES = Series(
    id="s",
    title="S",
    label=Label.PUBLISHED_ELSEWHERE,
    fps_means="",
    spread_over_s=None,
    interpolation="none",
    chart=True,
)


def a_claim(kind: str, **given_fields: object) -> Claim:
    fields: dict[str, object] = {
        "id": kind,
        "kind": kind,
        "says": "…",
        "series": (),
        "seconds": Fraction(20),
        "tolerance_s": Fraction(1, 100),
        "decimals": 1,
        "rounding": "cut",
        "reason": "a file cannot tell",
    }
    return Claim(**{**fields, **given_fields})  # type: ignore[arg-type]


def a_run(*made: Claim) -> Run:
    return Run(
        id="r",
        title="R",
        summary="",
        html="",
        measured_by="somebody",
        published="2026-03-01",
        source=None,
        machine="m",
        machine_stated="M",
        software=(),
        weights="not stated",
        protocol=(),
        rights="theirs",
        publish_media=False,
        publish_stills=False,
        series=(SERIES,),
        claims=made,
        folder=Path("r"),
    )


def a_clip(fps: str | None, **given_fields: object) -> Clip:
    own = {"series": "s", "width": 512, "height": 288, "steps": (8,)}
    stated = None if fps is None else Fraction(fps)
    return blank.a_clip("c", run="r", fps=stated, **{**own, **given_fields})


def some_facts(frames: int, duration: str) -> Facts:
    ticks, ticks_per_second = in_ticks(Fraction(duration) * i / frames for i in range(frames))
    return Facts(
        sha256="0" * 64,
        bytes=1,
        container="webm",
        codec="vp8",
        profile="",
        pixel_format="yuv420p",
        width=512,
        height=288,
        frame_count=frames,
        ticks=ticks,
        ticks_per_second=ticks_per_second,
        packet_bytes=(1,) * frames,
        keyframes=(0,),
        duration_s=Fraction(duration),
        stated_rate_hz=None,
        index_first=True,
        flags=(),
    )


@given(st.fractions(min_value=0, max_value=1000, max_denominator=2000), st.integers(0, 4))
def test_cut_and_nearest_agree_with_decimal(value: Fraction, decimals: int) -> None:
    """Decimal, with more digits than any of these fractions needs to be told apart, agrees."""
    exact = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal(10) ** -20)
    unit = Decimal(10) ** -decimals
    assert claims.cut(value, decimals) == Fraction(exact.quantize(unit, ROUND_DOWN))
    assert claims.nearest(value, decimals) == Fraction(exact.quantize(unit, ROUND_HALF_UP))
    assert claims.decimal(value, decimals) == str(exact.quantize(unit, ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("frames", "fps", "rounding", "outcome"),
    [
        (987, "49.3", "cut", Outcome.HOLDS),  # 49.35 cut to 49.3
        (987, "49.3", "nearest", Outcome.FAILS),  # 49.35 rounds to 49.4
        (443, "22.1", "cut", Outcome.HOLDS),  # 22.15
        (226, "11.3", "cut", Outcome.HOLDS),  # 11.30, nothing to cut
        (226, "11.3", "nearest", Outcome.HOLDS),
        (352, "12.8", "cut", Outcome.FAILS),  # 17.6: the Helios file
    ],
)
def test_stated_fps_is_frames_over_seconds(
    frames: int, fps: str, rounding: str, outcome: Outcome
) -> None:
    run = a_run(a_claim("fps-from-frames", rounding=rounding))
    verdict = claims.check(run, a_clip(fps), some_facts(frames, "14.2"))[0]
    assert verdict.outcome is outcome
    assert verdict.stated == f"{fps} FPS"
    assert f"{frames} frames / 20.0 s" in verdict.found


@pytest.mark.parametrize(
    ("duration", "outcome"),
    [
        ("20.01", Outcome.HOLDS),
        ("19.99", Outcome.HOLDS),
        ("20.0101", Outcome.FAILS),
        ("14.2", Outcome.FAILS),
    ],
)
def test_duration_holds_up_to_its_tolerance(duration: str, outcome: Outcome) -> None:
    verdict = claims.check(a_run(a_claim("duration")), a_clip(None), some_facts(9, duration))[0]
    assert verdict.outcome is outcome
    assert (verdict.stated, verdict.found) == (
        "20.000 s",
        f"{Decimal(duration):.{max(3, len(duration) - 3)}f} s",
    )


def test_figures_that_differ_are_shown_to_differ() -> None:
    """A stated figure is printed as it was stated, never rounded into another."""
    run = a_run(
        a_claim("fps-from-frames", rounding="nearest"),
        a_claim("duration", tolerance_s=Fraction(1, 100000)),
    )
    fps, duration, _ = claims.check(run, a_clip("49.35"), some_facts(987, "20.0004"))
    assert (fps.outcome, fps.stated) == (Outcome.FAILS, "49.35 FPS")
    assert fps.found == "987 frames / 20.0 s = 49.35, rounded to 49.4"
    assert (duration.stated, duration.found) == ("20.000 s", "20.0004 s")
    assert "± 0.00001 s" in duration.note


def test_what_a_file_cannot_tell_is_never_said_to_hold() -> None:
    """Statements, clips without a file and clips without a number all end as "cannot"."""
    statement = a_claim("statement", seconds=None)
    run = a_run(statement, a_claim("duration"), a_claim("fps-from-frames"))
    without_file = claims.check(run, a_clip("49.3"), None)
    assert {verdict.outcome for verdict in without_file} == {Outcome.CANNOT_CHECK}
    assert without_file[0].note == "a file cannot tell"
    without_fps = claims.check(run, a_clip(None), some_facts(987, "20"))
    assert [v.outcome for v in without_fps[:3]] == [
        Outcome.CANNOT_CHECK,
        Outcome.HOLDS,
        Outcome.CANNOT_CHECK,
    ]


def test_the_table_is_held_against_the_file() -> None:
    clip = a_clip(None, stated_frames=12, stated_seconds=Fraction(2), width=848, height=480)
    verdicts = {v.claim: v for v in claims.check(a_run(), clip, some_facts(12, "2.5"))}
    assert verdicts["table-size"].outcome is Outcome.FAILS
    assert (verdicts["table-size"].stated, verdicts["table-size"].found) == ("848x480", "512x288")
    assert verdicts["table-frames"].outcome is Outcome.HOLDS
    assert verdicts["table-seconds"].outcome is Outcome.FAILS


def test_a_claim_speaks_only_of_its_series() -> None:
    run = a_run(a_claim("duration", series=("other",)))
    assert [v.claim for v in claims.check(run, a_clip(None), None)] == []
