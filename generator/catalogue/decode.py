"""Files to forms: TOML, Markdown with front matter, CSV. Collects complaints, never stops early."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import frontmatter
import yaml
from frontmatter.default_handlers import SafeLoader, YAMLHandler
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from generator.catalogue import forms
from generator.errors import Complaint
from generator.intake import (
    LISTED_AT_MOST,
    TABLE,
    TEXT,
    Refusal,
    TableError,
    csv_rows,
    printable,
    text_of,
)
from generator.project import Project
from generator.records import EXTRA_PREFIX

FormT = TypeVar("FormT", bound=forms.Form)

CLAIM_KINDS = ("duration", "fps-from-frames", "statement")

NEAR = 0.65
"""Likeness (0 to 1) from which a known name is offered for an unknown one."""

EXAMPLE = "`python -m generator new DIR` makes a project to look at"

SHOWN_AT_MOST = 80
"""Characters of a faulty value that a complaint repeats."""

NESTED_AT_MOST = 20
"""How deep lists and tables of front matter may stand in each other."""


class Complaints:
    """What is wrong, gathered over the whole of content/."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.found: list[Complaint] = []
        self._listed: Counter[Path] = Counter()

    def add(self, path: Path, place: str, problem: str, remedy: str) -> None:
        if self.full(path):
            return
        self._listed[path] += 1
        name = self.project.relative(path)
        where = f"{name} {printable(place)}" if place else name
        self.found.append(
            Complaint(where=where, problem=printable(problem), remedy=printable(remedy))
        )
        if self.full(path):
            self.found.append(
                Complaint(
                    where=name,
                    problem=f"only the first {LISTED_AT_MOST} mistakes are listed",
                    remedy="mend these, and give the command again",
                )
            )

    def full(self, path: Path) -> bool:
        """Whether as many mistakes of this file are known as are listed."""
        return self._listed[path] >= LISTED_AT_MOST


def read_text(path: Path, complaints: Complaints, *, max_bytes: int = TEXT.max_bytes) -> str | None:
    """The file's text; complains of what cannot be read as UTF-8."""
    try:
        text = text_of(path, max_bytes=max_bytes, within=complaints.project.content)
    except FileNotFoundError:
        complaints.add(path, "", "no such file", f"write it; {EXAMPLE}")
        return None
    if isinstance(text, Refusal):
        complaints.add(path, text.place, text.problem, text.remedy)
        return None
    return text


def read_toml(path: Path, form: type[FormT], complaints: Complaints) -> FormT | None:
    """A TOML file as a form."""
    text = read_text(path, complaints)
    if text is None:
        return None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        complaints.add(path, "", f"no valid TOML: {_brief(str(error))}", "mend the syntax there")
        return None
    except ValueError:  # Python reads whole numbers of at most 4300 digits
        complaints.add(path, "", "holds a number of thousands of digits", "shorten it")
        return None
    except RecursionError:
        complaints.add(path, "", "lists stand in lists without end", "write fewer brackets")
        return None
    return validate(path, "$", data, form, complaints)


