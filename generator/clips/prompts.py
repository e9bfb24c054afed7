"""The prompts of somebody's table: those that content/ holds already, and those it begins."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from generator.clips import draft
from generator.clips.naming import KnownPrompt, free_id, known_prompts, plain

__all__ = ["Prompts"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
"""What in a column of prompts is taken for a prompt's name; anything else is the prompt itself."""
TITLE_WORDS = 6
TITLE_CHARS = 60


class Prompts:
    """Prompts by id. Those that are begun here are noted in `stubs`, as the files they will be."""

    def __init__(self, folder: Path, stubs: dict[Path, str]) -> None:
        self._folder = folder
        self._stubs = stubs
        self._known = known_prompts(folder)
        self._there = frozenset(self._known)
        self._of_title: dict[str, str] = {}
        self._of_text: dict[str, str] = {}
        for name in self._known:
            self._index(name)

    def of(self, stated: str) -> str:
        """Id of the prompt that a column of prompts states, by its text or by its name."""
        known = self._of_text.get(_one_line(stated))
        if known is not None:
            return known
        if NAME.fullmatch(stated) or self._find(stated) is not None:
            return self.named(stated, "")
        words = " ".join(stated.split()[:TITLE_WORDS])
        title = words if len(words) <= TITLE_CHARS else f"{words[:TITLE_CHARS].rstrip()}…"
        return self._begin(words, KnownPrompt(title=title, text=stated))

    def named(self, label: str, text: str) -> str:
        """Id of the prompt with this name, which now has this text if it had none."""
        name = self._find(label)
        if name is None:
            return self._begin(label, KnownPrompt(title=label, text=text))
        known = self._known[name]
        if text and not known.text and name not in self._there:
            self._note(name, replace(known, text=text))
        return name

    def text_of(self, name: str) -> str:
        """A prompt's text on one line, "" where it is not known."""
        return _one_line(self._known[name].text)

    def _find(self, label: str) -> str | None:
        if label in self._there:
            return label
        return self._of_title.get(plain(label))

    def _begin(self, stem: str, prompt: KnownPrompt) -> str:
        name = free_id(stem, self._known, kind="prompt")
        self._note(name, prompt)
        return name

    def _note(self, name: str, prompt: KnownPrompt) -> None:
        self._known[name] = prompt
        self._index(name)
        self._stubs[self._folder / f"{name}.md"] = draft.prompt_md(prompt.title, prompt.text)

    def _index(self, name: str) -> None:
        """The first prompt of a title or a text is the one that is meant by it."""
        known = self._known[name]
        self._of_title.setdefault(plain(known.title), name)
        if known.text:
            self._of_text.setdefault(_one_line(known.text), name)


def _one_line(text: str) -> str:
    return " ".join(text.split())
