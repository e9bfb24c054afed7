"""What `make release` makes is enough to start a project and build it, without this checkout."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from os.path import normpath
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from packaging.metadata import Metadata

REPOSITORY = Path(__file__).resolve().parent.parent
FOOTAGE = {".mp4", ".webm", ".mov", ".mkv", ".y4m"}
pytestmark = [
    pytest.mark.skipif(
        shutil.which("git") is None or not (REPOSITORY / ".git").exists(),
        reason="a release is packed from what git tracks; this is no git checkout",
    ),
    pytest.mark.skipif(
        find_spec("uv") is None, reason="no uv to pack with: it is in the extra dev"
    ),
]


@dataclass(frozen=True)
class Release:
    archive: Path
    wheel: Path


def run(*command: str | Path, cwd: Path, umask: int = -1, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PYTHONSAFEPATH": "1", **environment},
        capture_output=True,
        encoding="utf-8",
        umask=umask,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def packed(target: Path, *, umask: int = -1, **environment: str) -> Release:
    script = REPOSITORY / "release" / "pack.py"
    run(sys.executable, script, target, cwd=REPOSITORY, umask=umask, **environment)
    (archive,), (wheel,) = target.glob("*.tar.gz"), target.glob("*.whl")
    return Release(archive, wheel)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return packed(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def names(release: Release) -> set[str]:
    with tarfile.open(release.archive) as archive:
        return {entry.name.partition("/")[2] for entry in archive if entry.isfile()}


def tracked(*folders: str) -> Iterator[str]:
    listed = run("git", "ls-files", "-z", *folders, cwd=REPOSITORY)
    return filter(None, listed.split("\0"))


@pytest.mark.parametrize("kind", ["wheel", "archive"])
def test_either_installs_starts_a_project_and_builds_it(
    release: Release, kind: str, tmp_path: Path
) -> None:
    home = _environment(tmp_path)
    python = home / "bin" / "python"
    install = ("pip", "--python", python, "install", "--no-deps", "--no-build-isolation", "-q")
    run(
        *(sys.executable, "-m", *install, "--disable-pip-version-check", "--no-index"),
        getattr(release, kind),
        cwd=tmp_path,
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    where = run(python, "-c", "import generator; print(generator.__file__)", cwd=empty)
    assert Path(where.strip()).is_relative_to(home)

    program = home / "bin" / "matrix-archive"
    run(program, "new", "my", cwd=empty)
    starter = REPOSITORY / "generator" / "starter"
    given = {path.relative_to(empty / "my").as_posix() for path in (empty / "my").rglob("*")}
    kept = {path.relative_to(starter).as_posix() for path in starter.rglob("*")}
    assert given == {name if name != "gitignore" else ".gitignore" for name in kept}
    said = run(program, "build", cwd=empty / "my")

    assert re.search(r"\d+ pages", said)
    published = {path.suffix for path in (empty / "my" / "site").rglob("*")}
    assert {".html", ".css", ".js", ".woff2", ".mp4", ".json"} <= published


def test_a_new_project_builds_as_its_workflow_says(release: Release, tmp_path: Path) -> None:
    """The steps of the workflow that `new` gives, run as a host runs them: the generator comes from
    the wheel that requirements.txt names, its dependencies are there already."""
    project = tmp_path / "my"
    run(sys.executable, "-m", "generator", "new", project, cwd=REPOSITORY)
    shutil.copy(release.wheel, project)
    requirements = project / "requirements.txt"
    named = re.sub(r"^# (?=\./)", "", requirements.read_text("utf-8"), flags=re.MULTILINE)
    requirements.write_text(named, "utf-8")
    home = _environment(tmp_path)
    workflow = yaml.safe_load((project / ".github" / "workflows" / "pages.yml").read_text("utf-8"))
    scripts = [step["run"] for step in workflow["jobs"]["build"]["steps"] if "run" in step]
    for script in scripts:
        run(
            *("bash", "-e", "-c", script),
            cwd=project,
            PATH=f"{home / 'bin'}:{os.environ['PATH']}",
            PIP_NO_INDEX="1",
            URL="https://example.org/owner/my",
        )

    assert len(scripts) == 2
    assert (home / "bin" / "matrix-archive").is_file()
    page = (project / "site" / "index.html").read_text("utf-8")
    assert 'rel="canonical" href="https://example.org/owner/my/"' in page


def _environment(scratch: Path) -> Path:
    """An environment of its own, which sees the dependencies of this one and nothing else."""
    home = scratch / "venv"
    venv.create(home, with_pip=False)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(_dependencies(scratch), "utf-8")
    return home


def _dependencies(scratch: Path) -> str:
    """A folder that holds what is installed here, without the project itself."""
    here = scratch / "dependencies"
    here.mkdir()
    (installed,) = {Path(p) for p in sys.path if p.endswith("site-packages")}
    for path in installed.iterdir():
        if not re.match(r"__editable__|_?_?matrix_archive|generator$|distutils-prec", path.name):
            (here / path.name).symlink_to(path)
    return str(here)


def test_the_source_archive_holds_all_that_the_wheel_is_made_of(names: set[str]) -> None:
    needed = set(tracked("generator", "templates", "static"))
    assert needed - names == set()
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= names


def test_the_source_archive_shows_every_picture_that_its_pages_show(names: set[str]) -> None:
    """As a CommonMark reader finds them in each page that is packed; addresses are others' own."""
    shown = set()
    for name in tracked("*.md"):
        if name not in names:
            continue
        read = MarkdownIt().parse((REPOSITORY / name).read_text("utf-8"))
        for one in (child for token in read for child in token.children or ()):
            source = str(one.attrs.get("src", ""))
            if one.type == "image" and "://" not in source:
                shown.add(normpath(Path(name).parent / source))
    assert "docs/home.png" in shown
    assert shown - names == set()


