"""Claims are checked, not repeated: what a run says, held against each of its files.

Three outcomes and no fourth: it holds, it fails (with both figures), or the file cannot tell.
Arithmetic is exact (fractions), so "cut to one decimal" means just that.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from math import floor

from generator.measure.decimals import decimal
from generator.records import Claim, Clip, Facts, Outcome, Run, Verdict

NO_FILE = "no file at hand to check it with"


def check(run: Run, clip: Clip, facts: Facts | None) -> tuple[Verdict, ...]:
    """Every claim made about `clip`, by its run and by its line in the table.

    `facts` is None where the clip's file is not at hand: then nothing about it can be checked.
    """
    claims = [claim for claim in run.claims if not claim.series or clip.series in claim.series]
    verdicts = [_check_claim(claim, clip, facts) for claim in claims]
    return tuple(verdicts) + tuple(_check_table(clip, facts))


def cut(value: Fraction, decimals: int) -> Fraction:
    """`value` >= 0 with all but `decimals` decimals cut off: cut(49.35, 1) = 49.3."""
    return Fraction(floor(value * 10**decimals), 10**decimals)


def nearest(value: Fraction, decimals: int) -> Fraction:
    """`value` >= 0 rounded to `decimals` decimals, halves upwards: nearest(49.35, 1) = 49.4."""
    return Fraction(floor(value * 10**decimals + Fraction(1, 2)), 10**decimals)


@lru_cache(maxsize=4096)
def exact(value: Fraction, least: int) -> str:
    """`value` >= 0 with at least `least` decimals, and as many more, up to `least` + 4, as it
    takes to write it exactly: exact(49.35, 1) = 49.35, exact(1/3, 2) = 0.333333."""
    for decimals in range(least, least + 5):
        if (value * 10**decimals).denominator == 1:
            break
    return decimal(value, decimals)


def _check_claim(claim: Claim, clip: Clip, facts: Facts | None) -> Verdict:
    if claim.kind == "statement":
        return _verdict(claim, Outcome.CANNOT_CHECK, note=claim.reason)
    assert claim.seconds is not None  # the catalogue lets no such claim pass without
    if claim.kind == "duration":
        return _check_duration(claim, claim.seconds, facts)
    return _check_fps(claim, claim.seconds, clip, facts)


def _check_duration(claim: Claim, seconds: Fraction, facts: Facts | None) -> Verdict:
    stated = f"{exact(seconds, 3)} s"
    if facts is None:
        return _verdict(claim, Outcome.CANNOT_CHECK, stated=stated, note=NO_FILE)
    off = facts.duration_s - seconds
    holds = abs(off) <= claim.tolerance_s
    return _verdict(
        claim,
        Outcome.HOLDS if holds else Outcome.FAILS,
        stated=stated,
        found=f"{exact(facts.duration_s, 3)} s",
        note=f"the file's own duration, held to ± {exact(claim.tolerance_s, 3)} s",
    )


def _check_fps(claim: Claim, seconds: Fraction, clip: Clip, facts: Facts | None) -> Verdict:
    if clip.fps is None:
        return _verdict(claim, Outcome.CANNOT_CHECK, note="no FPS is stated for this clip")
    stated = f"{exact(clip.fps, claim.decimals)} FPS"
    if facts is None:
        return _verdict(claim, Outcome.CANNOT_CHECK, stated=stated, note=NO_FILE)
    quotient = facts.frame_count / seconds
    brought = (cut if claim.rounding == "cut" else nearest)(quotient, claim.decimals)
    how = "cut" if claim.rounding == "cut" else "rounded"
    return _verdict(
        claim,
        Outcome.HOLDS if brought == clip.fps else Outcome.FAILS,
        stated=stated,
        found=(
            f"{facts.frame_count} frames / {exact(seconds, 1)} s = "
            f"{exact(quotient, claim.decimals + 1)}, {how} to "
            f"{decimal(brought, claim.decimals)}"
        ),
        note="arithmetic only: a file shows how many frames there are, not how long they took",
    )


def _check_table(clip: Clip, facts: Facts | None) -> Iterable[Verdict]:
    """What the clip's own line in the table states about its file."""
    if facts is None:
        return
    yield _table_verdict("size", "Size in pixels", clip.size, f"{facts.width}x{facts.height}")
    if clip.stated_frames is not None:
        yield _table_verdict(
            "frames", "Number of frames", str(clip.stated_frames), str(facts.frame_count)
        )
    if clip.stated_seconds is not None:
        yield _table_verdict(
            "seconds",
            "Seconds of the file",
            f"{exact(clip.stated_seconds, 3)} s",
            f"{exact(facts.duration_s, 3)} s",
        )


def _table_verdict(name: str, says: str, stated: str, found: str) -> Verdict:
    return Verdict(
        claim=f"table-{name}",
        says=says,
        quoted=False,
        outcome=Outcome.HOLDS if stated == found else Outcome.FAILS,
        stated=stated,
        found=found,
        note="as the run's table states it",
    )


def _verdict(
    claim: Claim, outcome: Outcome, *, stated: str = "", found: str = "", note: str = ""
) -> Verdict:
    return Verdict(
        claim=claim.id,
        says=claim.says,
        quoted=claim.quoted,
        outcome=outcome,
        stated=stated,
        found=found,
        note=note,
    )
