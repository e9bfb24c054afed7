"""What `build --json` and `check --json` answer: one document, described in docs/json.md.

Its form is docs/json.schema.json. Keys may be added within a version; none goes or changes its
meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from generator.errors import Complaint, ContentError, MatrixError, UsageError
from generator.records import Clip, Facts, Verdict

VERSION = 1

Json = dict[str, Any]

_PLACE = re.compile(r"(?P<file>.+) (?P<place>line \d+(?:, .*)?|\$(?:[.\[].*)?)")


def answer(
    command: str, *, exit_code: int = 0, errors: Sequence[Json] = (), **results: object
) -> Json:
    """The whole document. What a failed command could not find out is null in it."""
    empty: Json = {"build": {"site": None}, "check": {"clips": None}}[command]
    head = {"version": VERSION, "command": command, "exit_code": exit_code, "errors": list(errors)}
    return {**head, **empty, **results}


def exit_code_of(error: BaseException) -> int:
    """What the command ends with after this error."""
    if isinstance(error, MatrixError):
        return error.exit_code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def errors_of(error: BaseException) -> list[Json]:
    """Every mistake that an error tells of."""
    if isinstance(error, ContentError):
        return entries(error.complaints)
    if isinstance(error, UsageError):
        problem, remedy = _mended(str(error))
        return [_entry("usage", str(error), problem=problem, remedy=remedy)]
    if isinstance(error, MatrixError):
        return [_from_line(error, line) for line in str(error).splitlines() if line[-1:] != ":"]
    if isinstance(error, KeyboardInterrupt):
        return [_entry("interrupted", "interrupted", problem="interrupted")]
    if isinstance(error, OSError):  # what no room could name better
        named = None if error.filename is None else str(error.filename)
        problem = error.strerror or str(error)
        return [_entry("system", f"{named or 'output'}: {problem}", file=named, problem=problem)]
    return [_entry("fault", f"{type(error).__name__}: {error}", problem=str(error))]


def entries(complaints: Iterable[Complaint]) -> list[Json]:
    """What is to be mended in content/, each with its file, place and remedy."""
    return [
        _entry(
            "content",
            str(complaint),
            **_apart(complaint.where),
            problem=complaint.problem,
            remedy=complaint.remedy,
        )
        for complaint in complaints
    ]


def _from_line(error: MatrixError, line: str) -> Json:
    """A line reads `file: problem; remedy`, or names no file."""
    kind = type(error).__name__.removesuffix("Error").lower()
    where, separator, rest = line.partition(": ")
    problem, remedy = _mended(rest if separator else line)
    named = _apart(where) if separator else {}
    return _entry(kind, line, **named, problem=problem, remedy=remedy)


def _entry(
    kind: str,
    text: str,
    *,
    problem: str,
    file: str | None = None,
    place: str | None = None,
    remedy: str | None = None,
) -> Json:
    return {
        "kind": kind,
        "file": file,
        "place": place,
        "problem": problem,
        "remedy": remedy,
        "text": text,
    }


def _apart(where: str) -> dict[str, str | None]:
    """`runs/x/clips.csv line 7, steps` as file and place."""
    parts = _PLACE.fullmatch(where)
    return {"file": parts["file"], "place": parts["place"]} if parts else {"file": where}


def _mended(sentence: str) -> tuple[str, str | None]:
    """`problem; remedy`, unless the last semicolon stands inside parentheses."""
    problem, separator, remedy = sentence.rpartition("; ")
    if not separator or remedy.count("(") != remedy.count(")"):
        return sentence, None
    return problem, remedy


def clips(found: Iterable[tuple[Clip, Facts | None, Sequence[Verdict]]]) -> list[Json]:
    """What `check` found out, clip by clip."""
    return [
        {
            "id": clip.id,
            "run": clip.run,
            "pipeline": clip.pipeline,
            "prompt": clip.prompt or None,
            "size": clip.size,
            "steps": list(clip.steps),
            "fps_stated": float(clip.fps) if clip.fps is not None else None,
            "file": None if facts is None else _file(facts),
            "claims": [
                {
                    "id": verdict.claim,
                    "says": verdict.says,
                    "outcome": str(verdict.outcome),
                    "stated": verdict.stated or None,
                    "found": verdict.found or None,
                    "note": verdict.note,
                }
                for verdict in verdicts
            ],
        }
        for clip, facts, verdicts in found
    ]


def _file(facts: Facts) -> Json:
    return {
        "sha256": facts.sha256,
        "codec": facts.codec,
        "frames": facts.frame_count,
        "distinct_timestamps": facts.distinct_timestamps,
        "duration_s": round(float(facts.duration_s), 6),
        "flags": {flag.id: flag.text for flag in facts.flags},
    }
