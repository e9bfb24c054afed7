"""The command line: parse, call one function, say what happened, exit.

Exit codes: 0 done; 1 content, media, download or site is wrong (every mistake is listed);
2 the command cannot be carried out as asked; 130 interrupted.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from generator.errors import MatrixError, UsageError
from generator.project import find_project

if TYPE_CHECKING:
    from generator.clips.progress import Progress

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

EPILOG = (
    "Exit codes: 0 done; 1 something in content, media, a download or the site is wrong; "
    "2 the command cannot be carried out as asked; 130 interrupted."
)


PROGRAM = "matrix-archive"
COMPLETE = "_MATRIX_ARCHIVE_COMPLETE"
"""What a shell sets to ask for completions."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without dashes still gets the rest
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = command.main(
            args=given,
            prog_name=PROGRAM if COMPLETE in os.environ else "python -m generator",
            complete_var=COMPLETE,
            standalone_mode=False,
        )
    except MatrixError as error:
        _say_error(str(error))
        return _failed(given, error)
    except click.ClickException as error:
        error.show()
        return _failed(given, UsageError(error.format_message()))
    except (click.Abort, KeyboardInterrupt):
        _say_error("interrupted; give the same command again to go on")
        return _failed(given, KeyboardInterrupt())
    except OSError as error:  # what no room could name better: a full disk, a closed pipe
        with contextlib.suppress(OSError):
            _say_error(f"{error.filename or 'output'}: {error.strerror or error}")
        return _failed(given, error)
    return result if isinstance(result, int) else 0


def _failed(given: Sequence[str], error: BaseException) -> int:
    """The exit code of a failure, told to programs as well where they asked."""
    from generator import answer

    code = answer.exit_code_of(error)
    if given[:1] in (["build"], ["check"]) and "--json" in given:
        with contextlib.suppress(OSError):
            _answer(given[0], exit_code=code, errors=answer.errors_of(error))
    return code


def _answer(command: str, **parts: Any) -> None:
    """The one document of `--json`, in letters that every encoding has."""
    from generator.answer import answer

    click.echo(json.dumps(answer(command, **parts), indent=1))


class _Command(click.Command):
    """A command whose help shows its examples as they are typed."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        examples = getattr(self.callback, "examples", ())
        if examples:
            with formatter.section("Examples"):
                for line in examples:
                    formatter.write(f"  {line}\n")
        formatter.write_paragraph()
        formatter.write_text(EPILOG)


def _examples(*lines: str) -> Callable[[FunctionT], FunctionT]:
    def keep(function: FunctionT) -> FunctionT:
        function.examples = lines  # type: ignore[attr-defined]
        return function

    return keep


def _ids(folder: str, suffix: str = "") -> Callable[..., list[str]]:
    """Completes the ids in a folder of content/; knows none where there is no project."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        try:
            content = find_project(context.params.get("root")).content
            names = sorted(path.name for path in (content / folder).iterdir())
        except (MatrixError, OSError):
            return []
        return [
            name.removesuffix(suffix)
            for name in names
            if name.startswith(incomplete) and name.endswith(suffix) and name[0] != "."
        ]

    return complete


ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The project's folder; the nearest one with content/site.toml when left out.",
)
MIRROR = click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder in which clips are looked for by their sha256. May be given several times.",
)
JOBS = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=(os.cpu_count() or 1) + 1,
    show_default="one more than processors: each waits now and then for the disk",
    help="How many clips are worked on at a time.",
)