class _FrontMatter(YAMLHandler):
    """Plain values only: no references (a few lines of them unfold to gigabytes) and no tags."""

    def load(self, fm: str, **kwargs: object) -> Any:
        depth = 0
        for event in yaml.parse(fm, Loader=SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _refused(event, f'"*{event.anchor}" refers to another place')
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise _refused(event, f'"{_brief(tag)}" is a tag')
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > NESTED_AT_MOST:
                raise _refused(event, "lists stand in lists without end")
        return yaml.load(fm, Loader=SafeLoader)


def _refused(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]


def read_markdown(
    path: Path, form: type[FormT], complaints: Complaints
) -> tuple[FormT, str, int] | None:
    """Front matter as a form, the Markdown below it, and the line at which that begins."""
    text = read_text(path, complaints)
    if text is None:
        return None
    try:
        data, body = frontmatter.parse(text, handler=_FrontMatter())
    except RecursionError:
        complaints.add(path, "", "lists stand in lists without end", "write fewer brackets")
        return None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # such as a date 2026-13-45
        mark = getattr(error, "problem_mark", None)
        place = f"line {_front_matter_line(text) + mark.line}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        complaints.add(
            path,
            place,
            f"the front matter is no valid YAML: {_brief(str(problem))}",
            "mend the syntax there",
        )
        return None
    if not data:
        complaints.add(
            path,
            "line 1",
            "no front matter",
            f"begin with --- and the fields {', '.join(_required(form))}, then ---",
        )
        return None
    valid = validate(path, "$", data, form, complaints)
    line = text.count("\n", 0, text.rindex(body) if body else len(text)) + 1
    return None if valid is None else (valid, body, line)


def _front_matter_line(text: str) -> int:
    """The line at which the front matter begins, as the parser counts from it."""
    matter, _ = YAMLHandler().split(text)
    return text[: text.index(matter)].count("\n") + 1


def read_clips(
    path: Path, complaints: Complaints
) -> list[tuple[int, forms.ClipForm, tuple[tuple[str, str], ...]]]:
    """Lines of a clips.csv: line number, form, extra columns."""
    text = read_text(path, complaints, max_bytes=TABLE.max_bytes)
    if text is None:
        return []
    table = csv_rows(text)
    known = list(forms.ClipForm.model_fields)
    lines: list[tuple[int, forms.ClipForm, tuple[tuple[str, str], ...]]] = []
    rows = 0
    try:
        header = [name.strip() for name in next(table, (1, []))[1]]
        if not _check_header(path, header, known, complaints):
            return []
        for number, fields in table:
            if not fields:
                continue
            rows += 1
            if rows > TABLE.max_rows:
                complaints.add(
                    path,
                    f"line {number}",
                    f"a run holds at most {TABLE.max_rows} clips",
                    "spread them over several runs",
                )
            if complaints.full(path) or rows > TABLE.max_rows:
                break
            more = len(fields) - len(header)
            if more > 0:
                complaints.add(
                    path,
                    f"line {number}",
                    f"{more} more {'field' if more == 1 else 'fields'} than the header has",
                    'quote fields that hold commas: "a, b"',
                )
                continue
            cells = {
                name: value.strip().replace("\r\n", "\n")
                for name, value in zip(header, fields, strict=False)
            }
            extra = tuple(
                (name.removeprefix(EXTRA_PREFIX), value)
                for name, value in cells.items()
                if name.startswith(EXTRA_PREFIX) and value
            )
            _check_extra(path, number, extra, complaints)
            given = {name: value for name, value in cells.items() if name in known and value}
            form = validate(path, f"line {number}", given, forms.ClipForm, complaints)
            if form is not None:
                lines.append((number, form, extra))
    except TableError as fault:
        complaints.add(path, f"line {fault.line}", fault.problem, fault.remedy)
    return lines


def _check_extra(
    path: Path, number: int, extra: Iterable[tuple[str, str]], complaints: Complaints
) -> None:
    """Columns of one's own are carried along, so they hold what pages and tables can show."""
    for name, value in extra:
        fault = forms.unreadable(value)
        if fault is None and len(value) > TABLE.max_cell_chars:
            fault = f"is too long; write {TABLE.max_cell_chars} characters or fewer"
        if fault is not None:
            problem, _, remedy = fault.partition("; ")
            place = f"line {number}, {EXTRA_PREFIX}{name}"
            complaints.add(path, place, f"{as_written(value)} {problem}", remedy)


