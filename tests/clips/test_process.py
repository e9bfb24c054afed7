"""Children that misbehave: each meets its limit, the message names it, and nothing is left."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from programs import running, until_gone

from generator.clips import process
from generator.clips.process import Limits, run_alone
from generator.errors import MediaError

LIMITS = Limits(wall_s=60, cpu_s=30, memory_bytes=1 << 30, file_bytes=1 << 20)
LONGEST_S = 40
"""Far more than any of these takes; a hang shows as a failure."""

needs_prlimit = pytest.mark.skipif(
    not process.door().bounded_first, reason="limits need `prlimit` of util-linux, absent here"
)
needs_namespaces = pytest.mark.skipif(
    not process.door().namespaces, reason="this system lends no network and process namespaces"
)
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks into /proc for what still runs"
)


def child(code: str, *arguments: object, **changed: object) -> process.Finished:
    """Run a Python program within LIMITS, with `changed` ones."""
    command = [sys.executable, "-I", "-c", textwrap.dedent(code), *map(str, arguments)]
    started = time.monotonic()
    try:
        return run_alone(command, about="work", limits=replace(LIMITS, **changed))
    finally:
        assert time.monotonic() - started < LONGEST_S


# Time


@needs_proc
def test_one_that_sleeps_for_ever_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"^work: stopped after 1 s; shorten the clip"):
        child("import time; time.sleep(600)", tmp_path, wall_s=1)
    until_gone(str(tmp_path))


@needs_prlimit
def test_one_that_only_computes_is_stopped() -> None:
    with pytest.raises(MediaError, match=r"^work: ended by the system, which grants 1 s of proc"):
        child("while True: pass", cpu_s=1)


@needs_proc
def test_grandchildren_that_ignore_every_request_die_with_it(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="stopped after 2 s"):
        child(STUBBORN, tmp_path, "wait", wall_s=2)
    until_gone(str(tmp_path))


@needs_proc
def test_grandchildren_that_were_left_behind_die_as_well(tmp_path: Path) -> None:
    """The program ends well and leaves a child that holds its output open."""
    finished = child(STUBBORN, tmp_path, "leave")
    assert (finished.status, finished.output) == (0, b"left\n")
    until_gone(str(tmp_path))


@needs_namespaces
@needs_proc
def test_not_even_a_session_of_its_own_saves_a_grandchild(tmp_path: Path) -> None:
    finished = child(STUBBORN, tmp_path, "leave", "setsid")
    assert finished.status == 0
    until_gone(str(tmp_path))


STUBBORN = """
    import os, signal, sys, time
    for _ in range(3):
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            if "setsid" in sys.argv:
                os.setsid()
            time.sleep(600)
    time.sleep(0.3)
    print("left", flush=True)
    if "wait" in sys.argv:
        time.sleep(600)
"""

RUNNER = """
    import sys
    from generator.clips.process import Limits, run_alone
    run_alone([sys.executable, "-I", "-c", "import time; time.sleep(600)", sys.argv[1]],
              about="work", limits=Limits(wall_s=600, cpu_s=9, memory_bytes=1 << 30))
