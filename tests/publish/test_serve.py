"""The server answers as hosts do, and never with half a site."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from browser.loopback import serving
from programs import heed_interrupts, running, until
from publishing import publish

from generator.pages import policy
from generator.publish import write
from generator.publish.serve import application, header_rules, headers_for

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
CLIP = bytes(range(256)) * 40

HEADERS = f"""\
# a comment
/*
  Content-Security-Policy: default-src 'self'
  X-Content-Type-Options: nosniff

/media/*
  Cache-Control: {policy.FOREVER}
"""


def make(site: Path, *, texts: Mapping[str, str] | None = None) -> Path:
    clip = site.parent / "clip"
    clip.write_bytes(CLIP)
    pages = {
        "index.html": "<p>home</p>",
        "404.html": "<p>no such page</p>",
        "method/index.html": "<p>method</p>",
        "a b/ü.html": "<p>odd name</p>",
        "_headers": HEADERS,
        "_redirects": "/x /y",
        **(texts or {}),
    }
    publish(pages, {"media/c.mp4": clip}, site)
    return site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("serve") / "site")


@pytest.fixture(scope="module")
def client(site: Path) -> Iterator[httpx.Client]:
    with serving(application(site)) as base, httpx.Client(base_url=base) as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "held", "content_range"),
    [
        ("bytes=0-1", CLIP[:2], f"bytes 0-1/{len(CLIP)}"),
        ("bytes=250-259", CLIP[250:260], f"bytes 250-259/{len(CLIP)}"),
        ("bytes=10000-", CLIP[10000:], f"bytes 10000-{len(CLIP) - 1}/{len(CLIP)}"),
        ("bytes=-7", CLIP[-7:], f"bytes {len(CLIP) - 7}-{len(CLIP) - 1}/{len(CLIP)}"),
        ("bytes=0-999999", CLIP, f"bytes 0-{len(CLIP) - 1}/{len(CLIP)}"),
    ],
)
def test_a_range_is_answered_with_its_bytes(
    client: httpx.Client, asked: str, held: bytes, content_range: str
) -> None:
    answer = client.get("/media/c.mp4", headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.content == held
    assert answer.headers["content-range"] == content_range
    assert answer.headers["content-length"] == str(len(held))
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["cache-control"] == policy.FOREVER


@pytest.mark.parametrize(
    "asked", ["items=0-1", "bytes=abc", "bytes=5-2", "5-2", "bytes=", "bytes=0-1,9-8", "bytes=-"]
)
def test_what_is_no_range_of_bytes_is_ignored(client: httpx.Client, asked: str) -> None:
    """RFC 9110, 14.1.1 and 14.2: invalid ranges and other units are as if not sent."""
    answer = client.get("/media/c.mp4", headers={"Range": asked})
    assert answer.status_code == 200
    assert answer.content == CLIP


def test_a_range_beyond_the_end_is_refused_with_the_length(client: httpx.Client) -> None:
    answer = client.get("/media/c.mp4", headers={"Range": f"bytes={len(CLIP)}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CLIP)}"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
    kept = client.get("/media/c.mp4", headers={"Range": "bytes=0-1"})
    assert kept.headers["cache-control"] == policy.FOREVER


def test_a_range_of_something_that_changed_is_the_whole(client: httpx.Client) -> None:
    """If-Range keeps a browser from joining bytes of two files."""
    tag = client.head("/media/c.mp4").headers["etag"]
    for given, status in ((tag, 206), ('"other"', 200), (f"W/{tag}", 200)):
        answer = client.get("/media/c.mp4", headers={"Range": "bytes=0-1", "If-Range": given})
        assert answer.status_code == status, given
        assert answer.content == (CLIP[:2] if status == 206 else CLIP)


def test_head_tells_what_get_would_send(client: httpx.Client) -> None:
    for path in ("/", "/media/c.mp4", "/nope"):
        head, get = client.head(path), client.get(path)
        assert head.content == b""
        assert head.status_code == get.status_code, path
        assert {**head.headers, "date": ""} == {**get.headers, "date": ""}, path


def test_the_etag_is_the_hash_of_the_bytes(client: httpx.Client) -> None:
    for path in ("/", "/method/", "/media/c.mp4", "/manifest.json"):
        answer = client.get(path)
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'


@pytest.mark.parametrize("form", ["{}", "W/{}", '"a", {}', "*"])
def test_what_a_browser_has_is_not_sent_again(client: httpx.Client, form: str) -> None:
    tag = client.head("/").headers["etag"]
    answer = client.get("/", headers={"If-None-Match": form.format(tag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == tag
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert client.get("/", headers={"If-None-Match": '"other"'}).status_code == 200


def test_what_did_not_change_since_is_not_sent_again(client: httpx.Client, site: Path) -> None:
    """RFC 9110, 13.1.3: the file's own time and later ones; never where a tag is told, or where the
    date is none."""
    path = site / "media" / "c.mp4"
    changed_s = path.stat().st_mtime
    said = client.head("/media/c.mp4").headers["last-modified"]
    assert said == formatdate(changed_s, usegmt=True)
    later, earlier = (formatdate(changed_s + by, usegmt=True) for by in (86_400, -1))
    for headers, status in (
        ({"If-Modified-Since": said}, 304),
        ({"If-Modified-Since": later}, 304),
        ({"If-Modified-Since": said, "Range": "bytes=0-1"}, 304),
        ({"If-Modified-Since": earlier}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Modified-Since": "Mon, 99999999999 Jan 2026 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "Mon, 99 Xyz 2026 99:99:99 GMT"}, 200),
        ({"If-Modified-Since": said, "If-None-Match": '"other"'}, 200),
    ):
        answer = client.get("/media/c.mp4", headers=headers)
        assert answer.status_code == status, headers
        assert answer.content == (CLIP if status == 200 else b""), headers
        assert answer.headers["cache-control"] == policy.FOREVER


def test_an_unknown_address_has_the_policy_of_the_404_page(tmp_path: Path) -> None:
    """Of a site with pages that may be framed, whose rules name a policy for each top folder."""
    allowed = policy.content_policy([])
    names = ["index.html", "404.html", "embed/a/index.html", "media/c.mp4"]
    headers = policy.headers(allowed, names)
    page = {"embed/a/index.html": "<p>framed</p>", "_headers": headers}
    with serving(application(make(tmp_path / "site", texts=page))) as base:
        for path in ("/nope", "/nope/deeper/", "/media/nope.mp4", "/embed/nope/", "/_headers"):
            answer = httpx.get(base + path)
            assert answer.status_code == 404
            told = answer.headers["content-security-policy"]
            framers = "*" if path.startswith("/embed/") else "'none'"
            assert told == f"{allowed}; frame-ancestors {framers}", path
            assert "immutable" not in answer.headers["cache-control"]


def test_the_same_bytes_keep_their_etag_over_a_build(tmp_path: Path) -> None:
    site = make(tmp_path / "site")
    with serving(application(site)) as base, httpx.Client(base_url=base) as client:
        before = {path: client.head(path).headers["etag"] for path in ("/", "/method/")}
        make(site, texts={"method/index.html": "<p>better</p>"})
        after = {path: client.head(path).headers["etag"] for path in ("/", "/method/")}
        assert client.get("/method/").text == "<p>better</p>"
    assert before["/"] == after["/"]
    assert before["/method/"] != after["/method/"]


@pytest.mark.parametrize(
    "path",
    [
        *("/nope", "/_headers", "/_redirects", "/.git/config", "/method/nope/", "/media/"),
        *("/media/nope.mp4", "/..%2f..%2fclip", "/%2e%2e/clip", "//etc/passwd", "/method//"),
        *("/index.html/", "/media%00c.mp4"),
    ],
)
def test_what_is_not_published_is_answered_with_the_sites_404_page(
    client: httpx.Client, path: str
) -> None:
    tag = client.head("/404.html").headers["etag"]
    for headers in ({}, {"If-None-Match": "*"}, {"If-None-Match": tag}, {"Range": "bytes=0-1"}):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 404, headers
        assert answer.text == "<p>no such page</p>"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == "default-src 'self'"
        assert "immutable" not in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/../clip", "/../../etc/passwd", "/media/../../clip", "\\clip"])
def test_no_path_leads_out_of_the_site(client: httpx.Client, path: str) -> None:
    """Sent as it stands: clients tidy such addresses up before they ask."""
    line = http.client.HTTPConnection(urlsplit(str(client.base_url)).netloc, timeout=10)
    line.putrequest("GET", path, skip_host=False)
    line.endheaders()
    answer = line.getresponse()
    assert answer.status in (400, 404)
    assert CLIP[:10] not in answer.read()
    line.close()


def test_pages_stand_under_their_folders(client: httpx.Client) -> None:
    assert client.get("/method/").text == "<p>method</p>"
    assert client.get("/a%20b/%C3%BC.html").text == "<p>odd name</p>"
    moved = client.get("/method?a=1")
    assert (moved.status_code, moved.headers["location"]) == (307, "/method/?a=1")


def test_only_reading_is_allowed(client: httpx.Client) -> None:
    answer = client.post("/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_pages_are_asked_for_again_and_hashed_files_never(client: httpx.Client) -> None:
    assert client.get("/").headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert client.get("/media/c.mp4").headers["cache-control"] == policy.FOREVER


def test_a_site_in_a_folder_of_its_host_is_served_there(tmp_path: Path) -> None:
    """Its 404 page names its styles from the host's root, so it must stand where it says."""
    robots = "User-agent: *\nAllow: /\n\nSitemap: https://example.org/deep/down/sitemap.xml\n"
    site = make(tmp_path / "site", texts={"robots.txt": robots})
    with serving(application(site)) as base, httpx.Client(base_url=base) as client:
        assert client.get("/").headers["location"] == "/deep/down/"
        assert client.get("/deep/down").headers["location"] == "/deep/down/"
        assert client.get("/deep/down/method/").text == "<p>method</p>"
        assert client.get("/deep/down/media/c.mp4").headers["cache-control"] == policy.FOREVER
        assert client.get("/deep/").status_code == 404
        assert client.get("/method/").text == "<p>no such page</p>"


def test_several_rules_for_one_header_all_count() -> None:
    """As with hosts that join them: two policies are both enforced."""
    rules = header_rules("/*\n  X: 1\n  Y: a\n  Y: b\n/c/*\n  x: 2\n")
    assert headers_for("/", rules) == {"x": "1", "y": "a, b"}
    assert headers_for("/c/d", rules) == {"x": "1, 2", "y": "a, b"}


def test_a_site_that_is_not_there_yet_says_so(tmp_path: Path) -> None:
    with serving(application(tmp_path / "site")) as base:
        assert httpx.get(base).status_code == 503
        make(tmp_path / "site")
        assert httpx.get(base).text == "<p>home</p>"


def test_no_answer_mixes_two_sites(tmp_path: Path) -> None:
    """Sites of different lengths take turns under many requests; every answer is one of theirs,
    with the tag that belongs to it."""
    editions = {
        f'"{hashlib.sha256(text.encode()).hexdigest()}"': text
        for text in (letter * length for letter, length in (("a", 10), ("b", 200_000), ("c", 999)))
    }
    site = tmp_path / "site"
    make(site, texts={"index.html": "a" * 10})
    failures: list[str] = []
    seen: set[str] = set()
    done = threading.Event()

    def ask(base: str) -> None:
        with httpx.Client(base_url=base) as client:
            while not done.is_set():
                try:
                    answer = client.get("/")
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                    continue
                seen.add(answer.headers["etag"])
                if editions.get(answer.headers["etag"]) != answer.text:
                    failures.append(f"{answer.status_code}: {len(answer.text)} bytes")

    with serving(application(site)) as base:
        threads = [threading.Thread(target=ask, args=(base,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(30):
            for text in editions.values():
                make(site, texts={"index.html": text})
        done.set()
        for thread in threads:
            thread.join(timeout=60)
    assert failures == []
    assert seen == set(editions)


def test_no_file_stays_open(client: httpx.Client) -> None:
    """Answered, refused, not modified, broken off: every way to answer closes what it opened."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("needs /proc to count open files")
    client.get("/media/c.mp4")
    before = len(list(folder.iterdir()))
    for _ in range(20):
        client.get("/media/c.mp4")
        client.head("/media/c.mp4")
        client.get("/media/c.mp4", headers={"Range": "bytes=99999-"})
        client.get("/media/c.mp4", headers={"If-None-Match": "*"})
        client.get("/media/c.mp4", headers={"If-Modified-Since": formatdate(usegmt=True)})
        client.get("/nope")
        with client.stream("GET", "/media/c.mp4"):
            pass
    assert len(list(folder.iterdir())) <= before + 3


def test_no_header_is_ordered_twice_for_any_path_of_the_golden_site() -> None:
    """Hosts disagree about what that would mean, so it must not happen."""
    golden = Path(__file__).resolve().parents[1] / "golden"
    rules = header_rules((golden / "_headers").read_text("utf-8"))
    paths = ["/", "/media/x.mp4", "/assets/x/js/main.js", "/no/such/page"]
    paths += [f"/{path.relative_to(golden).as_posix()}" for path in golden.rglob("*")]
    for path in paths:
        matching = [
            headers for pattern, headers in rules if headers_for(path, [(pattern, headers)])
        ]
        names = [name for headers in matching for name in headers]
        assert len(names) == len(set(names)), path


# The command: a real process, a real change on disk.


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@contextmanager
def command(root: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """A running `serve`, its address, and the file with what it says."""
    port = free_port()
    said = root.parent / "said"
    with said.open("wb") as stream:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "generator",
                "serve",
                "--root",
                root,
                "--port",
                str(port),
                *options,
            ],
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=heed_interrupts,
            start_new_session=True,
        )
    try:
        yield process, f"http://127.0.0.1:{port}/sample/", said
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        finally:
            process.kill()


def answers(address: str) -> str:
    try:
        return httpx.get(address).text
    except httpx.TransportError:
        return ""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "sample")
    return tmp_path / "sample"


def test_a_change_is_built_and_a_mistake_keeps_the_old_site(root: Path) -> None:
    """No site yet: built first. Then a change, a mistake with its complaint, and its repair."""
    settings = root / "content" / "site.toml"
    with command(root) as (process, address, said):
        until(lambda: "Sample" in answers(address), "the site was not built and served")
        good = settings.read_text()
        settings.write_text(good.replace("Small enough", "Surely small enough"))
        until(lambda: "Surely small" in answers(address), "a change was not built")
        settings.write_text(good.replace("tagline", "tagilne"))
        until(lambda: 'did you mean "tagline"?' in said.read_text(), "a mistake was not named")
        assert "Surely small" in answers(address)
        settings.write_text(good.replace("Small enough", "Mended: small enough"))
        until(lambda: "Mended: small" in answers(address), "the repair was not built")
        own = root / "templates" / "pages"
        own.mkdir(parents=True)
        page = (SAMPLE.parents[1] / "templates" / "pages" / "home.html").read_text()
        (own / "home.html").write_text(
            page.replace("{% block content %}", "{% block content %}OURS")
        )
        until(lambda: "OURS" in answers(address), "a template of one's own was not noticed")
        builds = said.read_text().count("building")
        table = root / "content" / "runs" / "cards" / "clips.csv"
        table.read_bytes()
        os.link(table, root / "linked")
        (root / "site-notes.txt").write_text("not watched")
        time.sleep(1.5)
        assert said.read_text().count("building") == builds, "built although nothing changed"
        assert process.poll() is None
    assert "Traceback" not in said.read_text()


def test_a_change_made_while_another_build_is_under_way_is_built_after_it(root: Path) -> None:
    """The other build read the old content: what it leaves is not what was written since."""
    settings = root / "content" / "site.toml"
    with command(root) as (process, address, said):
        until(lambda: "Sample" in answers(address), "the site was not built and served")
        with write.only_builder(root / ".cache"):
            text = settings.read_text()
            settings.write_text(text.replace("Small enough", "Later: small enough"))
            until(lambda: "another build" in said.read_text(), "nothing was said of the wait")
        until(lambda: "Later: small" in answers(address), "the change was lost", seconds=20)
        assert said.read_text().count("another build") == 1
        assert process.poll() is None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_server_and_the_build_under_way(
    root: Path, how: signal.Signals
) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc to look for what still runs")
    with command(root) as (process, address, said):
        until(lambda: "Sample" in answers(address), "the site was not built and served")
        before = (root / "site" / "manifest.json").read_bytes()
        table = root / "content" / "runs" / "cards" / "clips.csv"
        table.write_text(table.read_text() + "long,declared,test-card,,1920x1080,30,130\n")
        until(lambda: running("ffmpeg", str(root)), "no encode began")
        process.send_signal(how)
        process.wait(timeout=60)
    until(lambda: not running(str(root)), "something outlived the server", seconds=30)
    assert "Traceback" not in said.read_text()
    assert (root / "site" / "manifest.json").read_bytes() == before


def test_without_watching_nothing_is_built(root: Path) -> None:
    with command(root, "--no-watch") as (process, _, said):
        assert process.wait(timeout=90) == 2
    assert "run `python -m generator build` first" in said.read_text()
    assert not (root / "site").exists()


def test_content_that_cannot_be_built_at_first_ends_with_its_complaints(root: Path) -> None:
    settings = root / "content" / "site.toml"
    settings.write_text(settings.read_text().replace("tagline", "tagilne"))
    with command(root) as (process, _, said):
        assert process.wait(timeout=90) == 1
    assert 'did you mean "tagline"?' in said.read_text()


def test_a_site_older_than_its_content_is_built_at_once(root: Path) -> None:
    build = (sys.executable, "-m", "generator", "build", "--root", str(root))
    subprocess.run(build, check=True, capture_output=True, timeout=60)
    settings = root / "content" / "site.toml"
    settings.write_text(settings.read_text().replace("Small enough", "Newer: small enough"))
    with command(root) as (_, address, _):
        until(lambda: "Newer: small" in answers(address), "the older site was left as it is")
        names = json.loads(httpx.get(f"{address}manifest.json").text)["files"]
    assert policy.FOREVER in (root / "site" / "_headers").read_text()
    assert "_headers" in names