def _check_header(
    path: Path, header: Sequence[str], known: Sequence[str], complaints: Complaints
) -> bool:
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            complaints.add(
                path, "line 1", f"the columns are separated by {name}", "separate them by commas"
            )
            return False
    if not any(header):
        names = ", ".join(_required(forms.ClipForm))
        complaints.add(path, "line 1", "names no columns", f"begin with a line of them: {names}")
        return False
    if len(header) > TABLE.max_columns:
        complaints.add(
            path,
            "line 1",
            f"{len(header)} columns are more than a table may have",
            f"keep at most {TABLE.max_columns}",
        )
        return False
    before = len(complaints.found)
    for name, times in Counter(header).items():
        shown = f'"{_brief(name)}"'
        if times > 1:
            complaints.add(path, "line 1", f"column {shown} stands twice", "keep one")
        elif name not in known and not name.startswith(EXTRA_PREFIX):
            complaints.add(
                path,
                "line 1",
                f"no column is called {shown}",
                did_you_mean(name, known)
                or f'rename it "{EXTRA_PREFIX}{_brief(name)}" to carry it along, or leave it out',
            )
        elif forms.unreadable(name) is not None or len(name) > SHOWN_AT_MOST:
            complaints.add(
                path,
                "line 1",
                f"{shown} is no name for a column",
                f"write {SHOWN_AT_MOST} plain characters or fewer",
            )
    for name in _required(forms.ClipForm):
        if name not in header:
            complaints.add(path, "line 1", f'the column "{name}" is missing', f"add {name}")
    return len(complaints.found) == before


def validate(
    path: Path, place: str, data: Mapping[str, Any], form: type[FormT], complaints: Complaints
) -> FormT | None:
    """`data` as a form, or one complaint for each thing wrong with it."""
    try:
        return form.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        faulty = {detail["loc"][:-i] for detail in details for i in range(1, len(detail["loc"]))}
        for detail in details:
            if detail["type"] == "too_short" and detail["loc"] in faulty:
                continue  # not empty: what stands there has complaints of its own
            where = _place(place, detail["loc"])
            problem, remedy = _explain(detail, form)
            complaints.add(path, where, problem, remedy)
        return None


def _place(place: str, loc: tuple[int | str, ...]) -> str:
    parts = [part for i, part in enumerate(loc) if not (i == 2 and loc[0] == "claims")]
    if place.startswith("line"):
        return f"{place}, {'.'.join(map(str, parts))}" if parts else place
    return place + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _explain(detail: ErrorDetails, form: type[BaseModel]) -> tuple[str, str]:
    kind, value, name = detail["type"], detail["input"], str(detail["loc"][-1])
    context = detail.get("ctx", {})
    shown, meaning = as_written(value), _meaning(form, detail["loc"])
    match kind:
        case "missing":
            return "is missing", f"add it: {meaning}"
        case "extra_forbidden":
            siblings = _fields_at(form, detail["loc"][:-1])
            if form is forms.SiteForm and name == "compare":
                return _MOVED
            return (
                f'nothing is called "{_brief(name)}" here',
                did_you_mean(name, siblings) or f"known are {', '.join(siblings)}",
            )
        case "enum" | "literal_error":
            expected = re.findall(r"'([^']*)'", str(context.get("expected", "")))
            return f"{shown} is not possible here", did_you_mean(
                str(value), expected
            ) or "write one of: " + ", ".join(f'"{word}"' for word in expected)
        case "union_tag_invalid":
            return (
                f"{as_written(context.get('tag'))} is no kind of claim",
                f"write kind = one of: {', '.join(CLAIM_KINDS)}",
            )
        case "union_tag_not_found":
            return "kind is missing", f"write kind = one of: {', '.join(CLAIM_KINDS)}"
        case "string_pattern_mismatch":
            return f"{shown} does not fit", _PATTERN_REMEDIES[str(context["pattern"])]
        case "string_too_long":
            return f"{shown} is too long", f"write {context['max_length']} characters or fewer"
        case "string_too_short" | "too_short":
            return "is empty", f"write it: {meaning}"
        case "value_error":
            problem, _, remedy = detail["msg"].removeprefix("Value error, ").partition("; ")
            return f"{shown} {problem}", remedy or meaning
        case "greater_than":
            return f"{shown} is not greater than {context['gt']:g}", meaning
        case "greater_than_equal":
            return f"{shown} is less than {context['ge']}", f"write {context['ge']} or more"
        case "less_than_equal":
            return f"{shown} is more than {context['le']}", f"write {context['le']} or less"
    for start, (problem, remedy) in _TYPE_REMEDIES.items():
        if kind.startswith(start):
            return f"{shown} {problem}", remedy
    return f"{shown}: {detail['msg']}", meaning


