"""Write docs/content.md from the types: `python -m generator.catalogue.reference`."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from enum import EnumType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from generator.catalogue import forms, perframe, text
from generator.intake import LISTED_AT_MOST, PER_FRAME, TABLE, TEXT
from generator.records import ARRIVAL, BITS_PER_FRAME, CARD, EXTRA_PREFIX, FRAME, PER_FRAME_FOLDER

FILES: tuple[tuple[str, tuple[type[forms.Form], ...]], ...] = (
    ("content/site.toml", (forms.SiteForm, forms.LinkForm)),
    ("content/prompts/&lt;id&gt;.md", (forms.PromptForm,)),
    ("content/pipelines/&lt;id&gt;.toml", (forms.PipelineForm,)),
    ("content/machines/&lt;id&gt;.toml", (forms.MachineForm,)),
    ("content/pages/&lt;id&gt;.md", (forms.PageForm, forms.PageChartForm)),
    ("content/presets/&lt;id&gt;.md", (forms.PresetForm,)),
    (
        "content/runs/&lt;id&gt;/run.toml",
        (
            forms.RunForm,
            forms.SeriesForm,
            forms.DurationClaimForm,
            forms.FpsClaimForm,
            forms.StatementForm,
        ),
    ),
    ("content/runs/&lt;id&gt;/clips.csv", (forms.ClipForm,)),
)

KINDS = {
    "Id": "id",
    "Fraction": "number",
    "int": "whole number",
    "float": "number",
    "str": "text",
    "bool": "true or false",
    "date": "date",
}


def reference() -> str:
    """The content reference as Markdown."""
    lines = [
        "# Content reference",
        "",
        "Generated from `generator/catalogue/forms.py` by `make docs`; edit the types instead.",
        "",
        "An *id* consists of small letters, digits and single hyphens or dots; a file's or",
        "folder's name is its id. Unknown keys are mistakes. All mistakes are reported in one run.",
        f"Columns of clips.csv that begin with `{EXTRA_PREFIX}` are carried along as they are.",
    ]
    for title, types_here in FILES:
        lines += ["", f"## {title}"]
        for form in types_here:
            lines += ["", (form.__doc__ or "").strip(), "", "| key | what | |", "|---|---|---|"]
            lines += _rows(form)
    return "\n".join([*lines, "", *_per_frame(), "", "## Limits", "", *_limits()]) + "\n"


def _per_frame() -> Iterator[str]:
    """The table that a line of clips.csv may name in `per_frame`."""
    yield f"## content/runs/&lt;id&gt;/{PER_FRAME_FOLDER}/&lt;name&gt;.csv"
    yield ""
    yield "What a run recorded of each frame of a clip; the column `per_frame` of clips.csv names"
    yield "it. A line for each frame of the file, in the order in which they are shown. The"
    yield f"comparer draws every series under its timeline, beside the {BITS_PER_FRAME} that are"
    yield "read from the clip itself."
    yield ""
    yield "| column | what | |"
    yield "|---|---|---|"
    yield f"| `{FRAME}` | Number of the frame: 0, 1, 2 and so on. First column. | required |"
    yield (
        f"| `{ARRIVAL}` | Seconds from the start of the clock until the frame was there, as the "
        "run recorded it; never falling. Frames of one chunk arrive together. With it the clip is "
        'shown "as live" as it came; without it at the stated FPS. | optional |'
    )
    yield (
        "| `name [unit]` | A series of one's own, such as `step latency [ms]`; without brackets a "
        "plain number. Empty where nothing was recorded. Clips share a scale where name and unit "
        "are the same. | optional |"
    )
    yield ""
    yield f"Units: {', '.join(f'`{unit}`' for unit in perframe.UNITS)}."
    yield ""
    yield "```csv"
    yield f"{FRAME},{ARRIVAL},step latency [ms]"
    yield "0,0.166,41.2"
    yield "1,0.166,"
    yield "2,0.412,40.9"
    yield "```"


def _limits() -> Iterator[str]:
    """What content may not exceed: generous to people, and narrow enough that a build ends."""
    yield "What exceeds these is refused with a message, before it costs time or memory:"
    yield ""
    yield (
        f"- A TOML or Markdown file: {TEXT.max_bytes // 1024} KiB. A clips.csv, or a table that is "
        f"ingested: {TABLE.max_bytes >> 20} MiB, {TABLE.max_rows} lines, {TABLE.max_columns} "
        f"columns; a cell that is carried along: {TABLE.max_cell_chars} characters. A table of "
        f"frames: {PER_FRAME.max_bytes >> 20} MiB, {PER_FRAME.max_rows} lines, "
        f"{PER_FRAME.max_series} series."
    )
    yield (
        f"- A title: 1000 characters; any text: {forms.LONGEST_TEXT}; an address: "
        f"{forms.LONGEST_ADDRESS}; a list or table: {forms.MOST_ENTRIES} entries; steps: 16 stages."
    )
    yield f"- Markdown: {'; '.join(text.limits())}."
    yield (
        f"- A test card: {CARD.max_frames} frames, {CARD.max_pixels} pixels over all frames. "
        f"A file's mistakes: the first {LISTED_AT_MOST} are listed."
    )
    yield ""
    yield (
        "Files are regular files inside content/: links out of it, pipes and devices are refused. "
        "Front matter holds plain values, no YAML references or tags. No text holds control "
        "characters, or marks that turn its direction (U+202A to U+202E, U+2066 to U+2069): they "
        "would show other text than stands there; Hebrew and Arabic need none of them. Images in "
        "Markdown are the site's own. Everything else is text: markup, template and script syntax "
        "in it is shown and never run."
    )


def _rows(form: type[forms.Form]) -> Iterator[str]:
    for name, field in form.model_fields.items():
        need = "required" if field.is_required() else _default(field)
        what = " ".join((field.description or "").split()).replace("|", "\\|")
        yield f"| `{name}` | {what} ({_kind(field.annotation)}) | {need} |"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", (), {}):
        return "optional"
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return f"default `{shown}`"


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0])
    if origin is Literal:
        return " or ".join(f'"{value}"' for value in arguments)
    if origin in (Union, types.UnionType):
        kinds = [_kind(part) for part in arguments if part is not type(None)]
        return " or ".join(dict.fromkeys(kinds))
    if origin is tuple:
        return f"list of: {_kind(arguments[0])}"
    if origin is dict:
        return "table of names and texts"
    if isinstance(annotation, EnumType):
        return " or ".join(f'"{member.value}"' for member in annotation)  # type: ignore[var-annotated]
    if isinstance(annotation, type) and issubclass(annotation, forms.Form):
        return "a table, see below"
    return KINDS.get(getattr(annotation, "__name__", ""), str(annotation))


if __name__ == "__main__":
    sys.stdout.write(reference())