def test_neither_carries_footage_content_tests_or_what_git_ignores(
    release: Release, names: set[str]
) -> None:
    made = {"PKG-INFO", "setup.cfg"}
    ours = {name for name in names if not name.startswith("matrix_archive.egg-info/")}
    assert ours - set(tracked()) == made
    assert not {name.split("/")[0] for name in names} & {"tests", "content", "benchmarks", "site"}
    shipped = zipfile.ZipFile(release.wheel).namelist()
    assert [name for name in [*names, *shipped] if Path(name).suffix in FOOTAGE] == []
    assert {name.split("/")[0] for name in shipped} == {
        "generator",
        f"{release.wheel.name.split('-py3')[0]}.dist-info",
    }


def test_packing_again_gives_the_same_bytes(release: Release, tmp_path: Path) -> None:
    """Later, in another folder, time zone and umask."""
    again = packed(tmp_path / "elsewhere", umask=0o077, TZ="Asia/Kathmandu", PYTHONHASHSEED="7")
    for one, other in ((release.archive, again.archive), (release.wheel, again.wheel)):
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (one, other)]
        assert digests[0] == digests[1], one.name


def test_the_metadata_is_valid_and_its_description_renders(release: Release) -> None:
    """Read by the reference reader of package metadata, and by a CommonMark renderer."""
    with zipfile.ZipFile(release.wheel) as wheel:
        (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        about = Metadata.from_email(wheel.read(name), validate=True)
        licences = {n.partition("/licenses/")[2] for n in wheel.namelist() if "/licenses/" in n}
        assert "generator/py.typed" in wheel.namelist()
    assert about.license_expression == "MIT AND OFL-1.1 AND MPL-2.0"
    assert set(about.license_files or ()) == licences
    assert {Path(name).name for name in licences} == {
        *("LICENSE", "OFL.txt", "big-shoulders-OFL.txt", "geist-mono-OFL.txt"),
        *("hanken-grotesk-OFL.txt", "plotly-basic-LICENSE.txt", "mediabunny-LICENSE.txt"),
    }
    assert "Typing :: Typed" in (about.classifiers or ())
    assert about.description_content_type == "text/markdown"
    html = MarkdownIt().enable("table").render(about.description or "")
    assert html.startswith("<h1>Matrix Archive</h1>")
    assert "<table>" in html
    assert "|" not in re.sub(r"<code.*?</code>", "", html, flags=re.DOTALL)
