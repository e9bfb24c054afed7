"""The only place that knows the folders of a project."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from generator.errors import UsageError
from generator.intake import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with content/, and where everything else of it stands."""

    root: Path

    @property
    def content(self) -> Path:
        return self.root / "content"

    @property
    def runs(self) -> Path:
        return self.content / "runs"

    @property
    def weights(self) -> Path:
        """Weights of models that the project trained itself, a folder each."""
        return self.root / "weights"

    @property
    def site(self) -> Path:
        return self.root / "site"

    @property
    def cache(self) -> Path:
        return self.root / ".cache"

    @property
    def fetched(self) -> Path:
        """Downloaded originals, named by their sha256."""
        return self.cache / "media"

    @property
    def derived(self) -> Path:
        """Everything computed from media, keyed by content."""
        return self.cache / "derived"

    @property
    def memory(self) -> Path:
        """What the last build knew."""
        return self.cache / "build.json"

    @property
    def spare(self) -> Path:
        """The site that stood before the one that stands, for the next build to begin with."""
        return self.cache / "spare"

    @property
    def hashes(self) -> Path:
        """Hashes of files that were read, with what tells whether they are still the same."""
        return self.cache / "hashes.json"

    @property
    def prepared(self) -> Path:
        """What was derived from which clip."""
        return self.cache / "prepared.json"

    @property
    def printing(self) -> Path:
        """What printing is quicker with: compiled templates, drawn charts."""
        return self.cache / "printing"

    @property
    def logs(self) -> Path:
        """What the last builds did."""
        return self.cache / "logs"

    @property
    def templates(self) -> tuple[Path, ...]:
        """Where templates are looked for: the project's own folder first, then ours."""
        return _own_then_default(self.root / "templates", "templates")

    @property
    def static(self) -> tuple[Path, ...]:
        """Static files: ours first, so that a project's own files are laid over them."""
        return tuple(reversed(_own_then_default(self.root / "static", "static")))

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every folder that people change and a build reads, there or not."""
        own = (self.content, self.root / "templates", self.root / "static")
        return tuple(dict.fromkeys((*own, *self.templates, *self.static)))

    def relative(self, path: Path) -> str:
        """`path` as people name it in messages."""
        try:
            if path.is_relative_to(self.root) and ".." not in path.parts:
                return printable(path.relative_to(self.root).as_posix())
            whole = path if path.name not in ("", "..") else path.resolve()
            name = whole.parent.resolve().relative_to(self.root.resolve()) / whole.name
        except (ValueError, OSError, RuntimeError):  # elsewhere, or a loop of links
            return printable(str(path))
        return printable(name.as_posix())

    def naming(self, text: str) -> str:
        """A message in which files of the project are named by their path from its folder."""
        whole = re.escape(f"{self.root}{os.sep}")
        return re.sub(rf"(?<![^\s\"'(]){whole}(?=[^\s])", "", text)


def _own_then_default(own: Path, name: str) -> tuple[Path, ...]:
    default = defaults() / name
    if not own.is_dir() or own.resolve() == default.resolve():
        return (default,)
    return (own, default)


def defaults() -> Path:
    """The folder that holds the stock templates/ and static/: beside the package in a checkout,
    inside it when installed as a wheel."""
    package = Path(__file__).resolve().parent
    shipped = package / "defaults"
    return shipped if shipped.is_dir() else package.parent


def find_project(root: Path | None, start: Path | None = None) -> Project:
    """The project at `root`, else the nearest folder at or above `start` that holds
    content/site.toml."""
    if root is not None:
        if not (root / "content").is_dir():
            raise UsageError(
                f"{root}: no content/ folder there; start a project with "
                f"`python -m generator new {root}`"
            )
        return Project(root=root.resolve())
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "content" / "site.toml").is_file():
            return Project(root=folder)
    raise UsageError(
        f"{here}: no content/site.toml here or above; name a project with --root, "
        "or start one with `python -m generator new DIR`"
    )
