"""Pages of prose, listed together under the group that each names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generator.pages import addresses
from generator.records import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Pages of prose that are listed together."""

    id: str
    title: str
    address: str
    lead: Page | None
    """The page that bears the group's own name: it introduces the list."""
    pages: tuple[Page, ...]


def empty_group(group_id: str) -> Group:
    """A group nobody wrote a page for."""
    return Group(id=group_id, title="", address=addresses.group(group_id), lead=None, pages=())


def groups(pages: Sequence[Page]) -> tuple[Group, ...]:
    """Groups in the order of their first page; those that hold nothing but plans come last."""
    ordered = sorted(pages, key=lambda page: (page.order, page.id))
    done = {page.group for page in ordered if page.kind != "plan"}
    ids = sorted(dict.fromkeys(page.group for page in ordered), key=lambda group: group not in done)
    return tuple(
        Group(
            id=one,
            title=one.replace("-", " ").capitalize(),
            address=addresses.group(one),
            lead=next((page for page in ordered if page.id == page.group == one), None),
            pages=tuple(page for page in ordered if page.group == one and page.id != one),
        )
        for one in ids
    )
