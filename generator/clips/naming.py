"""Ids for what a table names: the same text gets the same id, another text another one.

Texts are the same when they differ in nothing but capitals, blanks, hyphens and underscores. A
text that is known already keeps its id; a new one gets an id made of its letters, with a number
where another text has that id.
"""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.clips.draft import MAX_ID_CHARS, NOT_STATED, slug
from generator.intake import TEXT, Refusal, text_of

__all__ = ["KnownPrompt", "Names", "free_id", "known_prompts", "plain", "titles_in"]


class Names:
    """Ids of one kind of thing, and the text that each stands for."""

    def __init__(self, kind: str, known: Mapping[str, str] | None = None) -> None:
        """`kind` is the id's word where a text has no letter that an id can hold; `known` maps
        ids that are there to their titles."""
        self._kind = kind
        self._there = frozenset(known or ())
        self._taken = set(known or ())
        self._ids: dict[str, str] = {}
        for name, text in (known or {}).items():
            self._ids.setdefault(plain(text), name)

    def id_of(self, text: str, *, stem: str = "") -> str:
        """The id of a text that is not empty; a new one is made of `stem` where it is given.

        Whoever writes the id of what is there already means that one.
        """
        if text in self._there:
            return text
        known = self._ids.get(plain(text))
        if known is not None:
            return known
        name = free_id(stem or text, self._taken, kind=self._kind)
        self._taken.add(name)
        self._ids[plain(text)] = name
        return name


def free_id(text: str, taken: Container[str], *, kind: str) -> str:
    """An id made of `text` that is not taken: with the number 2 where the plain one is, and so on.

    Ten thousand equal texts are no reason to count to ten thousand for each.
    """
    base = slug(text)

    def numbered(number: int) -> str:
        if number == 1:
            return base or f"{kind}-1"
        ending = f"-{number}"
        return (base or kind)[: MAX_ID_CHARS - len(ending)].rstrip("-.") + ending

    free = 1
    while numbered(free) in taken:
        free *= 2
    used = free // 2
    while free - used > 1:
        middle = (used + free) // 2
        if numbered(middle) in taken:
            used = middle
        else:
            free = middle
    return numbered(free)


def plain(text: str) -> str:
    """What of a text makes it another name."""
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def titles_in(folder: Path) -> dict[str, str]:
    """Id to title of a folder's TOML files; "" where a file has no title that can be read."""
    titles = {}
    for path in sorted(folder.glob("*.toml")):
        text = _text_of(path)
        try:
            title = tomllib.loads(text).get("title")
        except (ValueError, RecursionError):
            title = None
        titles[path.stem] = title if isinstance(title, str) else ""
    return titles


def _text_of(path: Path) -> str:
    """A file of content/; "" where no build would read it either."""
    try:
        text = text_of(path, max_bytes=TEXT.max_bytes, within=path.parents[1])
    except FileNotFoundError:
        return ""
    return "" if isinstance(text, Refusal) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPrompt:
    """A prompt's title and text, "" where it is not known."""

    title: str
    text: str


def known_prompts(folder: Path) -> dict[str, KnownPrompt]:
    """Id to prompt, for the Markdown files of a folder."""
    prompts = {}
    for path in sorted(folder.glob("*.md")):
        fields = _front_matter(_text_of(path))
        text = fields.get("text", "")
        prompts[path.stem] = KnownPrompt(
            title=fields.get("title", ""), text="" if text == NOT_STATED else text
        )
    return prompts


def _front_matter(text: str) -> dict[str, str]:
    """Fields of a front matter as far as they are text, on one line or on indented ones."""
    matter = re.match(r"\s*---[ \t]*\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE)
    fields = {}
    pattern = r"^(\w+):[ \t]*(.*(?:\n(?:[ \t]+.*|(?=\n)))*)"
    for found in re.finditer(pattern, matter[1] if matter else "", re.MULTILINE):
        words = " ".join(re.sub(r"^[|>][+-]?\d?(?=\s|$)", "", found[2]).split())
        fields[found[1]] = _unquoted(words)
    return fields


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    return text
