"""What build and check tell programs: one valid document, whatever happens; and a build's log."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from generator import build as building
from generator import logbook
from generator.cli import main

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE = REPOSITORY / "tests" / "sample"
SCHEMA = json.loads((REPOSITORY / "docs" / "json.schema.json").read_text("utf-8"))


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "sample")
    return tmp_path / "sample"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample that was built once, for tests that change nothing in it."""
    root = tmp_path_factory.mktemp("built") / "sample"
    shutil.copytree(SAMPLE, root)
    assert main(["build", "--root", str(root)]) == 0
    return root


def closed(schema: Any) -> Any:
    """The schema, with no key allowed that it does not describe."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema:
        strict["additionalProperties"] = False
    return strict


def ask(*arguments: str, **environment: str) -> tuple[int, Any, str]:
    """Exit code, document and standard error of the program, run as a user runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "generator", *arguments],
        capture_output=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(document)
    assert document["exit_code"] == done.returncode
    assert document["command"] == arguments[0]
    return done.returncode, document, done.stderr.decode("utf-8", "replace")


def spoil(root: Path) -> None:
    site = root / "content" / "site.toml"
    site.write_text(site.read_text().replace("base_url", "base_ulr"))
    table = root / "content" / "runs" / "elsewhere" / "clips.csv"
    head, first, *rest = table.read_text().splitlines()
    table.write_text("\n".join([head, first.replace("320x180", "320×"), *rest]) + "\n")
    (root / "content" / "prompts" / "neu é.md").write_text("no front matter")


# The document