LOST_SHOWN = 5
"""Of clips whose files are gone, so many are named; the log and --json have all."""
CHECK_KEYS = ("id", "outcome", "subject", "found", "expected")
"""Of a check of `check --url --json`: programs read them, so they stay."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(package_name="matrix-archive", prog_name="Matrix Archive")
def command() -> None:
    """Matrix Archive: verified, synchronised comparison sites for real-time video diffusion."""


@command.command(cls=_Command)
@ROOT
@MIRROR
@JOBS
@click.option("--base-url", help="Where the site will stand; overrides content/site.toml.")
@click.option(
    "--include-media",
    multiple=True,
    metavar="RUN",
    shell_complete=_ids("runs"),
    help="Put this run's clips into the site although it says publish_media = false.",
)
@click.option("--require-media", is_flag=True, help="A clip that is not at hand is an error.")
@click.option(
    "--verify",
    is_flag=True,
    help="Read every file again, even where path, size, time and inode are as they were.",
)
@click.option(
    "--generate",
    is_flag=True,
    help="Also render declared cells whose pipeline runs in the lab (needs the extra `lab`).",
)
@click.option(
    "--weights",
    metavar="WHERE",
    help="With --generate: as for `generate`. A run's clips are only made with those it states.",
)
@click.option("--text", metavar="PATH", help="With --generate: as for `generate`.")
@click.option("--device", help="With --generate: cuda, cuda:1, cpu.  [default: cuda]")
@click.option("--dtype", help="With --generate: as for `generate`.  [default: bfloat16]")
@click.option("--tiny", is_flag=True, help="With --generate: a toy network, to rehearse.")
@click.option(
    "--wait", is_flag=True, help="Wait for another build of the project to end, then build."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.option(
    "--log-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append the log here, not to a new file in .cache/logs/.",
)
@_examples(
    "python -m generator build",
    "python -m generator build --mirror ../clips --require-media",
    "python -m generator build --include-media 2026-03-my-run --base-url https://example.org/v/",
    "python -m generator build --generate --weights ~/memflow --device cuda",
)
def build(
    root: Path | None,
    mirrors: tuple[Path, ...],
    jobs: int,
    base_url: str | None,
    include_media: tuple[str, ...],
    require_media: bool,
    verify: bool,
    generate: bool,
    weights: str | None,
    text: str | None,
    device: str | None,
    dtype: str | None,
    tiny: bool,
    wait: bool,
    as_json: bool,
    log_file: Path | None,
) -> None:
    """Turn content/ and clips into site/.

    Every claim is held against its clip's file, test cards are rendered, and the finished site
    takes the old one's place in one step. Nothing is downloaded: see `fetch`.
    """
    from generator import again, logbook

    project = find_project(root)
    options = again.Options(
        base_url=base_url,
        mirrors=mirrors,
        include_media=frozenset(include_media),
        require_media=require_media,
        verify=verify,
        jobs=jobs,
        waiting=(lambda: _say_error("another build is under way; waiting for it to end"))
        if wait
        else None,
        renderers=_lab_renderers(
            project,
            generate,
            weights=weights,
            text=text,
            device=device,
            dtype=dtype,
            tiny=tiny or None,
        ),
    )
    log = logbook.kept(
        project.logs,
        file=log_file,
        project=project.root,
        options={
            "base_url": base_url,
            "mirrors": list(mirrors),
            "include_media": sorted(include_media),
            "require_media": require_media,
            "verify": verify,
            "jobs": jobs,
            "generate": generate,
            "wait": wait,
        },
        complain=_say_error,
    )
    with log as book, _progress() as progress:
        report = again.nothing_new(project, options)
        if report is None:
            from generator import build as building

            report = building.build(project, options, book.telling(progress))
        figures = {
            "pages": report.pages,
            "cells": report.clips,
            "with_media": report.with_media,
            "bytes": report.bytes,
            "printed": report.printed,
            "unchanged": report.unchanged,
        }
        missing = report.clips - report.with_media
        if missing:
            book.warn(f"{missing} of {report.clips} cells have no clip at hand")
        for one in report.lost:
            book.warn(str(one))
        book.result(**figures)
    for one in report.lost[:LOST_SHOWN]:
        _say_error(f"warning: {one}")
    if len(report.lost) > LOST_SHOWN:
        _say_error(f"warning: {len(report.lost) - LOST_SHOWN} more like it")
    click.echo(
        f"{project.relative(report.site)}/: {report.pages} pages, {report.clips} cells"
        + (f" ({missing} without a clip at hand)" if missing else "")
        + f", {report.bytes / 1e6:.1f} MB"
        + ("; nothing has changed" if report.unchanged else ""),
        err=as_json,
    )
    if as_json:
        from generator.answer import entries

        site = {"folder": str(report.site), **figures}
        _answer("build", site=site, warnings=entries(report.lost))


def _lab_renderers(project: Any, generate: bool, **given: Any) -> Any:
    """The lab's door, where a build asks for it; it loads no torch before a cell has to be made."""
    idle = [f"--{name}" for name, value in given.items() if value is not None]
    if not generate:
        if idle:
            raise UsageError(f"{', '.join(idle)}: only of use with --generate")
        return None
    if not given["weights"]:
        raise UsageError(
            "--generate: name the weights that the lab renders with: --weights and a folder, or "
            "--weights random for runs that state random ones"
        )
    from generator.catalogue import load
    from generator.lab.pipelines import Parts
    from generator.lab.render import renderers

    parts = Parts(
        device=given["device"] or "cuda",
        dtype=given["dtype"] or "bfloat16",
        weights=given["weights"],
        text=Path(given["text"]) if given["text"] else None,
        tiny=bool(given["tiny"]),
    )
    return renderers(parts, lambda: load(project))


