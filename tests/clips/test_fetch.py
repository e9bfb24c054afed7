"""Downloads from a real server on the loopback that misbehaves in every way servers do."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from blank import a_clip

from generator.cli import main
from generator.clips import fetch as fetching
from generator.clips.fetch import FetchReport, fetch
from generator.errors import FetchError
from generator.records import Clip

DATA = random.Random(7).randbytes(300_000)
SHA = hashlib.sha256(DATA).hexdigest()
HALF = len(DATA) // 2


def row(url: str | None, *, sha256: str | None = SHA, name: str = "a") -> Clip:
    return a_clip(name, url=url, sha256=sha256)


Answer = Callable[["Handler"], None]


@dataclass
class Server:
    """Answers by path; counts requests and keeps the Range of each."""

    address: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    hits: Counter[str] = field(default_factory=Counter)
    ranges: list[str | None] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str = "clip.webm") -> str:
        return f"{self.address}/{name}"

    def on(self, name: str, answer: Answer) -> str:
        self.answers[f"/{name}"] = answer
        return self.url(name)


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the test's answer; HTTP/1.0, so that closing ends a body."""

    book: Server

    def do_GET(self) -> None:
        self.book.hits[self.path] += 1
        self.book.ranges.append(self.headers["Range"])
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.book.answers[self.path](self)
        self.close_connection = True

    def head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def nth(self) -> int:
        return self.book.hits[self.path]


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    book = Server()
    handler = type("BookHandler", (Handler,), {"book": book})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    book.address = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield book
    finally:
        book.released.set()
        http.shutdown()
        http.server_close()
        thread.join()


def whole(handler: Handler) -> None:
    """A good server without Range."""
    handler.head(Content_Length=len(DATA))
    handler.wfile.write(DATA)


def ranged(handler: Handler) -> None:
    """A good server with Range."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
    if not asked:
        return whole(handler)
    start = int(asked[1])
    if start >= len(DATA):
        return handler.head(416, Content_Range=f"bytes */{len(DATA)}")
    handler.head(
        206,
        Content_Length=len(DATA) - start,
        Content_Range=f"bytes {start}-{len(DATA) - 1}/{len(DATA)}",
    )
    handler.wfile.write(DATA[start:])
    return None


def half_at_first(handler: Handler) -> None:
    """Breaks off in the middle of the first answer, then serves ranges."""
    if handler.nth > 1:
        return ranged(handler)
    handler.head(Content_Length=len(DATA))
    handler.wfile.write(DATA[:HALF])
    return None


def run(into: Path, *clips: Clip, **options: object) -> FetchReport:
    return fetch(clips, into=into, **{"timeout_s": 5.0, "backoff_s": 0.01, **options})


def failure(into: Path, *clips: Clip, **options: object) -> str:
    """The message of a fetch that fails; nothing has a final name afterwards."""
    with pytest.raises(FetchError) as caught:
        run(into, *clips, **options)
    assert finals(into) == []
    return str(caught.value)


def finals(into: Path) -> list[str]:
    return sorted(path.name for path in into.iterdir() if not path.name.startswith("."))


def parts(into: Path) -> list[str]:
    return sorted(path.name for path in into.glob(".*.part"))


def test_a_clip_arrives_whole_under_its_hash(server, tmp_path):
    url = server.on("videos/clip%201.WEBM?x=1", whole)
    heard = []

    report = run(tmp_path, row(url), on_progress=lambda *told: heard.append(told))

    assert finals(tmp_path) == [f"{SHA}.webm"]
    assert (tmp_path / f"{SHA}.webm").read_bytes() == DATA
    assert parts(tmp_path) == []
    assert [(one.sha256, one.bytes, one.resumed_at) for one in report.fetched] == [
        (SHA, len(DATA), 0)
    ]
    assert ("clips", 1, 1) in heard
    assert ("KiB", len(DATA) // 1024, len(DATA) // 1024) in heard
    assert str(report) == "1 downloaded (0.3 MB), 0 here already"


def test_what_is_here_is_not_asked_for_again(server, tmp_path):
    url = server.on("clip.webm", whole)
    run(tmp_path, row(url))

    report = run(tmp_path, row(url))

    assert server.hits["/clip.webm"] == 1
    assert report.fetched == ()
    assert report.present == (tmp_path / f"{SHA}.webm",)


def test_what_is_at_hand_elsewhere_is_not_asked_for(server, tmp_path):
    """One file of the run's own serves every clip of its hash, and needs no hash of its row."""
    url = server.on("clip.webm", whole)
    here = tmp_path / "content" / "a.webm"

    report = run(
        tmp_path / "media",
        row(url),
        row(server.url("other.webm"), name="b"),
        row(url, sha256=None, name="c"),
        at_hand={"run--a": here, "run--c": here},
    )

    assert server.hits == {}
    assert report == FetchReport(fetched=(), present=(here,), unverifiable=())