def _brief(text: str) -> str:
    """Text on one line, cut where it is long."""
    short = text if len(text) <= SHOWN_AT_MOST else text[: SHOWN_AT_MOST - 1] + "…"
    return printable(short)


def as_written(value: object) -> str:
    """A value as people wrote it: text in quotes, unless it is a number from a table."""
    if isinstance(value, str):
        text = _brief(value)
        return text if re.fullmatch(forms.NUMBER_PATTERN, text) else f'"{text}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 200:
        return "this number"
    if isinstance(value, list):
        return "this list"
    return "this table" if isinstance(value, dict) else _brief(str(value))


_TYPE_REMEDIES = {
    "string_unicode": ("holds half a character", "write the whole one"),
    "string": ("is no text", "put it in quotes"),
    "int": ("is no whole number", "write digits only"),
    "float": ("is no number", "write digits, such as 3.35"),
    "finite": ("is no finite number", "write digits, such as 3.35"),
    "bool": ("is neither true nor false", "write true or false"),
    "date": ("is no date", "write it as 2026-03-14"),
    "tuple": ("is no list", "write it as [a, b]"),
    "dict": ("is no table", 'write it as { name = "value" }'),
    "model": ("is no table", 'write it as { name = "value" }'),
}
"""By the beginning of the kind of mistake."""

_MOVED = (
    "comparisons stand in files of their own",
    "write each as content/presets/<id>.md (see docs/content.md), and take this out",
)
"""What site.toml held in earlier versions."""

_PATTERN_REMEDIES = {
    forms.ID_PATTERN: "write an id of small letters, digits and single hyphens or dots",
    forms.SIZE_PATTERN: "write width x height in pixels, such as 848x480",
    r"^[0-9a-f]{64}$": "write the sha256 as 64 hexadecimal digits in small letters",
    r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$": "write a language code such as en or de",
}


def _form_at(form: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel] | None:
    """The form that a location leads into."""
    special: dict[str, type[BaseModel]] = {
        "series": forms.SeriesForm,
        "links": forms.LinkForm,
        "source": forms.LinkForm,
        "duration": forms.DurationClaimForm,
        "fps-from-frames": forms.FpsClaimForm,
        "statement": forms.StatementForm,
    }
    here: type[BaseModel] | None = form
    for part in loc:
        if isinstance(part, int):
            continue
        here = special.get(part, here)
    return here


def _fields_at(form: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    here = _form_at(form, loc)
    return list(here.model_fields) if here else []


def _meaning(form: type[BaseModel], loc: Sequence[int | str]) -> str:
    names = [part for part in loc if isinstance(part, str)]
    if not names:
        return EXAMPLE
    here = _form_at(form, loc[:-1]) or form
    field = here.model_fields.get(names[-1])
    if field is None or not field.description:
        return EXAMPLE
    return field.description.strip()


def _required(form: type[BaseModel]) -> list[str]:
    return [name for name, field in form.model_fields.items() if field.is_required()]


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """`did you mean "memflow"?`, or nothing when nothing is near."""
    if len(value) > SHOWN_AT_MOST:
        return ""
    near = difflib.get_close_matches(value, list(known), n=1, cutoff=NEAR)
    return f'did you mean "{near[0]}"?' if near else ""