@command.command(cls=_Command)
@ROOT
@MIRROR
@JOBS
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--strict", is_flag=True, help="Exit with 1 when a claim fails.")
@click.option("--require-media", is_flag=True, help="A clip that is not at hand is an error.")
@click.option("--url", help="Look at a published site from outside instead.")
@click.option(
    "--plain-host",
    is_flag=True,
    help="With --url: the host sends headers of its own choosing and may add to pages "
    "(GitHub Pages, a Hugging Face Space); say so, and do not fail for it.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(1),
    default=600.0,
    show_default=True,
    help="With --url: seconds after which the look ends.",
)
@click.option(
    "--megabytes",
    type=click.IntRange(0),
    default=500,
    show_default=True,
    help="With --url: how much media is downloaded and hashed, small files first; of the rest "
    "only Range answers are checked.",
)
@_examples(
    "python -m generator check",
    "python -m generator check --mirror ../clips --json > claims.json",
    "python -m generator check --strict",
    "python -m generator check --url https://example.org/",
    "python -m generator check --url https://example.github.io/archive/ --plain-host",
)
def check(
    root: Path | None,
    mirrors: tuple[Path, ...],
    jobs: int,
    as_json: bool,
    strict: bool,
    require_media: bool,
    url: str | None,
    plain_host: bool,
    time_limit: float,
    megabytes: int,
) -> int:
    """Check content/ and hold every claim against its clip's file; publish nothing.

    With --url, look at a published site from outside: every file's bytes, Range answers, headers,
    links, the 404 page. That needs no content/.
    """
    if url is not None:
        if root or mirrors or strict or require_media:
            raise UsageError(
                "--url: looks at a published site alone; leave --root, --mirror, --strict and "
                "--require-media to a check of its own"
            )
        return _check_url(url, plain_host, time_limit, megabytes, as_json)
    if plain_host:
        raise UsageError("--plain-host: says something of a host; name its site with --url")
    from generator import answer
    from generator import build as building
    from generator.catalogue import load

    project = find_project(root)
    options = building.Options(mirrors=mirrors, jobs=jobs, require_media=require_media)
    catalogue = load(project)
    with _progress() as progress:
        found = building.examine(project, catalogue, options, progress)
    failed = sum(verdict.outcome == "fails" for _, _, verdicts in found for verdict in verdicts)
    code = 1 if strict and failed else 0
    if as_json:
        _answer("check", exit_code=code, clips=answer.clips(found))
    else:
        _print_claims(found)
    return code


def _check_url(url: str, plain_host: bool, time_limit: float, megabytes: int, as_json: bool) -> int:
    from generator.publish import probe as probing

    bounds = probing.Bounds(total_bytes=megabytes * 1_000_000, total_s=time_limit)
    with _progress() as progress:
        report = probing.probe(url, plain_host=plain_host, bounds=bounds, progress=progress)
    code = 1 if report.failed else 0
    if as_json:
        checks = [{name: str(getattr(one, name)) for name in CHECK_KEYS} for one in report.checks]
        _answer("check", exit_code=code, url=report.url, checks=checks)
    else:
        _print_probe(report)
    return code


def _print_probe(report: Any) -> None:
    """A line per kind of check; then what was wrong, the same fault at many addresses once."""
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    counts: dict[str, Counter[str]] = {}
    same: dict[tuple[str, str, str, str], list[str]] = {}
    for check in report.checks:
        counts.setdefault(check.id, Counter())[check.outcome] += 1
        if check.found:
            key = (str(check.outcome), check.id, check.found, check.expected)
            same.setdefault(key, []).append(check.subject or "home page")
    outcomes = ("ok", "fails", "noted", "skipped")
    table = Table(title=report.url, title_justify="left", box=None, pad_edge=False)
    table.add_column("check")
    for outcome in outcomes:
        table.add_column(outcome, justify="right")
    for id_, row in counts.items():
        table.add_row(id_, *(str(row[outcome] or "–") for outcome in outcomes))
    Console().print(table)
    for (outcome, id_, found, expected), subjects in same.items():
        more = f" and {len(subjects) - 1} more" if len(subjects) > 1 else ""
        click.echo(f"{outcome}: {id_}: {subjects[0]}{more}: {found}")
        if expected:
            click.echo(f"  expected {expected}")


def _print_claims(found: Any) -> None:
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    from generator.records import Outcome

    counts: dict[str, dict[tuple[str, str], Counter[str]]] = {}
    for clip, _, verdicts in found:
        for verdict in verdicts:
            rows = counts.setdefault(clip.run, {})
            rows.setdefault((verdict.claim, clip.pipeline), Counter())[verdict.outcome] += 1
    console = Console()
    for run, rows in counts.items():
        table = Table(title=run, title_justify="left", box=None, pad_edge=False)
        for name in ("claim", "pipeline"):
            table.add_column(name, overflow="fold")
        for outcome in Outcome:
            table.add_column(str(outcome), justify="right")
        for (claim, pipeline), outcomes in rows.items():
            table.add_row(claim, pipeline, *(str(outcomes[outcome] or "–") for outcome in Outcome))
        console.print(table)
        console.print()
    absent = [clip for clip, facts, _ in found if facts is None]
    if not absent:
        return
    click.echo(f"{len(absent)} of {len(found)} cells have no clip at hand")
    if any(clip.url and not clip.no_clip for clip in absent):
        click.echo("`python -m generator fetch` downloads what can be had")
    lost: dict[str, list[str]] = {}
    for clip in absent:
        if clip.lost_when_absent:
            lost.setdefault(clip.run, []).append(clip.file or clip.row_id)
    for run, names in lost.items():
        more = f" and {len(names) - LOST_SHOWN} more" if len(names) > LOST_SHOWN else ""
        click.echo(
            f"{', '.join(names[:LOST_SHOWN])}{more}: no address is stated; "
            f"put the files into content/runs/{run}/media"
        )