def test_the_command_downloads_nothing_that_the_run_holds(server, tmp_path, capsys):
    """A pointer of Git LFS is no clip: what it stands for is downloaded."""
    sample = Path(__file__).resolve().parent.parent / "sample"
    shutil.copytree(sample / "content", tmp_path / "content")
    folder = tmp_path / "content" / "runs" / "elsewhere"
    lines = ["id,series,pipeline,size,sha256,url,file"]
    for name, data in (("a", DATA), ("b", DATA[:HALF])):
        sha256 = hashlib.sha256(data).hexdigest()
        url = server.url(f"{name}.webm")
        lines.append(f"{name},published,sample-model,320x180,{sha256},{url},{name}.webm")
    (folder / "clips.csv").write_text("\n".join(lines))
    shutil.rmtree(tmp_path / "content" / "presets")
    (folder / "media").mkdir()
    (folder / "media" / "a.webm").write_bytes(DATA)
    (folder / "media" / "b.webm").write_text("version https://git-lfs.github.com/spec/v1\n")

    def half(handler: Handler) -> None:
        handler.head(Content_Length=HALF)
        handler.wfile.write(DATA[:HALF])

    server.on("b.webm", half)

    assert main(["fetch", "--root", str(tmp_path), "--run", "elsewhere"]) == 0

    assert server.hits == {"/b.webm": 1}
    assert capsys.readouterr().out.startswith("1 downloaded (0.1 MB), 1 here already")


@pytest.mark.parametrize("kind", ["the folder", "what it stands in"])
def test_a_file_in_the_folder_s_place_is_named(tmp_path, kind):
    (tmp_path / ".cache").write_text("x")
    into = tmp_path / ".cache" if kind == "the folder" else tmp_path / ".cache" / "media"

    with pytest.raises(FetchError) as caught:
        run(into, row("http://127.0.0.1:1/clip.webm"))

    assert str(caught.value).startswith(f"{into}: downloads cannot be kept there (")
    assert str(caught.value).endswith("; make it a folder that can be written")


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)

    with pytest.raises(FetchError, match=r"cannot be kept there \(Read-only file system\)"):
        run(tmp_path / "media", row("http://127.0.0.1:1/clip.webm"))


def test_a_copy_that_rotted_is_replaced(server, tmp_path):
    url = server.on("clip.webm", whole)
    (tmp_path / f"{SHA}.webm").write_bytes(DATA[:-1] + b"?")

    run(tmp_path, row(url))

    assert (tmp_path / f"{SHA}.webm").read_bytes() == DATA


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    url = server.on("clip.webm", half_at_first)

    report = run(tmp_path, row(url))

    assert (tmp_path / f"{SHA}.webm").read_bytes() == DATA
    assert server.ranges[0] is None
    resumed = report.fetched[0].resumed_at
    assert 0 < resumed <= HALF
    assert server.ranges[1:] == [f"bytes={resumed}-"]


def test_a_server_without_range_is_asked_from_the_start_again(server, tmp_path):
    def breaks_once(handler: Handler) -> None:
        if handler.nth > 1:
            return whole(handler)
        return half_at_first(handler)

    url = server.on("clip.webm", breaks_once)

    report = run(tmp_path, row(url))

    assert (tmp_path / f"{SHA}.webm").read_bytes() == DATA
    assert report.fetched[0].resumed_at == 0


