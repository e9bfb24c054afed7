"""Print a site's sheets into a draft: those that changed, and the rest as they were printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from generator.errors import PublishError
from generator.pages import Sheet
from generator.publish import check
from generator.publish.check import Outline
from generator.publish.memory import Memory
from generator.publish.write import Draft


@dataclass(slots=True, kw_only=True)
class Printed:
    """What was printed, and what it is to be checked by."""

    draft: Draft
    base_path: str
    sheets: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    outlines: dict[str, Outline] = field(default_factory=dict)
    printed: int = 0

    def check(self, static: Mapping[str, Path]) -> None:
        """Raise PublishError, with everything that is wrong, unless every address of the site's
        own leads somewhere; `static` are style sheets, scripts and the like."""
        unsound = check.unsound(self.outlines, self.draft.files)
        texts = {name: (self.draft.folder / name).read_text("utf-8") for name in unsound}
        known = self.draft.files
        faults = check.page_problems(
            texts, known, base_path=self.base_path, elsewhere=self.outlines
        )
        faults += check.source_problems(static, known)
        if faults:
            raise PublishError("the rendered site is broken:\n" + "\n".join(faults))


def print_all(
    sheets: Sequence[Sheet],
    draft: Draft,
    known: Memory,
    *,
    base_path: str,
    on_done: Callable[[int, int], None],
) -> Printed:
    """Every sheet into `draft`: taken from the published site where `known` tells that it holds
    what would be printed, else printed."""
    made = Printed(draft=draft, base_path=base_path)
    for number, sheet in enumerate(sheets, 1):
        digest, names = known.sheets.get(sheet.name, ("", ()))
        if digest != sheet.digest or not _kept(names, draft, known, made):
            names = _print(sheet, draft, made)
        made.sheets[sheet.name] = (sheet.digest, names)
        on_done(number, len(sheets))
    return made


def _kept(names: Sequence[str], draft: Draft, known: Memory, made: Printed) -> bool:
    taken: list[str] = []
    for name in names:
        outlined = name in known.outlines or not name.endswith(".html")
        if not (outlined and name in known.files and draft.keep(name, known.files[name])):
            for other in taken:
                draft.drop(other)
            return False
        taken.append(name)
    made.outlines.update((name, known.outlines[name]) for name in names if name.endswith(".html"))
    return True


def _print(sheet: Sheet, draft: Draft, made: Printed) -> tuple[str, ...]:
    texts = sheet.texts()
    for name, text in texts.items():
        draft.text(name, text)
        if name.endswith(".html"):
            made.outlines[name] = check.outline(name, text, base_path=made.base_path)
    made.printed += 1
    return tuple(texts)