@command.command(cls=_Command)
@ROOT
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="RUN",
    shell_complete=_ids("runs"),
    help="Only the clips of this run.",
)
@click.option("--jobs", type=click.IntRange(1, 16), default=4, show_default=True)
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=30.0,
    show_default=True,
    help="Seconds without an answer after which a download is tried again.",
)
@_examples(
    "python -m generator fetch",
    "python -m generator fetch --run 2026-03-story-machine-h100",
)
def fetch(root: Path | None, runs: tuple[str, ...], jobs: int, timeout: float) -> None:
    """Download clips that have an address and a sha256 and are not here yet.

    A file takes its final name only after its hash was found right. Run again to go on.
    """
    from generator.catalogue import load
    from generator.clips.fetch import fetch as fetch_clips
    from generator.clips.locate import at_hand

    project = find_project(root)
    catalogue = load(project)
    known = {run.id for run in catalogue.runs}
    for run in runs:
        if run not in known:
            raise UsageError(f"--run {run}: no such run; known are {', '.join(sorted(known))}")
    clips = [clip for clip in catalogue.clips if not runs or clip.run in runs]
    folders = {run.id: run.folder for run in catalogue.runs}
    with _progress() as progress:
        report = fetch_clips(
            clips,
            into=project.fetched,
            at_hand=at_hand(clips, runs=folders, fetched=project.fetched),
            on_progress=progress,
            jobs=jobs,
            timeout_s=timeout,
        )
    click.echo(str(report))


@command.command(cls=_Command)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--table",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with a line per clip.",
)
@click.option("--run", "run_id", required=True, metavar="ID", help="Id of the new run.")
@click.option("--title", default="", help="Name of the run; its id when left out.")
@click.option("--measured-by", default="not stated", help="Who measured.")
@click.option(
    "--published",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day of publication; today, said to be so, when left out.",
)
@click.option("--source", default="", metavar="URL", help="Where the numbers were published.")
@click.option(
    "--machine",
    default="not stated",
    shell_complete=_ids("machines", ".toml"),
    help="A machine's id or its name.",
)
@click.option("--software", multiple=True, metavar="NAME=VERSION", help="May be repeated.")
@click.option("--weights", default="not stated", help="Which weights.")
@click.option("--rights", default="not stated", help="Whose clips these are, and their licence.")
@click.option(
    "--label",
    type=click.Choice(["published-elsewhere", "measured-here", "projected"]),
    default="published-elsewhere",
    show_default=True,
)
@click.option(
    "--pipeline",
    default="not stated",
    shell_complete=_ids("pipelines", ".toml"),
    help="For lines that name none.",
)
@click.option("--url-prefix", default="", metavar="URL", help="Where the files stand publicly.")
@click.option("--publish-media", is_flag=True, help="The clips may enter the site.")
@click.option(
    "--media",
    type=click.Choice(["copy", "link", "none"]),
    default="copy",
    show_default=True,
    help="Copy the clips into the run, hard-link them, or leave them where they are.",
)
@ROOT
@_examples(
    "python -m generator ingest ~/clips --table ~/clips/results.csv --run 2026-05-my-model-h100",
    "python -m generator ingest ~/clips --table ~/clips/results.csv --run 2026-05-my-model-h100 "
    "--measured-by 'Our lab' --machine h100-80gb --publish-media --rights 'Ours, CC BY 4.0'",
)
def ingest(
    folder: Path,
    table: Path,
    run_id: str,
    root: Path | None,
    published: datetime | None,
    software: tuple[str, ...],
    label: str,
    media: Literal["copy", "link", "none"],
    **stated: Any,
) -> None:
    """Turn a folder of clips and a table of numbers into a run.

    Sizes and hashes are read from the files; columns are found by their usual names. What only a
    person can know stays "not stated" until an option or run.toml states it.
    """
    from generator.catalogue import load
    from generator.clips.ingest import About
    from generator.clips.ingest import ingest as ingest_run
    from generator.project import Project
    from generator.records import Label

    project = find_project(root)
    about = About(
        published=published.date() if published else None,
        software=dict(_name_and_version(entry) for entry in software),
        label=Label(label),
        **stated,
    )
    with _progress() as progress:
        report = ingest_run(
            folder,
            table=table,
            run_id=run_id,
            project=project,
            validate=lambda draft: load(Project(root=draft)),
            about=about,
            media=media,
            on_progress=progress,
        )
    click.echo(str(report))


def _name_and_version(entry: str) -> tuple[str, str]:
    name, separator, version = entry.partition("=")
    if not (name and separator and version):
        raise UsageError(f'--software "{entry}": write NAME=VERSION, such as torch=2.13.0')
    return name, version