def test_a_server_that_always_breaks_off_is_given_up(server, tmp_path):
    def breaks(handler: Handler) -> None:
        handler.head(Content_Length=len(DATA))
        handler.wfile.write(DATA[:1000])

    url = server.on("clip.webm", breaks)

    message = failure(tmp_path, row(url))

    assert server.hits["/clip.webm"] == fetching.ATTEMPTS
    assert message.splitlines()[0] == "1 of 1 clips did not arrive:"
    assert re.search(
        rf"{re.escape(url)}: the connection broke off \(.*\), 4 times; "
        r"try again later; what arrived is kept",
        message,
    )


def test_a_content_length_too_long_does_not_spoil_right_bytes(server, tmp_path):
    """The declared rest never comes, but the bytes that came are the clip: the hash decides."""

    def longer(handler: Handler) -> None:
        handler.head(Content_Length=len(DATA) + 500)
        handler.wfile.write(DATA)

    run(tmp_path, row(server.on("clip.webm", longer)))

    assert (tmp_path / f"{SHA}.webm").read_bytes() == DATA


def test_a_content_length_too_long_over_too_few_bytes_fails(server, tmp_path):
    def longer(handler: Handler) -> None:
        handler.head(Content_Length=len(DATA))
        handler.wfile.write(DATA[:-1])

    message = failure(tmp_path, row(server.on("clip.webm", longer)))

    assert "the connection broke off" in message


def test_a_content_length_too_short_cuts_the_clip_and_fails(server, tmp_path):
    def shorter(handler: Handler) -> None:
        handler.head(Content_Length=1000)
        handler.wfile.write(DATA)

    url = server.on("clip.webm", shorter)

    message = failure(tmp_path, row(url))

    found = hashlib.sha256(DATA[:1000]).hexdigest()
    assert message.splitlines()[1] == (
        f"{url}: 1000 bytes of other content came: their sha256 is {found}, the row says {SHA}; "
        "the file there was replaced or cut short; find the measured one, or mend the row"
    )
    assert server.hits["/clip.webm"] == 1
    assert parts(tmp_path) == []


def test_a_web_page_in_place_of_a_clip_is_named(server, tmp_path):
    def page(handler: Handler) -> None:
        handler.head(Content_Type="text/html; charset=utf-8")
        handler.wfile.write(b"<!doctype html><title>Log in</title>")

    url = server.on("clip.webm", page)

    assert failure(tmp_path, row(url)).splitlines()[1] == (
        f"{url}: the server answers with a web page (text/html) and not with the clip; "
        "open the address in a browser and write the one of the file itself"
    )


def test_wrong_bytes_of_the_right_length_fail_and_leave_nothing(server, tmp_path):
    def wrong(handler: Handler) -> None:
        handler.head(Content_Length=len(DATA))
        handler.wfile.write(DATA[::-1])

    message = failure(tmp_path, row(server.on("clip.webm", wrong)))

    assert f"{len(DATA)} bytes of other content came" in message
    assert parts(tmp_path) == []


def test_compressed_transfer_is_named(server, tmp_path):
    def packed(handler: Handler) -> None:
        handler.head(Content_Encoding="gzip")
        handler.wfile.write(b"\x1f\x8b whatever")

    assert "the server sends it compressed (gzip)" in failure(
        tmp_path, row(server.on("clip.webm", packed))
    )


def test_404_is_final_and_500_is_not(server, tmp_path):
    def recovers(handler: Handler) -> None:
        if handler.nth < 3:
            return handler.head(500)
        return whole(handler)

    gone = server.on("gone.webm", lambda handler: handler.head(404))
    well = server.on("well.webm", recovers)

    with pytest.raises(FetchError) as caught:
        run(tmp_path, row(gone, sha256="0" * 64), row(well, name="b"))

    assert str(caught.value).splitlines() == [
        "1 of 2 clips did not arrive:",
        f"{gone}: the server answers 404 Not Found; "
        "the clip is not there any more, or the address is wrong",
    ]
    assert server.hits == {"/gone.webm": 1, "/well.webm": 3}
    assert finals(tmp_path) == [f"{SHA}.webm"]


