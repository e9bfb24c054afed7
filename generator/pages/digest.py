"""One short digest for whatever a page is printed from, so that a page is printed once.

Two values have the same digest when everything in them is the same; files' places are left out,
because no page shows any. Facts are known by their file's hash: what is read from the same bytes
by the same code is the same, and `code` stands for the code.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from importlib import metadata
from operator import attrgetter
from pathlib import Path, PurePath
from typing import Any

from generator.records import Facts, PerFrame

PRINTERS = ("jinja2", "markupsafe", "plotly", "numpy", "av")
"""Packages that decide what is printed from the same records."""

MOST_KNOWN = 50_000
"""Digests that are held at a time: of a large archive's records, each page shows few."""


class Digester:
    """Digests of values; what was digested once is not walked again while the digester lives."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, bytes]] = {}
        self._readers: dict[type, Callable[[Any], tuple[Any, ...]]] = dict.fromkeys(
            (Facts, PerFrame), _hash_alone
        )

    def __call__(self, *values: object) -> str:
        """32 hexadecimal digits.

        Raises:
            TypeError: a value is of a kind whose content cannot be told.
        """
        if len(self._known) > MOST_KNOWN:
            self.forget()
        return _hash(self._plain(values)).hex()

    def forget(self) -> None:
        """Let go of the values that were digested."""
        self._known.clear()

    def _plain(self, value: Any) -> Any:
        """The value as one that marshal writes, or its digest."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is tuple or kind is list:
            return self._all_plain(value)
        if kind is Fraction:
            return ("/", value.numerator, value.denominator)
        known = self._known.get(id(value))
        if known is not None:
            return known[1]
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, str):
            return str(value)
        if isinstance(value, PurePath):
            return "a place"
        digest = _hash(self._content(value))
        self._known[id(value)] = (value, digest)  # held: no other value gets its id
        return digest

    def _all_plain(self, values: Iterable[Any]) -> tuple[Any, ...]:
        plain = self._plain  # called for few: most of what records hold is plain as it is
        return tuple([one if type(one) in _PLAIN else plain(one) for one in values])

    def _content(self, value: Any) -> tuple[Any, ...]:
        kind = type(value)
        read = self._readers.get(kind)
        if read:
            return (kind.__qualname__, *self._all_plain(read(value)))
        if isinstance(value, Mapping):
            keys = sorted(value)
            return ("mapping", *keys, *self._all_plain([value[key] for key in keys]))
        if is_dataclass(value):
            self._readers[kind] = _reader(kind)
            return self._content(value)
        raise TypeError(f"{kind.__name__} has no digest")


def _hash_alone(read: Facts | PerFrame) -> tuple[str]:
    return (read.sha256,)


def _reader(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    names = [field.name for field in fields(kind) if field.metadata.get("digest", True)]
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda value: (get(value),)


_PLAIN = {str, int, float, bool, bytes, type(None)}


def _hash(content: tuple[Any, ...]) -> bytes:
    # Version 2 of the format writes equal values alike, whether or not they are one object.
    return hashlib.blake2b(marshal.dumps(content, 2), digest_size=16).digest()


def code() -> str:
    """Digest of this package's own code and of the packages that print."""
    package = Path(__file__).resolve().parent.parent
    parts = [f"{name} {metadata.version(name)}" for name in PRINTERS]
    return trees((package,), suffix=".py") + Digester()(parts)


def trees(folders: Iterable[Path], suffix: str = "") -> str:
    """Digest of every file below some folders whose name ends with `suffix`."""
    digest = hashlib.blake2b(digest_size=16)
    for folder in folders:
        for path in sorted(folder.rglob(f"*{suffix}")):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(folder).as_posix()
                digest.update(marshal.dumps((name, path.read_bytes()), 2))
    return digest.hexdigest()