@command.command(cls=_Command)
@ROOT
@click.option(
    "--matrix",
    "matrix_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A TOML file that lists a whole run; options given beside it go before what it says.",
)
@click.option("--pipeline", metavar="ID", help="What generates.  [default: memflow]")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    metavar="ID",
    shell_complete=_ids("prompts", ".md"),
    help="A prompt of content/prompts; all of them when left out. May be repeated.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="WxH",
    help="In pixels, such as 848x480. May be repeated.  [default: 832x480, of neon 512x288]",
)
@click.option(
    "--steps",
    "steps",
    multiple=True,
    metavar="N",
    help="Denoising steps; 2/2/2 where there are stages. May be repeated.  [default: 4]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="Of the noise, a whole number from 0.  [default: 0]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True, max=3600),
    help="Length of a clip at the pipeline's own rate.  [default: 20]",
)
@click.option("--repeats", type=click.IntRange(1, 100), help="Of each cell.  [default: 3]")
@click.option("--device", help="As torch names it: cuda, cuda:1, cpu.  [default: cuda]")
@click.option("--dtype", help="bfloat16, float16 or float32.  [default: bfloat16]")
@click.option(
    "--weights",
    metavar="WHERE",
    help="A folder with base.pt and lora.pt (and vace.safetensors), or in diffusers' manner (for "
    "helios a whole pipeline's, such as a copy of BestWishYsh/Helios-Distilled; for neon what "
    '`train neon` writes, the project\'s weights/neon when left out); or "random".',
)
@click.option("--text", metavar="PATH", help="The text encoder's folder, or a file of embeddings.")
@click.option("--run", "run_id", metavar="ID", help="Id of the run to make, or to go on with.")
@click.option(
    "--machine",
    metavar="ID",
    shell_complete=_ids("machines", ".toml"),
    help="A machine of content/machines: what the numbers were measured on.",
)
@click.option(
    "--compile",
    metavar="MODE",
    help="none (eager), fused (torch.compile) or graphs (with CUDA graphs: the fastest).  "
    "[default: none]",
)
@click.option(
    "--sparse-memory",
    is_flag=True,
    default=None,
    help="Sparse Memory Activation: of sink and bank, each head attends to its best three frames.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="SECONDS=ID",
    help="From that time on another prompt of content/prompts, from the next chunk's first frame. "
    "May be repeated, in order.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    type=click.Path(),
    metavar="IMAGE",
    help="A PNG or JPEG that VACE keeps to, up to three (two beside --control). May be repeated.",
)
@click.option(
    "--control",
    type=click.Path(),
    metavar="VIDEO",
    help="A WebM or MP4 that VACE follows: of the clip's size, rate and length at least.",
)
@click.option(
    "--mask",
    type=click.Path(),
    metavar="FILE",
    help="Where --control is made anew (white) and where it stays (black): a picture or a video.",
)
@click.option(
    "--context-scale",
    type=click.FloatRange(0, 10),
    help="How strongly VACE acts.  [default: 1]",
)
@click.option("--tiny", is_flag=True, help="A toy network, to rehearse on a CPU; it says so.")
@click.option(
    "--clip-mb",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MB",
    help="What a clip's file may weigh at most; the larger are made again in two passes.",
)
@click.option(
    "--clips/--no-clips",
    "clips",
    default=None,
    help="Whether clips are kept, or speed only.  [default: clips]",
)
@click.option("--keep-noise", is_flag=True, help="Keep clips of random weights, too.")
@click.option("--publish-media", is_flag=True, default=None, help="The clips may enter the site.")
@click.option("--measured-by", metavar="NAME", help="Who measures.  [default: This project]")
@click.option(
    "--dry-run", is_flag=True, help="Only say what would be made, and how long it may take."
)
@click.option(
    "--prove-wipe",
    is_flag=True,
    help="Only prove that a wiped pipeline is a fresh one, on the first cell.",
)
@_examples(
    "python -m generator generate --weights random --size 512x288 --steps 2 --steps 4 --dry-run",
    "python -m generator generate --weights ~/memflow --run 2026-11-memflow --machine h200-141gb",
    "python -m generator generate --matrix matrix.toml",
    "python -m generator generate --weights random --tiny --device cpu --dtype float32 "
    "--size 48x32 --prove-wipe",
    "python -m generator generate --weights ~/memflow --prompt lighthouse --switch 10=old-harbour "
    "--run 2026-11-switched --machine h200-141gb",
    "python -m generator generate --weights ~/memflow --size 832x480 --reference figure.png "
    "--control depth.mp4 --mask mask.png --run 2026-11-vace --machine h200-141gb",
    "python -m generator generate --pipeline helios --weights ~/Helios-Distilled --size 640x384 "
    "--steps 1/1/1 --steps 2/2/2 --compile fused --run 2026-11-helios --machine h200-141gb",
    "python -m generator generate --pipeline neon --steps 4 --seconds 2",
    "python -m generator generate --pipeline neon --steps 4 --steps 12 --run 2026-12-neon "
    "--machine h200-141gb",
)
def generate(
    root: Path | None,
    matrix_file: Path | None,
    prompts: tuple[str, ...],
    sizes: tuple[str, ...],
    steps: tuple[str, ...],
    seed: int | None,
    seconds: float | None,
    run_id: str | None,
    tiny: bool,
    keep_noise: bool,
    dry_run: bool,
    prove_wipe: bool,
    **options: Any,
) -> int:
    """Run a pipeline and record clips with measurements: a run that builds then show.

    Each cell is wiped, warmed up, measured and written before the next begins. Give the same
    command again to go on where one was interrupted. Needs the extra `lab`; --dry-run does not.

    With the project's own weights (neon) neither --run nor --machine is needed: the run is then
    called own-..., of the computer that it names itself, and its clips may enter the site.
    """
    from generator.catalogue import load
    from generator.lab import matrix as ordering
    from generator.lab.pipelines import about

    project = find_project(root)
    catalogue = load(project)
    matrix = ordering.read_matrix(matrix_file) if matrix_file else ordering.Matrix()
    matrix = ordering.with_options(
        matrix,
        prompts=prompts,
        sizes=sizes,
        steps=steps,
        seed=seed,
        seconds=seconds,
        run=run_id,
        **options,
    )
    cells = ordering.cells_of(matrix, {prompt.id: prompt.text for prompt in catalogue.prompts})
    machines = {machine.id: machine for machine in catalogue.machines}
    if about(matrix.pipeline).ships:
        matrix = _at_home(project, matrix, options, machines)
    if matrix.machine and matrix.machine not in machines:
        raise UsageError(
            f'--machine "{matrix.machine}": no such machine in content/machines; '
            f"known are {', '.join(machines)}"
        )
    known = [pipeline.id for pipeline in catalogue.pipelines]
    if not (dry_run or prove_wipe) and matrix.pipeline not in known:
        raise UsageError(
            f"{project.relative(project.content / 'pipelines')}: describes no pipeline "
            f'"{matrix.pipeline}" to record clips of; write {matrix.pipeline}.toml there first'
        )
    context = _context(matrix, cells)
    if dry_run:
        _print_forecast(matrix, cells, machines.get(matrix.machine))
        return 0
    if not matrix.weights:
        raise UsageError(
            "--weights: name a folder with the published weights, or write --weights random to "
            "measure speed only"
        )
    parts = ordering.parts_of(matrix, tiny=tiny)
    if prove_wipe:
        return _prove_wipe(matrix.pipeline, parts, cells[0], context)
    from generator.lab import generate as making
    from generator.lab import record as recording

    run_about = ordering.about_of(matrix)
    plan = making.Plan(
        pipeline=matrix.pipeline,
        cells=cells,
        parts=parts,
        seconds=matrix.seconds,
        repeats=matrix.repeats,
        context=context,
        keep_clips=matrix.clips,
        keep_noise=keep_noise,
        most_clip_bytes=None if matrix.clip_mb is None else int(matrix.clip_mb * 1e6),
    )
    from generator.clips.encode import encode

    with _progress() as progress:
        outcome = making.run(
            plan, project.runs / run_about.id, run_about, encode=encode, progress=progress
        )
    where = project.relative(project.runs / run_about.id)
    click.echo(
        f"{where}: {len(outcome.made)} cells made"
        + (f", {len(outcome.there)} were there" if outcome.there else "")
        + (f", {len(outcome.failed)} failed" if outcome.failed else "")
    )
    for made in outcome.made:
        click.echo(f"  {made}: {recording.speed_of(project.runs / run_about.id, made)}")
    for prompt, words in outcome.unread.items():
        click.echo(f"{prompt}: says nothing to {matrix.pipeline}: {', '.join(words)}", err=True)
    for cell, why in outcome.failed.items():
        click.echo(f"failed: {cell}: {why}", err=True)
    return 1 if outcome.failed else 0