def test_a_server_that_stays_ill_is_given_up(server, tmp_path):
    url = server.on("clip.webm", lambda handler: handler.head(503, Retry_After="0"))

    assert failure(tmp_path, row(url)).splitlines()[1] == (
        f"{url}: the server answers 503 Service Unavailable, 4 times; try again later"
    )
    assert parts(tmp_path) == []


def test_silence_times_out(server, tmp_path):
    def silent(handler: Handler) -> None:
        handler.book.released.wait(20)

    url = server.on("clip.webm", silent)
    began = time.monotonic()

    message = failure(tmp_path, row(url), timeout_s=0.2)

    assert f"{url}: no answer within 0.2 s, 4 times" in message
    assert time.monotonic() - began < 8


def test_a_drip_times_out_although_it_never_pauses(server, tmp_path):
    def drips(handler: Handler) -> None:
        handler.head(Content_Length=len(DATA))
        for i in range(400):
            if handler.book.released.is_set():
                return
            handler.wfile.write(DATA[i : i + 1])
            handler.wfile.flush()
            time.sleep(0.05)

    url = server.on("clip.webm", drips)
    began = time.monotonic()

    message = failure(tmp_path, row(url), timeout_s=0.4)

    assert re.search(r": only \d+ bytes came in 0\.\d+ s, 4 times", message)
    assert time.monotonic() - began < 15


def test_redirects_are_followed_a_few_times(server, tmp_path):
    def to(name: str, status: int = 302) -> Answer:
        return lambda handler: handler.head(status, Location=f"/{name}")

    server.on("c.webm", whole)
    server.on("b", to("c.webm", 307))
    run(tmp_path, row(server.on("a.webm", to("b"))))
    assert finals(tmp_path) == [f"{SHA}.webm"]

    looped = server.on("loop.webm", to("loop.webm"))
    with pytest.raises(FetchError, match="more than 5 redirects"):
        run(tmp_path, row(looped, sha256="1" * 64))


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/clip.webm", "file:///etc/hostname"])
def test_redirects_lead_to_web_addresses_only(server, tmp_path, location):
    url = server.on("clip.webm", lambda handler: handler.head(302, Location=location))

    assert "it does not lead to http or https" in failure(tmp_path, row(url))


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1:port/", "http://127.0.0.1:99999/", "https://exa\x7fmple/", "http://-\xff-/"],
)
def test_a_redirect_to_what_is_no_address_is_final(server, tmp_path, location):
    url = server.on("clip.webm", lambda handler: handler.head(302, Location=location))

    message = failure(tmp_path, row(url))

    assert f'{url}: it redirects to "{location}", which is no address; write the ' in message
    assert server.hits["/clip.webm"] == 1
    assert parts(tmp_path) == []


def test_nobody_listening_is_a_failure_with_an_address(server, tmp_path):
    url = "http://127.0.0.1:1/clip.webm"

    message = failure(tmp_path, row(url))

    assert f"{url}: the connection failed" in message
    assert message.endswith("4 times; try again later")
    assert parts(tmp_path) == []


@pytest.mark.parametrize("declared", [True, False])
def test_more_than_the_cap_is_not_taken(server, tmp_path, declared):
    def endless(handler: Handler) -> None:
        handler.head(**({"Content_Length": 10**12} if declared else {}))
        while not handler.book.released.is_set():
            handler.wfile.write(DATA)

    url = server.on("clip.webm", endless)

    message = failure(tmp_path, row(url), max_bytes=1_000_000)

    assert f"{url}: it is larger than 1 MB; no clip is that large; check the address" in message
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2_000_000


def test_clips_of_one_hash_are_one_download_with_several_addresses(server, tmp_path):
    gone = server.on("gone.webm", lambda handler: handler.head(404))
    here = server.on("here.mp4", whole)

    report = run(tmp_path, row(gone), row(here, name="b"), row(here, name="c"))

    assert [one.path.name for one in report.fetched] == [f"{SHA}.mp4"]
    assert server.hits == {"/gone.webm": 1, "/here.mp4": 1}


