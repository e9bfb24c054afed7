"""Claims summed up: what became of each when it was held against every file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from generator.pages.clips import ClipView
from generator.records import Claim, Label, Outcome, Run, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One clip's verdict on one claim."""

    page: str
    title: str
    pipeline: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeView:
    """The clips for which a claim came out one way."""

    outcome: Outcome
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """A claim's verdicts for the clips of one pipeline."""

    pipeline: str
    outcomes: tuple[OutcomeView, ...]
    """Those that occurred: holds, fails, cannot be checked, in this order."""
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """A claim of a run with all its verdicts.

    `written` claims stand in run.toml; others come from the run's table, line by line.
    """

    run: Run
    id: str
    says: str
    quoted: bool
    """`says` is word for word what was published."""
    kind: str
    """As the run's claim names it; "table" for what its table states."""
    reason: str
    series: tuple[str, ...]
    written: bool
    outcomes: tuple[OutcomeView, ...]
    parts: tuple[PartView, ...]
    total: int

    @property
    def anchor(self) -> str:
        return f"claim-{self.run.id}-{self.id}"

    @property
    def declared(self) -> bool:
        """Of cards that were drawn as ordered."""
        return all(one.label is Label.DECLARED for one in self.run.series)

    @property
    def origin(self) -> tuple[str, str]:
        """Who says so: words before and after the run's name."""
        if not self.written:
            return "From the table of", ""
        if self.quoted:
            return "Claimed by", ""
        if self.declared:
            return "Declared by", ""
        if self.kind == "fps-from-frames":
            return "Read into the numbers of", "by this archive"
        return "In this archive’s words, from", ""

    @property
    def about_models(self) -> bool:
        """A claim about what some model did, not about cards that were drawn as ordered."""
        return self.written and not self.declared


def claim_views(runs: Sequence[Run], views: Sequence[ClipView]) -> tuple[ClaimView, ...]:
    """Every claim of every run as it is written, then what the run's table states of its files."""
    return tuple(claim for run in runs for claim in _of_run(run, views))


def _of_run(run: Run, views: Sequence[ClipView]) -> Iterable[ClaimView]:
    found: dict[str, list[Finding]] = {claim.id: [] for claim in run.claims}
    for view in views:
        if view.run.id == run.id:
            for verdict in view.verdicts:
                found.setdefault(verdict.claim, []).append(_finding(view, verdict))
    written = {claim.id: claim for claim in run.claims}
    for claim_id, findings in found.items():
        yield _claim(run, claim_id, written.get(claim_id), findings)


def _finding(view: ClipView, verdict: Verdict) -> Finding:
    return Finding(page=view.page, title=view.title, pipeline=view.pipeline.title, verdict=verdict)


def _claim(run: Run, claim_id: str, claim: Claim | None, findings: Sequence[Finding]) -> ClaimView:
    titles = {one.id: one.title for one in run.series}
    pipelines = dict.fromkeys(finding.pipeline for finding in findings)
    return ClaimView(
        run=run,
        id=claim_id,
        says=claim.says if claim else findings[0].verdict.says,
        quoted=claim.quoted if claim else False,
        kind=claim.kind if claim else "table",
        reason=claim.reason if claim else "",
        series=tuple(titles.get(one, one) for one in claim.series) if claim else (),
        written=claim is not None,
        outcomes=_outcomes(findings),
        parts=tuple(
            _part(title, [one for one in findings if one.pipeline == title]) for title in pipelines
        ),
        total=len(findings),
    )


def _part(pipeline: str, findings: Sequence[Finding]) -> PartView:
    return PartView(pipeline=pipeline, outcomes=_outcomes(findings), total=len(findings))


def _outcomes(findings: Sequence[Finding]) -> tuple[OutcomeView, ...]:
    views = (
        OutcomeView(
            outcome=outcome,
            findings=tuple(one for one in findings if one.verdict.outcome is outcome),
        )
        for outcome in Outcome
    )
    return tuple(view for view in views if view.findings)