def _at_home(project: Any, matrix: Any, options: dict[str, Any], machines: Any) -> Any:
    """A pipeline that the project ships runs without being told where: with the project's weights,
    as a run of whoever gives the command, on a GPU where torch sees one, else on the CPU, there in
    float32."""
    from generator.lab.clock import usual_device
    from generator.lab.matrix import OWN_COMPUTER, own_run

    stated = {name for name, value in options.items() if value is not None} | set(matrix.given)
    if not matrix.weights:
        matrix = replace(matrix, weights=str(project.weights / matrix.pipeline))
        if OWN_COMPUTER in machines:
            matrix = own_run(matrix)
    if "device" not in stated:
        matrix = replace(matrix, device=usual_device())
    if "dtype" not in stated and matrix.device == "cpu":
        matrix = replace(matrix, dtype="float32")
    return matrix


def _context(matrix: Any, cells: Any) -> Any:
    """The pixels that VACE is to heed, read and checked; None where there are none."""
    from generator.lab.clock import frames_of
    from generator.lab.context import read_context
    from generator.lab.matrix import context_files
    from generator.lab.pipelines import about

    files = context_files(matrix)
    if not files:
        if matrix.context_scale != 1.0:
            raise UsageError("--context-scale: scales nothing; give --reference or --control")
        return None
    rate = about(matrix.pipeline).content_rate_hz
    sizes = dict.fromkeys((cell.width, cell.height) for cell in cells)
    return read_context(files, sizes, frames=frames_of(matrix.seconds, rate), rate_hz=rate)