def test_what_cannot_be_verified_is_not_downloaded(server, tmp_path):
    url = server.on("clip.webm", whole)

    report = run(tmp_path, row(url, sha256=None), row(None, name="b"))

    assert report.unverifiable == ("run--a",)
    assert server.hits == {}
    assert "not downloaded for want of a sha256 to check them by: run--a" in str(report)


def test_no_more_jobs_than_asked_for(server, tmp_path):
    lock, now, most = threading.Lock(), 0, 0
    clips = []
    for i in range(6):
        data = bytes([i]) * 1000

        def answer(handler: Handler, data: bytes = data) -> None:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.05)
            with lock:
                now -= 1
            handler.head(Content_Length=len(data))
            handler.wfile.write(data)

        url = server.on(f"{i}.mp4", answer)
        clips.append(row(url, sha256=hashlib.sha256(data).hexdigest(), name=str(i)))

    run(tmp_path, *clips, jobs=2)

    assert most <= 2
    assert len(finals(tmp_path)) == 6


@pytest.mark.parametrize(
    ("left", "ranges"),
    [
        pytest.param(DATA[:HALF], [f"bytes={HALF}-"], id="the first half"),
        pytest.param(DATA, [], id="all of it, only the name was not given yet"),
        pytest.param(DATA + b"more", [f"bytes={len(DATA) + 4}-", None], id="too much"),
        pytest.param(b"x" * HALF, [f"bytes={HALF}-", None], id="other bytes"),
        pytest.param(b"", [None], id="nothing"),
    ],
)
def test_parts_that_a_killed_run_left_are_used_or_dropped(server, tmp_path, left, ranges):
    url = server.on("clip.webm", ranged)
    (tmp_path / f".{SHA}.part").write_bytes(left)

    run(tmp_path, row(url))

    assert server.ranges == ranges
    assert (tmp_path / f"{SHA}.webm").read_bytes() == DATA
    assert parts(tmp_path) == []


def test_parts_that_nobody_wants_are_swept_away(server, tmp_path):
    url = server.on("clip.webm", whole)
    (tmp_path / f".{'0' * 64}.part").write_bytes(b"old")

    run(tmp_path, row(url))

    assert parts(tmp_path) == []


def test_a_failing_resumption_keeps_what_had_arrived(server, tmp_path):
    url = server.on("clip.webm", lambda handler: handler.head(500))
    (tmp_path / f".{SHA}.part").write_bytes(DATA[:HALF])

    failure(tmp_path, row(url))

    assert (tmp_path / f".{SHA}.part").read_bytes() == DATA[:HALF]


def test_kill_9_leaves_no_final_name_and_the_next_run_goes_on(server, tmp_path):
    """The server holds the second half back until the fetching process is dead."""
    started = threading.Event()

    def holds_back(handler: Handler) -> None:
        if handler.nth > 1:
            return ranged(handler)
        handler.head(Content_Length=len(DATA))
        handler.wfile.write(DATA[:HALF])
        handler.wfile.flush()
        started.set()
        handler.book.released.wait(30)
        return None

    url = server.on("clip.webm", holds_back)
    code = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "from pathlib import Path\n"
        "from clips.test_fetch import row, fetch\n"
        "fetch([row(sys.argv[1])], into=Path(sys.argv[2]))"
    )
    tests = Path(__file__).resolve().parents[1]
    paths = (str(tests), str(tests.parent))
    victim = subprocess.Popen([sys.executable, "-c", code, url, str(tmp_path), *paths])
    try:
        assert started.wait(30)
        part = tmp_path / f".{SHA}.part"
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size > 0):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert finals(tmp_path) == []
        with pytest.raises(FetchError, match="another fetch is under way; wait for it to end"):
            run(tmp_path, row(url))
    finally:
        victim.kill()
        victim.wait()
    assert finals(tmp_path) == []

    report = run(tmp_path, row(url))

    assert (tmp_path / f"{SHA}.webm").read_bytes() == DATA
    assert 0 < report.fetched[0].resumed_at <= HALF
    assert parts(tmp_path) == []


def test_an_unknown_disk_fault_is_a_failure_of_that_clip(server, tmp_path, monkeypatch):
    url = server.on("clip.webm", whole)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching.os, "fsync", full)

    assert "(No space left on device); make room there" in failure(tmp_path, row(url))