def test_the_schema_is_a_schema_and_describes_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    one: dict[str, Any] = {"version": 1, "command": "build", "exit_code": 0, "errors": []}
    validator = jsonschema.Draft202012Validator(SCHEMA)
    validator.validate({**one, "site": None})
    validator.validate({**one, "site": None, "added_later": 1})
    for wrong in ({**one}, {**one, "site": None, "version": 2}, {**one, "site": {"pages": 1}}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(wrong)


def test_a_build_says_what_it_published(sample: Path) -> None:
    code, said, prose = ask("build", "--root", str(sample), "--json")
    assert code == 0
    site = Path(said["site"]["folder"])
    files = [path for path in site.rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert said["site"] == {
        "folder": str(sample / "site"),
        "pages": sum(path.suffix == ".html" for path in files),
        "cells": 4,
        "with_media": 2,
        "bytes": sum(path.stat().st_size for path in files),
        "printed": said["site"]["printed"],
        "unchanged": False,
    }
    assert said["site"]["printed"] >= said["site"]["pages"]
    assert "pages, 4 cells" in prose


def with_files(root: Path, count: int) -> Path:
    """Cells whose clips lie in their run's own folder and have no address; that folder."""
    ask("build", "--root", str(root), "--json")
    card = next((root / "site").rglob("*.mp4"))
    run = root / "content" / "runs" / "elsewhere"
    (run / "media").mkdir()
    head, *others = (run / "clips.csv").read_text().splitlines()
    rows = [f"{head},sha256,file", *(f"{row},," for row in others)]
    for n in range(count):
        data = card.read_bytes() + b"\0\0\0\x09free" + bytes([n])  # none stands in for another
        (run / "media" / f"own-{n}.mp4").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        rows.append(
            f"own-{n},published,sample-model,lighthouse,256x144,{n + 1},6,,,,{sha256},own-{n}.mp4"
        )
    (run / "clips.csv").write_text("\n".join(rows) + "\n")
    return run / "media"


def test_a_clip_that_vanished_is_named_by_every_build_that_goes_without_it(sample: Path) -> None:
    media = with_files(sample, 7)
    code, said, prose = ask("build", "--root", str(sample), "--json")
    assert (code, said["site"]["with_media"], said["warnings"]) == (0, 9, [])
    assert "warning" not in prose
    for n in range(6):
        (media / f"own-{n}.mp4").unlink()
    for options, unchanged in (((), False), ((), True), (("--verify",), False)):
        code, said, prose = ask("build", "--root", str(sample), "--json", *options)
        assert (code, said["site"]["with_media"]) == (0, 3)
        assert said["site"]["unchanged"] is unchanged
        assert [one["place"] for one in said["warnings"]] == [f"line {n + 4}" for n in range(6)]
        assert {one["file"] for one in said["warnings"]} == {"content/runs/elsewhere/clips.csv"}
        assert {one["remedy"] for one in said["warnings"]} == {
            "put it into content/runs/elsewhere/media"
        }
        lines = [line for line in prose.splitlines() if line.startswith("warning: ")]
        assert lines[:5] == [f"warning: {one['text']}" for one in said["warnings"][:5]]
        assert lines[5:] == ["warning: 1 more like it"]
        log = lines_of(logs(sample)[-1])
        told = [line["text"] for line in log if line["event"] == "warning"]
        assert told[1:] == [one["text"] for one in said["warnings"]]
    code, said, _ = ask("build", "--root", str(sample), "--json", "--require-media")
    assert (code, len(said["errors"])) == (1, 6)


def test_a_check_advises_no_download_of_what_has_no_address(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    media = with_files(sample, 2)
    (media / "own-1.mp4").unlink()
    capsys.readouterr()
    assert main(["check", "--root", str(sample)]) == 0
    said = capsys.readouterr().out
    assert "fetch" not in said
    assert "own-1.mp4" in said
    assert "content/runs/elsewhere/media" in said


def test_a_check_says_what_people_read_too(built: Path) -> None:
    code, said, _ = ask("check", "--root", str(built), "--json")
    assert code == 0
    assert [clip["id"] for clip in said["clips"]] == [
        *("cards--slow", "cards--fast", "elsewhere--lighthouse-2", "elsewhere--lighthouse-8")
    ]
    outcomes = [claim["outcome"] for clip in said["clips"] for claim in clip["claims"]]
    prose = subprocess.run(
        [sys.executable, "-m", "generator", "check", "--root", str(built)],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    ).stdout
    rows = [line.split() for line in prose.splitlines() if line.split()[-1:] != []]
    held = sum(int(row[-3]) for row in rows if len(row) > 4 and row[-3].isdigit())
    assert held == outcomes.count("holds") > 0


def test_a_failing_claim_is_no_error(sample: Path) -> None:
    run = sample / "content" / "runs" / "cards" / "run.toml"
    run.write_text(
        run.read_text()
        + '\n[[claims]]\nkind = "duration"\nid = "too-long"\nsays = "an hour"\nseconds = 3600\n'
    )
    code, said, _ = ask("check", "--root", str(sample), "--json", "--strict")
    assert (code, said["errors"]) == (1, [])
    assert {"too-long"} == {
        claim["id"]
        for clip in said["clips"]
        for claim in clip["claims"]
        if claim["outcome"] == "fails"
    }


@pytest.mark.parametrize("command", ["build", "check"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_mistakes_come_one_by_one_with_file_place_and_remedy(
    sample: Path, command: str, encoding: str
) -> None:
    """The same sentences stand on standard error; a terminal without accents changes nothing."""
    spoil(sample)
    code, said, prose = ask(
        *(command, "--root", str(sample), "--json"), PYTHONIOENCODING=encoding, PYTHONUTF8="0"
    )
    assert code == 1
    places = {(error["file"], error["place"]) for error in said["errors"]}
    assert places >= {
        ("content/site.toml", "$.base_ulr"),
        ("content/runs/elsewhere/clips.csv", "line 2, size"),
        ("content/prompts/neu é.md", None),
    }
    assert {error["kind"] for error in said["errors"]} == {"content"}
    for error in said["errors"]:
        where = " ".join(filter(None, (error["file"], error["place"])))
        assert error["text"] == f"{where}: {error['problem']}; {error['remedy']}"
        assert (sample / error["file"]).exists()
    if encoding == "utf-8":
        assert prose.splitlines() == [error["text"] for error in said["errors"]]
    assert said.get("site", said.get("clips")) is None


def test_the_example_in_the_documentation_is_what_comes(sample: Path) -> None:
    site = sample / "content" / "site.toml"
    site.write_text('herro = ["x"]\n' + site.read_text())
    _, said, _ = ask("build", "--root", str(sample), "--json")
    text = (REPOSITORY / "docs" / "json.md").read_text("utf-8")
    assert said == json.loads(text.split("```json\n")[1].split("```")[0])


def test_a_broken_clip_is_named(sample: Path) -> None:
    media = sample / "content" / "runs" / "elsewhere" / "media"
    media.mkdir()
    (media / "broken.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    (media.parent / "clips.csv").write_text(
        "id,series,pipeline,prompt,size,steps,fps,file,no_clip\n"
        "lighthouse-2,published,sample-model,lighthouse,320x180,2,28.3,broken.mp4,\n"
        "lighthouse-8,published,sample-model,lighthouse,320x180,2/2/4,13.3,,could not be had\n"
    )
    _, said, prose = ask("build", "--root", str(sample), "--json")
    (error,) = said["errors"]
    assert error["kind"] == "media"
    assert sample / error["file"] == media / "broken.mp4"
    assert not Path(error["file"]).is_absolute()
    assert error["text"] == f"{error['file']}: {error['problem']}; {error['remedy']}"
    assert prose == error["text"] + "\n"
    code, checked, _ = ask("check", "--root", str(sample), "--json")
    assert (code, checked["errors"]) == (1, said["errors"])


def test_a_clip_outside_the_project_keeps_its_whole_path(sample: Path, tmp_path: Path) -> None:
    """It is no part of it, so from there it has no path."""
    mirror = tmp_path / "sample of clips"
    mirror.mkdir()
    data = b"\0\0\0\x18ftypisom" + bytes(100)
    (mirror / "broken.mp4").write_bytes(data)
    (sample / "content" / "runs" / "elsewhere" / "clips.csv").write_text(
        "id,series,pipeline,prompt,size,steps,fps,sha256,no_clip\n"
        "lighthouse-2,published,sample-model,lighthouse,320x180,2,28.3,"
        f"{hashlib.sha256(data).hexdigest()},\n"
        "lighthouse-8,published,sample-model,lighthouse,320x180,2/2/4,13.3,,could not be had\n"
    )
    _, said, _ = ask("build", "--root", str(sample), "--json", "--mirror", str(mirror))
    assert [error["file"] for error in said["errors"]] == [str(mirror / "broken.mp4")]


def a_file_of_ours(root: Path) -> None:
    (root / "site").mkdir()
    (root / "site" / "notes.txt").write_text("mine")


def a_dead_link(root: Path) -> None:
    text = (REPOSITORY / "templates" / "base.html").read_text("utf-8")
    (root / "templates").mkdir()
    dead = text.replace("</body>", '<a href="no-such-page/">x</a></body>')
    (root / "templates" / "base.html").write_text(dead, "utf-8")


def a_broken_template(root: Path) -> None:
    (root / "templates" / "pages").mkdir(parents=True)
    (root / "templates" / "pages" / "home.html").write_text("{% if %}", "utf-8")


def a_script_that_imports_nothing(root: Path) -> None:
    (root / "static" / "js").mkdir(parents=True)
    (root / "static" / "js" / "own.js").write_text('import { a } from "./nowhere.js";\n', "utf-8")


def a_folder_that_is_none(root: Path) -> None:
    (root / "site").write_text("mine")


@pytest.mark.parametrize(
    ("spoiled", "file", "remedy"),
    [
        (a_file_of_ours, "site/notes.txt", "move it away, so that nothing of yours is lost"),
        (a_folder_that_is_none, "site", "move it away"),
        (a_dead_link, "index.html", "mend the template or the text in content/"),
        (a_broken_template, "templates/pages/home.html", "mend the template"),
        (a_script_that_imports_nothing, "js/own.js", "mend the file that static/ has"),
    ],
)
def test_what_keeps_a_site_from_being_published_has_its_remedy(
    sample: Path, spoiled: Any, file: str, remedy: str
) -> None:
    spoiled(sample)
    code, said, prose = ask("build", "--root", str(sample), "--json")
    assert code == 1
    assert {error["kind"] for error in said["errors"]} == {"publish"}
    for error in said["errors"]:
        assert error["text"].endswith(f"{error['problem']}; {error['remedy']}")
        assert error["text"] in prose
        assert str(sample) not in error["text"]
    (named,) = [
        error
        for error in said["errors"]
        if error["file"] == file or error["file"].endswith("/js/own.js")
    ]
    assert named["remedy"].startswith(remedy)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_folder_whose_name_is_no_utf_8_is_named(sample: Path) -> None:
    """The name cannot be printed or be told to ffmpeg; the sentence and the document come."""
    root = Path(os.fsdecode(os.fsencode(sample.parent) + b"/caf\xe9"))
    sample.rename(root)
    code, said, prose = ask("build", "--root", str(root), "--json", LC_ALL="C.UTF-8")
    assert code == 1
    assert {error["kind"] for error in said["errors"]} == {"media"}
    assert all(error["remedy"] == "rename the file or the folder" for error in said["errors"])
    assert all(repr(os.fsencode(root))[:-1] in error["problem"] for error in said["errors"])
    assert "Traceback" not in prose


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--root", "/nowhere-at-all"), "no content/ folder there"),
        (("--mirror", "/nowhere-at-all"), "does not exist"),
        (("--frobnicate",), "No such option"),
        (("--jobs", "many"), "not a valid integer"),
    ],
)
@pytest.mark.parametrize("command", ["build", "check"])
def test_a_wrong_command_line_is_told_as_well(
    command: str, arguments: tuple[str, ...], words: str
) -> None:
    code, said, prose = ask(command, *arguments, "--json")
    assert code == 2
    (error,) = said["errors"]
    assert error["kind"] == "usage"
    assert words in error["text"]
    assert words in prose


def test_an_interrupted_build_still_answers(sample: Path) -> None:
    """The document comes, and the log ends with 130."""
    build = long_build(sample, "--json")
    try:
        until_logged(sample, "start")
        build.send_signal(signal.SIGTERM)
        out, _ = build.communicate(timeout=30)
    finally:
        build.kill()
    said = json.loads(out)
    jsonschema.validate(said, SCHEMA)
    assert said["exit_code"] == build.returncode == 130
    assert [error["kind"] for error in said["errors"]] == ["interrupted"]
    assert lines_of(only_log(sample))[-1]["exit_code"] == 130


# The log


def logs(root: Path) -> list[Path]:
    return sorted((root / ".cache" / "logs").iterdir())


def only_log(root: Path) -> Path:
    (path,) = logs(root)
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def long_build(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A build that draws a card for a long time."""
    table = root / "content" / "runs" / "cards" / "clips.csv"
    table.write_text(table.read_text() + "long,declared,test-card,,1920x1080,30,2000\n")
    command = (sys.executable, "-m", "generator", "build", "--root", str(root), *arguments)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def until_logged(root: Path, event: str) -> None:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        folder = root / ".cache" / "logs"
        if folder.is_dir() and any(event in path.read_text() for path in folder.iterdir()):
            return
        time.sleep(0.05)
    raise AssertionError(f"the log tells of no {event}")


def test_a_build_leaves_a_log_of_what_it_did(sample: Path) -> None:
    before = datetime.now(UTC)
    _, said, _ = ask("build", "--root", str(sample), "--json", "--jobs", "3")
    lines = lines_of(only_log(sample))
    assert [line["event"] for line in lines][0 :: len(lines) - 1] == ["start", "end"]
    start, end = lines[0], lines[-1]
    assert start["options"]["jobs"] == 3
    assert start["versions"]["python"] == sys.version.split()[0]
    assert start["project"] == str(sample)
    moments = [datetime.fromisoformat(line["at"]) for line in lines]
    assert moments == sorted(moments)
    assert (moments[0] - before).total_seconds() > -0.01
    assert end["exit_code"] == 0
    assert {key: end[key] for key in ("pages", "cells", "bytes")} == {
        key: said["site"][key] for key in ("pages", "cells", "bytes")
    }
    stages = {line["stage"]: line for line in lines if line["event"] == "done"}
    assert {"cards", "clips", "pages"} <= stages.keys()
    assert stages["cards"]["total"] == 2
    spent_s = sum(line["seconds"] for line in stages.values())
    assert spent_s <= end["seconds"] <= (moments[-1] - moments[0]).total_seconds() + 0.5
    assert [line["text"] for line in lines if line["event"] == "warning"] == [
        "2 of 4 cells have no clip at hand"
    ]


def test_the_versions_in_a_log_are_those_of_the_manifest(built: Path) -> None:
    ffmpeg = lines_of(logs(built)[0])[0]["versions"]["ffmpeg"]
    manifest = json.loads((built / "site" / "manifest.json").read_text())
    noted = {one["made"]["ffmpeg"] for one in manifest["files"].values() if "made" in one}
    assert noted == {ffmpeg}


def test_nothing_of_a_log_enters_the_site(built: Path) -> None:
    assert not [path for path in (built / "site").rglob("*") if path.suffix == ".jsonl"]
    start = lines_of(logs(built)[0])[0]
    for path in (built / "site").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert str(built).encode() not in data, path
            assert start["at"].split("T")[0].encode() not in data, path


def test_a_failed_build_logs_every_mistake(sample: Path) -> None:
    spoil(sample)
    _, said, _ = ask("build", "--root", str(sample), "--json")
    lines = lines_of(only_log(sample))
    keys = said["errors"][0].keys()
    logged = [{key: line[key] for key in keys} for line in lines if line["event"] == "error"]
    assert logged == said["errors"]
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("end", 1)


def test_a_killed_build_leaves_whole_lines_and_no_end(sample: Path) -> None:
    build = long_build(sample)
    try:
        until_logged(sample, "start")
    finally:
        build.kill()
        build.communicate()
    path = only_log(sample)
    assert path.read_text("utf-8").endswith("}\n")
    events = [line["event"] for line in lines_of(path)]
    assert events[0] == "start"
    assert "end" not in events
    _end_encoders_below(sample)


def _end_encoders_below(root: Path) -> None:
    """A killed build cannot end its encoders; this one does, by the files that they write."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(root).encode() in line and b"ffmpeg" in line:
            os.kill(int(folder.name), signal.SIGKILL)


def test_a_fault_of_our_own_is_logged_with_its_place(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(building, "build", broken)
    with pytest.raises(ZeroDivisionError):
        main(["build", "--root", str(sample)])
    lines = lines_of(only_log(sample))
    assert [line["event"] for line in lines] == ["start", "error", "fault", "end"]
    assert "nobody thought of this" in lines[2]["traceback"]
    assert lines[1]["kind"] == "fault"


def test_the_last_twenty_logs_stay_and_other_files_do(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    for number in range(25):
        with logbook.kept(
            folder, file=None, project=tmp_path, options={"n": number}, complain=pytest.fail
        ):
            pass
    kept = sorted(folder.glob("*.jsonl"))
    assert [lines_of(path)[0]["options"]["n"] for path in kept] == list(range(5, 25))
    assert (folder / "notes.txt").read_text() == "mine"


def test_builds_of_one_moment_get_a_log_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks may stand still; no log is written over."""

    class Still(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2026, 1, 2, tzinfo=UTC)

    monkeypatch.setattr(logbook, "datetime", Still)
    for number in range(3):
        with logbook.kept(
            tmp_path, file=None, project=tmp_path, options={"n": number}, complain=pytest.fail
        ):
            pass
    assert len(list(tmp_path.glob("*.jsonl"))) == 3


def test_a_log_file_of_ones_own_grows(sample: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    for _ in range(2):
        assert main(["build", "--root", str(sample), "--log-file", str(own)]) == 0
    assert [line["event"] for line in lines_of(own) if line["event"] in ("start", "end")] == [
        *("start", "end", "start", "end")
    ]
    assert not (sample / ".cache" / "logs").exists()


def test_a_log_that_cannot_be_opened_is_said_once_and_the_build_goes_on(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sample / ".cache").mkdir()
    (sample / ".cache" / "logs").write_text("no folder")
    assert main(["build", "--root", str(sample)]) == 0
    assert capsys.readouterr().err.count("no log can be written there") == 1
    assert (sample / "site" / "index.html").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to fill a disk with")
def test_a_full_disk_ends_the_log_and_not_the_build(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--root", str(sample), "--log-file", "/dev/full"]) == 0
    assert capsys.readouterr().err.count("the log breaks off here") == 1


def test_stages_are_timed_from_the_end_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that is set by hand the seconds are known."""
    clock = iter([100.0, 100.0, 103.0, 104.0, 110.0, 111.0, 120.0])
    monkeypatch.setattr(logbook.time, "monotonic", lambda: next(clock))
    told: list[tuple[str, int, int]] = []
    with logbook.kept(
        tmp_path, file=None, project=tmp_path, options={}, complain=pytest.fail
    ) as book:
        tell = book.telling(lambda *call: told.append(call))
        tell("cards", 1, 2)
        tell("cards", 2, 2)
        tell("pages", 0, 1)
        tell("pages", 1, 1)
    lines = lines_of(next(tmp_path.glob("*.jsonl")))
    seconds = {line["stage"]: line["seconds"] for line in lines if line["event"] == "done"}
    assert seconds == {"cards": 4.0, "pages": 1.0}
    assert lines[-1]["seconds"] == 20.0
    assert told == [("cards", 1, 2), ("cards", 2, 2), ("pages", 0, 1), ("pages", 1, 1)]
