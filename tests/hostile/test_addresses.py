"""Servers that would lead a download elsewhere, or never let it end."""

from __future__ import annotations

import gzip
import shutil
import socket
from pathlib import Path

import pytest
from clips import test_fetch
from clips.test_fetch import DATA, Handler, failure, finals, row, whole
from clips.test_fetch import run as fetch_one
from hostile import tables
from hostile.ended import fingerprint, run

from generator.clips.fetch import Reach, reach_of

server = test_fetch.server
OUTSIDE, INSIDE = "127.0.0.1", "127.0.0.2"
BOMB = gzip.compress(bytes(64 << 20))


def as_if(address: str) -> Reach:
    """Of the two addresses that stand for all others, one is public."""
    return {OUTSIDE: Reach.PUBLIC, INSIDE: Reach.THIS_MACHINE}[address]


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("93.184.215.14", Reach.PUBLIC),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", Reach.PUBLIC),
        ("10.0.0.1", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("fd00::1", Reach.PRIVATE),
        ("127.0.0.1", Reach.THIS_MACHINE),
        ("127.9.9.9", Reach.THIS_MACHINE),
        ("0.0.0.0", Reach.THIS_MACHINE),
        ("169.254.169.254", Reach.THIS_MACHINE),
        ("::1", Reach.THIS_MACHINE),
        ("::", Reach.THIS_MACHINE),
        ("fe80::1%eth0", Reach.THIS_MACHINE),
        ("::ffff:127.0.0.1", Reach.THIS_MACHINE),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("64:ff9b::7f00:1", Reach.THIS_MACHINE),
        ("2002:7f00:1::", Reach.THIS_MACHINE),
    ],
)
def test_addresses_lie_as_far_in_as_their_registries_say(address: str, reach: Reach) -> None:
    """RFC 6890 and what it lists; an address within another counts as itself."""
    assert reach_of(address) is reach


class Inner:
    """A listener on the inner address that counts who calls."""

    def __init__(self) -> None:
        self.door = socket.create_server((INSIDE, 0))
        self.door.setblocking(False)
        self.port = self.door.getsockname()[1]

    def heard(self) -> bytes | None:
        """What the first caller sent; None when nobody called."""
        try:
            caller, _ = self.door.accept()
        except BlockingIOError:
            return None
        with caller:
            caller.settimeout(5)
            return caller.recv(1000)


@pytest.fixture
def inner():
    try:
        made = Inner()
    except OSError as error:
        pytest.skip(f"{INSIDE} is no address of this machine ({error})")
    with made.door:
        yield made


def test_a_redirect_from_outside_leads_nowhere_inside(server, inner, tmp_path):
    url = server.on(
        "clip.webm",
        lambda handler: handler.head(302, Location=f"http://{INSIDE}:{inner.port}/admin"),
    )

    message = failure(tmp_path, row(url), reach_of=as_if)

    assert message.splitlines()[1] == (
        f"{url}: it redirects to {INSIDE}, which is reached from this machine only; "
        "write the public address of the file itself"
    )
    assert server.hits["/clip.webm"] == 1
    assert inner.heard() == b""


def test_a_name_that_moves_inside_between_two_requests_gains_nothing(
    server,
    inner,
    tmp_path,
    monkeypatch,
):
    """The same host and port, once resolved to the outer address and then to the inner one."""
    port = int(server.address.rpartition(":")[2])
    url = f"http://clips.example:{port}/clip.webm"
    server.on("clip.webm", lambda handler: handler.head(302, Location="/again.webm"))
    told = iter([OUTSIDE, INSIDE])
    real = socket.getaddrinfo

    def resolve(host, *arguments, **options):
        if host in ("clips.example", b"clips.example"):
            host = next(told)
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with socket.create_server((INSIDE, port)) as door:
        door.setblocking(False)
        message = failure(tmp_path, row(url), reach_of=as_if)
        caller, _ = door.accept()
        with caller:
            caller.settimeout(5)
            assert caller.recv(1000) == b""

    assert f"it redirects to {INSIDE}, which is reached from this machine only" in message


def test_what_a_row_itself_names_inside_may_stay_inside(server, tmp_path):
    server.on("b.webm", whole)
    url = server.on("a.webm", lambda handler: handler.head(302, Location="/b.webm"))

    fetch_one(tmp_path, row(url), reach_of=lambda address: Reach.PRIVATE)

    assert len(finals(tmp_path)) == 1


def test_a_steady_body_without_end_is_given_up(server, tmp_path):
    def steady(handler: Handler) -> None:
        handler.head()
        while not handler.book.released.wait(0.01):
            handler.wfile.write(DATA[:1000])
            handler.wfile.flush()

    url = server.on("clip.webm", steady)

    message = failure(tmp_path, row(url), longest_s=0.3)

    assert (
        f"{url}: it did not end within 0.3 s; find a faster server, or fetch the file yourself "
        "and name it with --mirror"
    ) in message


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("addresses") / "sample"
    sample = Path(__file__).resolve().parents[1] / "sample"
    shutil.copytree(sample, root)
    return root


def test_a_redirect_with_a_body_without_end_costs_no_memory(server, project):
    """Packed or not, nothing of a redirect is read but where it leads."""

    def endless(handler: Handler) -> None:
        handler.head(302, Location="/gone.webm")
        while not handler.book.released.is_set():
            handler.wfile.write(DATA)

    def bomb(handler: Handler) -> None:
        handler.head(302, Location="/gone.webm", Content_Encoding="gzip", Content_Length=len(BOMB))
        handler.wfile.write(BOMB)

    def packed(handler: Handler) -> None:
        handler.head(Content_Encoding="gzip", Content_Length=len(BOMB))
        handler.wfile.write(BOMB)

    server.on("gone.webm", lambda handler: handler.head(404))
    urls = [server.on("a.webm", endless), server.on("b.webm", bomb), server.on("c.webm", packed)]
    lines = [
        f"{name},published,sample-model,320x180,{digit * 64},{url}"
        for name, digit, url in zip(("a", "b", "c"), "012", urls, strict=True)
    ]
    table = "\n".join(["id,series,pipeline,size,sha256,url", *lines, ""])
    tables.write("content/runs/elsewhere/clips.csv", table)(project)
    shutil.rmtree(project / "content" / "presets")
    before = fingerprint(project / "content")

    ended = run(project, "fetch")

    gone = "the server answers 404 Not Found; the clip is not there any more, or the address is "
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "3 of 3 clips did not arrive:",
        f"{urls[0]}: {gone}wrong",
        f"{urls[1]}: {gone}wrong",
        f"{urls[2]}: the server sends it compressed (gzip); "
        "write an address that serves the file as it is",
    ]
    assert ended.peak_mib < 200
    assert fingerprint(project / "content") == before
    assert not list((project / ".cache").rglob("*.part"))