"""


@needs_proc
@pytest.mark.skipif(not process.door().dies_with_us, reason="needs `setpriv --pdeathsig`")
def test_a_killed_build_takes_its_programs_along(tmp_path: Path) -> None:
    """SIGKILL leaves no time for tidying; the system itself ends the program."""
    mark = f"{tmp_path}/child"
    command = [sys.executable, "-c", textwrap.dedent(RUNNER), mark]
    with subprocess.Popen(command) as build:
        deadline_s = time.monotonic() + 20
        while len(running(mark)) < 2 and time.monotonic() < deadline_s:
            time.sleep(0.05)
        time.sleep(0.5)
        assert len(running(mark)) >= 2
        build.kill()
    until_gone(mark)


def test_an_interrupted_build_ends_what_its_threads_run() -> None:
    said: list[str] = []

    def work() -> None:
        try:
            child("import time; time.sleep(600)")
        except MediaError as error:
            said.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    process.end_all()
    for thread in threads:
        thread.join(LONGEST_S)
    assert said == ["work: interrupted; build again"] * 2


# Memory, files, answers


@needs_prlimit
def test_one_that_eats_memory_gets_no_more_than_its_share() -> None:
    """It is refused, and ends by itself: `peak` is what the system saw it hold."""
    code = """
        import resource
        held = []
        try:
            while True:
                held.append(bytearray(16 << 20))
        except MemoryError:
            got = len(held) * 16
            held.clear()
        print(got, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """
    got, peak = map(int, child(code, memory_bytes=512 << 20).output.split())
    assert 256 <= got <= 512
    assert peak <= 512


@needs_prlimit
def test_the_limits_stand_before_the_first_instruction() -> None:
    code = """
        import resource
        for name in ("AS", "CPU", "FSIZE", "NOFILE", "CORE"):
            print(*resource.getrlimit(getattr(resource, f"RLIMIT_{name}")))
    """
    rows = [tuple(map(int, row.split())) for row in child(code).output.splitlines()]
    wanted = (LIMITS.memory_bytes, LIMITS.cpu_s, LIMITS.file_bytes, LIMITS.open_files, 0)
    assert rows == [(most, most) for most in wanted]


@needs_prlimit
def test_a_stricter_limit_of_our_own_is_never_raised() -> None:
    """Even where root could: who bounds the build bounds its children."""
    code = """
        import resource, sys
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        from generator.clips.process import Limits, run_alone
        ask = "import resource; print(resource.getrlimit(resource.RLIMIT_FSIZE))"
        limits = Limits(wall_s=60, cpu_s=30, memory_bytes=1 << 30, file_bytes=1 << 20)
        print(run_alone([sys.executable, "-I", "-c", ask], about="x", limits=limits).output)
    """
    told = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(code)], capture_output=True, check=True
    )
    assert b"(4096, 4096)" in told.stdout


def test_an_endless_answer_is_cut_off_and_not_kept() -> None:
    with pytest.raises(MediaError, match=r"^work: stopped, as it answered with more than 64 KiB;"):
        child("while True: print('x' * 4000)", answer_bytes=64 << 10)


def test_of_endless_complaints_the_end_is_kept() -> None:
    code = """
        import sys
        for n in range(50_000):
            sys.stderr.write(f"complaint {n}\\n")
    """
    said = child(code).said
    assert len(said) == process.SAID_BYTES
    assert said.endswith("complaint 49999\n")


@needs_prlimit
def test_a_file_ends_at_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "large"
    code = "import sys; open(sys.argv[1], 'wb', buffering=0).write(bytes(8 << 20))"
    child(code, path)
    assert path.stat().st_size == LIMITS.file_bytes


@needs_prlimit
def test_one_that_opens_thousands_of_files_is_refused() -> None:
    code = """
        held = []
        try:
            for _ in range(5000):
                held.append(open("/dev/null"))
        except OSError as error:
            held, reason = len(held), error.strerror
        print(held, reason)
    """
    opened, _, reason = child(code).output.decode().partition(" ")
    assert int(opened) < LIMITS.open_files
    assert reason.strip() == "Too many open files"


# Network, environment


CALL = """
    import socket, sys
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
        print("connected")
    except OSError as error:
        print(error.strerror)
"""


@needs_namespaces
def test_there_is_no_network_not_even_this_machine() -> None:
    """A listener that this test itself reaches is out of the child's reach."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        listener.accept()[0].close()
        assert child(CALL, port).output.strip() == b"Network is unreachable"
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_the_environment_is_empty_and_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MATRIX_TEST_SECRET", "x")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    env = "/usr/bin/env"
    if not Path(env).exists():
        pytest.skip(f"no {env} to ask")
    finished = run_alone([env], about="env", limits=LIMITS)
    assert (finished.status, finished.output) == (0, b"")
    assert child("import sys; print(repr(sys.stdin.read()))").output == b"''\n"


# Where the system helps less


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system without util-linux or namespaces."""
    plain = process.Door(bounded_first=False, dies_with_us=False, namespaces=())
    monkeypatch.setattr(process, "door", lambda: plain)


@pytest.mark.usefixtures("bare")
@needs_proc
def test_without_helpers_the_group_still_dies(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="stopped after 2 s"):
        child(STUBBORN, tmp_path, "wait", wall_s=2)
    until_gone(str(tmp_path))
    assert child(STUBBORN, tmp_path, "leave").output == b"left\n"
    until_gone(str(tmp_path))


@pytest.mark.usefixtures("bare")
@pytest.mark.skipif(not hasattr(process, "_limit") or sys.platform != "linux", reason="Linux only")
def test_without_helpers_memory_is_bounded_all_the_same() -> None:
    code = """
        import time
        time.sleep(0.5)
        try:
            bytearray(2 << 30)
        except MemoryError:
            print("refused")
    """
    assert child(code).output == b"refused\n"


def test_a_system_without_any_helper_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_tool", lambda name: "")
    assert process.door.__wrapped__() == process.Door(
        bounded_first=False, dies_with_us=False, namespaces=()
    )


def test_helpers_that_refuse_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `unshare` that the system forbids, a `setpriv` too old for --pdeathsig."""
    refusing = tmp_path / "refusing"
    refusing.write_text("#!/bin/sh\nexit 1\n")
    refusing.chmod(0o755)
    real = process._tool
    monkeypatch.setattr(
        process, "_tool", lambda name: real(name) if name == "prlimit" else str(refusing)
    )
    found = process.door.__wrapped__()
    assert (found.dies_with_us, found.namespaces) == (False, ())
    assert found.bounded_first == bool(real("prlimit"))
