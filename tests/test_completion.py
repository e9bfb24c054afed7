"""The completion scripts, used by the shells they are for."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from generator.cli import command, main

SAMPLE = Path(__file__).resolve().parent / "sample"
PROGRAM = Path(sys.executable).parent / "matrix-archive"
SHELLS = ("bash", "zsh", "fish")
pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(), reason=f"no {PROGRAM}: install the project with pip install -e ."
)


def environment() -> dict[str, str]:
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} here to ask for completions")
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "sample")
    (tmp_path / "sample" / "content" / "runs" / ".DS_Store").write_bytes(b"")
    return tmp_path / "sample"


def script(shell: str, folder: Path) -> Path:
    path = folder / f"completion.{shell}"
    with path.open("wb") as file:
        subprocess.run([PROGRAM, "completion", shell], stdout=file, check=True, timeout=60)
    return path


def offered(line: str, cwd: Path, folder: Path) -> list[str]:
    """What bash's completion function offers for the last word of a line."""
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    code = f"""
        compopt() {{ echo "compopt $*"; }}
        source {shlex.quote(str(script("bash", folder)))}
        COMP_WORDS=({" ".join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}
        complete -p matrix-archive >&2
        _matrix_archive_completion matrix-archive
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", code],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert re.fullmatch(r"complete .*-F _matrix_archive_completion matrix-archive\n", done.stderr)
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("matrix-archive ", sorted(command.commands)),
        ("matrix-archive bu", ["build"]),
        ("matrix-archive build --req", ["--require-media"]),
        ("matrix-archive fetch --run ", ["cards", "elsewhere"]),
        ("matrix-archive fetch --run else", ["elsewhere"]),
        ("matrix-archive build --include-media c", ["cards"]),
        ("matrix-archive ingest clips --pipeline ", ["sample-model", "test-card"]),
        ("matrix-archive ingest clips --machine sam", ["sample-gpu"]),
        ("matrix-archive completion ", ["bash", "fish", "zsh"]),
        ("matrix-archive build --root ", ["compopt", "-o", "dirnames"]),
        ("matrix-archive build --log-file ", ["compopt", "-o", "default"]),
    ],
)
def test_bash_is_offered_commands_options_and_ids(
    project: Path, tmp_path: Path, line: str, expected: list[str]
) -> None:
    """In the project's folder or deep inside it; ids come from its content/."""
    inside = project / "content" / "runs"
    for cwd in (project, inside):
        found = offered(line, cwd, tmp_path)
        assert sorted(found) == sorted(expected) or found == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_ids_are_those_of_the_project_that_root_names(project: Path, tmp_path: Path) -> None:
    line = f"matrix-archive fetch --root {project} --run "
    assert offered(line, tmp_path, tmp_path) == ["cards", "elsewhere"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize("state", ["no project", "no runs", "broken content"])
def test_where_nothing_is_known_nothing_is_said(tmp_path: Path, state: str, project: Path) -> None:
    """No traceback between a person and the line they type."""
    cwd = tmp_path
    if state == "no runs":
        shutil.rmtree(project / "content" / "runs")
        cwd = project
    elif state == "broken content":
        (project / "content" / "site.toml").write_text("= nonsense")
        (project / "content" / "runs" / "cards" / "run.toml").unlink()
        cwd = project
    expected = ["cards", "elsewhere"] if state == "broken content" else []
    assert offered("matrix-archive fetch --run ", cwd, tmp_path) == expected


def typed(shell: str, folder: Path, cwd: Path, keys: str, wanted: str) -> str:
    """What a terminal shows after `keys` are typed into an interactive shell."""
    source = f"source {shlex.quote(str(script(shell, folder)))}"
    start = {
        "bash": ["bash", "--norc", "--noprofile", "-i"],
        "zsh": ["zsh", "-f", "-i"],
    }[shell]
    if shell == "zsh":
        source = f"autoload -Uz compinit && compinit -D && {source}"
    main_end, shell_end = pty.openpty()
    with subprocess.Popen(
        start,
        cwd=cwd,
        env={**environment(), "HOME": str(folder)},
        stdin=shell_end,
        stdout=shell_end,
        stderr=shell_end,
        start_new_session=True,
    ) as child:
        os.close(shell_end)
        try:
            os.write(main_end, f"{source}; echo rea''dy\n".encode())
            shown = _read_until(main_end, "ready\r\n")
            os.write(main_end, keys.encode())
            shown = _read_until(main_end, wanted)
        finally:
            child.kill()
            os.close(main_end)
    return shown


def _read_until(terminal: int, wanted: str, seconds: float = 20) -> str:
    shown = ""
    deadline_s = time.monotonic() + seconds
    while wanted not in shown and time.monotonic() < deadline_s:
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 4096).decode("utf-8", "replace")
    return shown


@pytest.mark.parametrize("interactive", ["bash", "zsh"])
def test_a_tab_in_a_terminal_completes(interactive: str, project: Path, tmp_path: Path) -> None:
    """A command, then the id of a run that only content/ knows."""
    if shutil.which(interactive) is None:
        pytest.skip(f"no {interactive} here to press Tab in")
    shown = typed(interactive, tmp_path, project, "matrix-archive fe\t", "fetch ")
    assert "matrix-archive fetch " in shown
    shown = typed(interactive, tmp_path, project, "matrix-archive fetch --run el\t", "elsewhere ")
    assert "matrix-archive fetch --run elsewhere " in shown


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here to ask for completions")
@pytest.mark.parametrize(
    ("line", "expected"),
    [("matrix-archive bui", ["build"]), ("matrix-archive fetch --run ", ["cards", "elsewhere"])],
)
def test_fish_completes(project: Path, tmp_path: Path, line: str, expected: list[str]) -> None:
    code = f"source {shlex.quote(str(script('fish', tmp_path)))}; complete -C {shlex.quote(line)}"
    done = subprocess.run(
        ["fish", "--no-config", "-c", code],
        cwd=project,
        env={**environment(), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [row.split("\t")[0] for row in done.stdout.splitlines()] == expected


def test_each_shell_accepts_its_script(shell: str, tmp_path: Path) -> None:
    """Its own parser finds no fault in it."""
    path = script(shell, tmp_path)
    subprocess.run([shell, "-n", path], check=True, capture_output=True, timeout=60)


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


def test_what_others_document_for_click_works_too(tmp_path: Path) -> None:
    """`_MATRIX_ARCHIVE_COMPLETE=bash_source matrix-archive` prints the same script."""
    done = subprocess.run(
        [PROGRAM],
        env={**environment(), "_MATRIX_ARCHIVE_COMPLETE": "bash_source"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == script("bash", tmp_path).read_bytes()
