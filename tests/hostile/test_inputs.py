"""Each hostile input ends in the documented error or in harmless output; what stood, stands.

The command runs as people run it, in a process with 1 GiB of address space, over a project whose
site is published already.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from hostile.corpus import INPUTS, SAMPLE
from hostile.ended import fingerprint, run

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="limits of memory are set and read as Linux does"
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with its site, built once."""
    root = tmp_path_factory.mktemp("published") / "sample"
    shutil.copytree(SAMPLE, root)
    ended = run(root, "build")
    assert ended.code == 0, ended.err
    return root


@pytest.fixture
def project(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(published, tmp_path / "sample", symlinks=True))


@pytest.mark.parametrize("name", INPUTS)
def test_a_hostile_input_ends_as_documented(project: Path, name: str) -> None:
    given = INPUTS[name]
    before = fingerprint(project / "site")
    assert before
    given.make(project)

    ended = run(project, *given.command)

    assert ended.code == given.code, ended.err[-2000:]
    assert "Traceback" not in ended.err
    assert ended.peak_mib < given.peak_mib
    assert not list(project.rglob("executed"))
    if given.code != 0:
        assert given.says.replace("{root}", str(project)) in ended.err.splitlines()
        assert fingerprint(project / "site") == before
        assert not (project / "content" / "runs" / "new").exists()
    else:
        told = [line for line in ended.err.splitlines() if "is not at hand; put it" not in line]
        assert told == []  # the sample goes without clips of its own, and says so
        assert (project / "site" / "index.html").is_file()


def test_there_are_enough_of_them() -> None:
    assert len(INPUTS) >= 40