def _prove_wipe(pipeline: str, parts: Any, cell: Any, context: Any) -> int:
    from generator.lab import generate as making
    from generator.lab.pipelines import about
    from generator.lab.proof import another, prove

    request = making.request_of(cell, context)
    before = another(request, about(pipeline).another(request.prompt))
    settled = about(pipeline).settled_chunk
    proof = prove(pipeline, parts, request, before, chunks=3, chunks_before=settled + 5)
    same = "bit-identical" if proof.identical else "NOT identical"
    click.echo(f"{cell.id}: after another clip and a wipe, and from a fresh process: {same}")
    for chunk, digest in enumerate(proof.fresh):
        click.echo(f"  chunk {chunk + 1}: sha256 {digest}")
    for memory, noticed in proof.mutations.items():
        told = "not noticed" if noticed is None else f"noticed in chunk {noticed + 1}"
        click.echo(f"  leaving out {memory}: {told}")
    if context is None and about(pipeline).reads_context:
        click.echo("  no VACE context here to leave out; give --reference or --control to add it")
    return 0 if proof.holds else 1


def _print_forecast(matrix: Any, cells: Any, machine: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    from generator.lab.forecast import forecast
    from generator.lab.pipelines import about

    rate = about(matrix.pipeline).content_rate_hz
    told = forecast(
        cells,
        seconds=matrix.seconds,
        content_rate_hz=rate,
        machine=machine,
        sparse_memory=matrix.sparse_memory,
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("cell", no_wrap=True)
    for name in ("tokens", "sees", "chunks", "DiT TFLOP", "VAE TFLOP", "GB", "bound", "predicted"):
        table.add_column(name, justify="right")
    for one in told:
        table.add_row(
            one.cell.id,
            str(one.tokens),
            str(one.attended),
            str(one.chunks),
            f"{one.dit.flop / 1e12:.1f}",
            f"{one.vae.flop / 1e12:.1f}",
            f"{(one.dit.bytes + one.vae.bytes) / 1e9:.1f}",
            "–" if one.bound_fps is None else f"{one.bound_fps:.1f} FPS",
            "–" if one.predicted_s is None else f"{one.predicted_s:.0f} s",
        )
    Console(width=120).print(table)
    click.echo(
        "TFLOP and GB are of one chunk in the steady state. "
        + (
            f"Bound by {machine.title}'s data sheet; times are projected, not measured."
            if machine is not None
            else "Name a machine with --machine to see its bound and a time."
        )
    )
    if matrix.references or matrix.control:
        click.echo("What VACE adds, its blocks and the encoding of its context, is not counted.")
    if told and all(one.predicted_s is not None for one in told):
        total = sum(one.predicted_s or 0 for one in told) * matrix.repeats
        click.echo(f"{len(told)} cells, {matrix.repeats} repeats: about {total / 60:.0f} min")


@command.command(cls=_Command)
@click.argument("model", metavar="neon")
@click.option(
    "--stage",
    type=click.Choice(["features", "vae", "dit"]),
    required=True,
    help="features: the network that measures attributes. vae: the autoencoder. dit: the "
    "transformer. In this order.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("weights/neon-training"),
    show_default=True,
    help="Where weights and log.jsonl go. What stands there is gone on from.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Go on from the weights of this folder.  [default: --out]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True, max=1000),
    default=9.0,
    show_default=True,
    help="Of the whole run, rendering and writing included.",
)
@click.option("--steps", type=click.IntRange(1), help="Most steps; the schedule goes by them then.")
@click.option(
    "--part",
    metavar="K/N",
    default="1/1",
    show_default=True,
    help="This run is the K-th of N that share one schedule of the learning rate.",
)
@click.option("--size", metavar="WxH", default="512x288", show_default=True, help="Of the clips.")
@click.option("--batch", type=click.IntRange(1), help="Clips a step.  [default: 32]")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Highest learning rate.")
@click.option(
    "--pool",
    type=click.IntRange(1),
    help="Clips kept on the device.  [default: 512; 12000 latents for dit]",
)
@click.option(
    "--refresh",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    help="Clips rendered anew after every 20 steps.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", default="cuda", show_default=True, help="cuda, cuda:1, cpu.")
@click.option("--compile", "compiled", is_flag=True, help="Through torch.compile.")
@click.option("--tiny", is_flag=True, help="A toy, to rehearse on a CPU.")
@_examples(
    "python -m generator train neon --stage features --minutes 2",
    "python -m generator train neon --stage vae --minutes 7",
    "python -m generator train neon --stage dit --minutes 9 --part 1/2 --compile",
    "python -m generator train neon --stage dit --minutes 9 --part 2/2 --compile",
    "python -m generator train neon --stage vae --tiny --device cpu --size 64x48 --steps 100",
)
def train(
    model: str,
    stage: str,
    out: Path,
    resume: Path | None,
    part: str,
    size: str,
    compiled: bool,
    **options: Any,
) -> None:
    """Train Neon on footage that is rendered on the way.

    From weights to weights: give the same command again to go on. An interrupt keeps what was
    reached. docs/neon.md has the whole recipe. Needs the extra `lab`.
    """
    from generator.lab.matrix import parse_size
    from generator.lab.pipelines import needed

    if model != "neon":
        raise UsageError(f'train "{model}": the lab trains no such model; it trains neon')
    try:
        width, height = parse_size(size)
    except ValueError as error:
        raise UsageError(f'--size "{size}": {error}') from None
    k, separator, n = part.partition("/")
    if not (separator and k.isdecimal() and n.isdecimal()):
        raise UsageError(f'--part "{part}": is no part of a schedule; write K/N, such as 1/2')
    training = needed("generator.lab.train.training")
    rendered = needed("generator.lab.train.rendered")
    plan = training.Plan(
        stage=stage,
        out=out,
        resume=resume,
        part=(int(k), int(n)),
        width=width,
        height=height,
        compile=compiled or None,
        **options,
    )
    with _progress() as progress:
        footage = rendered.footage(compile_s=rendered.COMPILE_S if compiled else 0)
        outcome = training.train(plan, footage, progress=progress)
    click.echo(
        f"{out}: {outcome.steps} steps in {outcome.seconds:.0f} s, loss "
        f"{outcome.first_loss:.4g} at first, {outcome.last_loss:.4g} at last"
    )


@command.command(cls=_Command)
@click.argument("folder")
@_examples("python -m generator new my-archive && cd my-archive && python -m generator build")
def new(folder: str) -> None:
    """Start a project of one's own, one that builds at once."""
    from generator.new import new_project

    if not folder.strip():
        raise UsageError('new "": this names no folder; write one, or . for the one you are in')
    written = new_project(Path(folder))
    there = shlex.quote(folder)
    click.echo(f"{folder}: {len(written)} files. Now: cd {there} && python -m generator build")


@command.command(cls=_Command)
@ROOT
@MIRROR
@JOBS
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--base-url", help="As for `build`.")
@click.option("--include-media", multiple=True, metavar="RUN", help="As for `build`.")
@click.option("--no-watch", is_flag=True, help="Serve what is there; build nothing.")
@_examples(
    "python -m generator serve",
    "python -m generator serve --mirror ../clips --port 9000",
    "python -m generator serve --no-watch",
)
def serve(
    root: Path | None,
    mirrors: tuple[Path, ...],
    jobs: int,
    host: str,
    port: int,
    base_url: str | None,
    include_media: tuple[str, ...],
    no_watch: bool,
) -> int:
    """Serve site/ as its host will, and build it again whenever something changes.

    Range answers, ETags, the site's own headers and 404 page. Changes are looked for in content/,
    templates/ and static/; give the options you build with. The old site is served until the new
    one stands, and goes on being served when a build finds mistakes.
    """
    from generator.publish import serve as serving

    project = find_project(root)
    command = [sys.executable, "-m", "generator", "build", "--root", str(project.root)]
    command.append("--wait")  # a change is built, whoever else builds meanwhile
    for name, values in (
        ("--mirror", mirrors),
        ("--include-media", include_media),
        ("--base-url", [base_url] if base_url is not None else []),
        ("--jobs", [jobs]),
    ):
        for value in values:
            command += [name, str(value)]
    if not (project.site / "manifest.json").is_file():
        if no_watch:
            raise UsageError(
                f"{project.site}: no site there; run `python -m generator build` first"
            )
        if status := serving.run(command):  # it says itself what is wrong
            return status
    watch = serving.Watch(
        folders=project.sources,
        command=tuple(command),
        on_change=lambda: click.echo("something changed: building", err=True),
    )
    serving.serve(
        project.site,
        host=host,
        port=port,
        on_ready=lambda address: click.echo(f"{address} (Ctrl-C ends)"),
        watch=None if no_watch else watch,
    )
    return 0


@command.command(cls=_Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@_examples(
    "python -m generator completion bash > "
    "~/.local/share/bash-completion/completions/matrix-archive",
    "python -m generator completion zsh > ~/.zfunc/_matrix-archive",
    "python -m generator completion fish > ~/.config/fish/completions/matrix-archive.fish",
)
def completion(shell: str) -> None:
    """Print the script that completes `matrix-archive` in a shell: options, files, ids of runs."""
    from click.shell_completion import get_completion_class

    completer = get_completion_class(shell)
    assert completer is not None  # the three that click brings
    click.echo(completer(command, {}, PROGRAM, COMPLETE).source(), nl=False)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Progress bars on standard error, where a person watches; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks: dict[str, Any] = {}

    def tell(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done, total=total)

    with bars:
        yield tell


def _say_error(text: str) -> None:
    for line in text.splitlines() or [""]:
        click.echo(line, err=True)


if __name__ == "__main__":
    sys.exit(main())
