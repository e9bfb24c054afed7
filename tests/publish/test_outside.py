"""`check --url` finds what is wrong with a host, against hosts that are wrong in known ways."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import jsonschema
import pytest
from browser.loopback import serving
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from generator import build as building
from generator.cli import main
from generator.project import Project
from generator.publish import probe as probing
from generator.publish.probe import Bounds, Check, Outcome, Report, probe
from generator.publish.serve import application

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
PATH = "/sample/"
"""Where the sample's base URL says that it stands."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("probe") / "sample"
    shutil.copytree(SAMPLE, root)
    building.build(Project(root=root), building.Options())
    return root / "site"


def clip(site: Path) -> str:
    return sorted((site / "media").glob("*.mp4"))[0].relative_to(site).as_posix()


def faults(report: Report, outcome: Outcome = Outcome.FAILS) -> list[Check]:
    return [check for check in report.checks if check.outcome is outcome]


def said(report: Report, outcome: Outcome = Outcome.FAILS) -> list[tuple[str, str, str]]:
    return [(one.id, one.subject, one.found) for one in faults(report, outcome)]


Change = Callable[[Scope, Message], Message]


def altered(app: ASGIApp, path: str, change: Change) -> ASGIApp:
    """`app`, whose messages for one path (or all: "") are changed on their way."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def changed(message: Message) -> None:
            hit = path in ("", scope["path"].removeprefix(PATH))
            await send(change(scope, message) if hit else message)

        await app(scope, receive, changed)

    return answer


def instead(app: ASGIApp, path: str, other: ASGIApp) -> ASGIApp:
    """`app`, with another one at one path."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        here = scope["path"] == PATH + path
        await (other if here else app)(scope, receive, send)

    return answer


def without(*names: str) -> Change:
    def change(scope: Scope, message: Message) -> Message:
        headers = [one for one in message.get("headers", []) if one[0].decode() not in names]
        return {**message, "headers": headers}

    return change


def with_header(name: str, value: str) -> Change:
    def change(scope: Scope, message: Message) -> Message:
        if message["type"] != "http.response.start":
            return message
        kept = without(name)(scope, message)
        return {**kept, "headers": [*kept["headers"], (name.encode(), value.encode())]}

    return change


def with_body(change_body: Callable[[bytes], bytes]) -> Change:
    def change(scope: Scope, message: Message) -> Message:
        if message["type"] == "http.response.start":
            return without("content-length")(scope, message)
        return {**message, "body": change_body(message.get("body", b""))}

    return change


def look(app: ASGIApp, **options: object) -> Report:
    with serving(app) as base:
        return probe(base + PATH, **options)  # type: ignore[arg-type]


def test_a_site_as_it_was_built_has_no_fault(site: Path) -> None:
    """Below the path of its base URL, every file of it, links and 404 page included."""
    report = look(application(site))
    assert faults(report) == []
    assert [one.id for one in faults(report, Outcome.NOTED)] == ["base-url"]  # not there yet
    manifest = json.loads((site / "manifest.json").read_text())["files"]
    counts = Counter(check.id for check in report.checks)
    asked = len(manifest) - len({"_headers", "404.html"})
    assert counts["answers"] == counts["bytes"] == counts["type"] == asked
    assert counts["headers"] == asked + 1  # the 404 page
    assert counts["range"] == len(list((site / "media").glob("*.mp4")))
    assert counts["links"] == counts["requests"] == len(list(site.rglob("*.html")))


def test_a_site_that_takes_itself_to_be_elsewhere_is_told_so(site: Path, tmp_path: Path) -> None:
    """Whoever leads there reads no page of this site; under its own address all is well."""
    with serving(application(site)) as base:
        local = probe(base + PATH)
        there = base.replace("127.0.0.1", "0.0.0.0") + PATH  # leads to the same, by another name
        report = probe(there)
    (fault,) = faults(report)
    stated = "https://example.org/sample/"
    assert (fault.id, fault.found) == ("base-url", f"the home page says that it is {stated}")
    assert there in fault.expected
    assert "base_url in content/site.toml" in fault.expected
    assert not local.failed
    root = tmp_path / "sample"
    shutil.copytree(site.parent, root)
    rules = dict.fromkeys(("base-url",), Outcome.OK)
    with serving(application(root / "site")) as base:
        there = base.replace("127.0.0.1", "0.0.0.0") + PATH
        building.build(Project(root=root), building.Options(base_url=there))
        report = probe(there)
    assert {one.id: one.outcome for one in report.checks if one.id in rules} == rules


def test_a_site_below_a_path_with_a_space_is_built_served_and_found_sound(tmp_path: Path) -> None:
    """Written as people write it or as addresses are: hosts see both as the same path."""
    root = tmp_path / "sample"
    shutil.copytree(SAMPLE, root)
    sites = []
    for below in ("a b/\u00fc", "a%20b/%C3%BC"):
        options = building.Options(base_url=f"https://example.org/{below}/")
        building.build(Project(root=root), options)
        with serving(application(root / "site")) as base:
            assert httpx.get(base, follow_redirects=True).url.path == "/a b/\u00fc/"
            report = probe(f"{base}/a%20b/%C3%BC/")
        assert faults(report) == []
        assert [one.id for one in faults(report, Outcome.NOTED)] == ["base-url"]  # it is looked at
        sites.append((root / "site" / "404.html").read_text("utf-8"))
    assert sites[0] == sites[1]


def test_a_host_that_compresses_is_sound(site: Path) -> None:
    compressing = GZipMiddleware(application(site), minimum_size=1)
    with serving(compressing) as base:
        encoding = httpx.get(base + PATH).headers["content-encoding"]
        assert (encoding, faults(probe(base + PATH))) == ("gzip", [])


@contextmanager
def plain_python_server(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(timeout=10)


def test_pythons_own_server_knows_neither_range_nor_headers(site: Path, tmp_path: Path) -> None:
    """It answers ranges with the whole file, and its own 404 page: browsers could not seek."""
    (tmp_path / "sample").symlink_to(site)
    with plain_python_server(tmp_path) as base:
        strict, plain = probe(base + PATH), probe(base + PATH, plain_host=True)
    clips = {path.relative_to(site).as_posix() for path in (site / "media").glob("*.mp4")}
    for report in (strict, plain):
        found = {one.subject: one.found for one in faults(report) if one.id == "range"}
        assert found == dict.fromkeys(clips, "200")
    assert {one.id for one in faults(strict)} == {"range", "missing-page", "headers"}
    assert {one.id for one in faults(plain)} == {"range"}
    noted = {one.id for one in faults(plain, Outcome.NOTED)}
    assert noted == {"headers", "missing-page", "range-beyond", "base-url"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda body: body[:-1] + bytes([body[-1] ^ 1]) if body else b"", "sha256"),
        (lambda body: body[:-1], "bytes"),
        (lambda body: body + b"!" if body else b"", "or more"),
    ],
    ids=["another bit", "shorter", "longer"],
)
def test_other_bytes_than_those_built_are_found(
    site: Path, change: Callable[[bytes], bytes], found: str
) -> None:
    name = sorted((site / "media").glob("*.webp"))[0].relative_to(site).as_posix()
    for plain_host in (False, True):
        report = look(altered(application(site), name, with_body(change)), plain_host=plain_host)
        ((id_, subject, what),) = said(report)
        assert (id_, subject) == ("bytes", name)
        assert found in what


@pytest.mark.parametrize("name", ["content-security-policy", "x-content-type-options"])
def test_a_header_that_is_not_sent_is_a_fault_but_not_of_a_plain_host(
    site: Path, name: str
) -> None:
    app = altered(application(site), "", without(name))
    strict, plain = look(app), look(app, plain_host=True)
    assert {(one.id, one.found) for one in faults(strict)} == {("headers", f"{name}: not sent")}
    assert faults(plain) == []
    noted = {one.found for one in faults(plain, Outcome.NOTED) if one.id != "base-url"}
    assert noted == {f"{name}: not sent"}


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("", "content-security-policy", "default-src 'self' 'unsafe-inline'"),
        ("assets", "cache-control", "no-store"),
    ],
)
def test_a_weaker_header_is_a_fault(site: Path, path: str, name: str, value: str) -> None:
    if path:
        path = next((site / path).rglob("*.css")).relative_to(site).as_posix()
    report = look(altered(application(site), path, with_header(name, value)))
    assert f"{name}: {value.lower()}" in {one.found.lower() for one in faults(report)}


def test_spelling_of_headers_is_the_hosts_own(site: Path) -> None:
    app = application(site)
    name = clip(site)
    forever = with_header("cache-control", "Max-Age=31536000,  immutable, public")
    assert faults(look(altered(app, name, forever))) == []


def test_a_page_that_is_missing_or_moved_is_found(site: Path) -> None:
    gone = instead(application(site), "method/", PlainTextResponse("gone", 404))
    assert said(look(gone)) == [("answers", "method/", "404")]
    moved = instead(application(site), "method/", RedirectResponse(PATH + "method/", 302))
    assert said(look(moved)) == [("answers", "method/", f"302, moved to {PATH}method/")]


def test_a_site_that_only_ever_redirects_is_given_up(site: Path) -> None:
    async def loop(scope: Scope, receive: Receive, send: Send) -> None:
        await RedirectResponse(scope["path"])(scope, receive, send)

    report = look(loop)
    assert [(one.id, one.outcome) for one in report.checks] == [("address", Outcome.FAILS)]
    assert "moved to" in report.checks[0].found


def test_from_http_to_https_is_a_way_to_go(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one redirect that is followed: of the whole site, to the same place under https."""
    inside = httpx.ASGITransport(app=application(site))

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "http":
            return httpx.Response(
                301, headers={"Location": str(request.url.copy_with(scheme="https"))}
            )
        return await inside.handle_async_request(request)

    client = functools.partial(httpx.AsyncClient, transport=httpx.MockTransport(answer))
    monkeypatch.setattr(probing.httpx, "AsyncClient", client)
    report = probe("http://example.org/sample/")
    assert report.url == "https://example.org/sample/"
    assert faults(report) == []


async def silence(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def drip(scope: Scope, receive: Receive, send: Send) -> None:
    """A byte now and then: never silent for long, never done."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(10_000):
        await send({"type": "http.response.body", "body": b" ", "more_body": True})
        await asyncio.sleep(0.02)


def test_a_host_that_is_silent_or_never_done_is_left(site: Path) -> None:
    report = look(instead(application(site), "method/", silence), bounds=Bounds(silence_s=1))
    assert said(report) == [("answers", "method/", "silent for 1 s")]
    report = look(instead(application(site), "method/", drip), bounds=Bounds(total_s=5))
    (fault,) = faults(report)
    assert fault.id == "time"
    assert "1 of" in fault.found
    report = look(silence, bounds=Bounds(silence_s=1))
    assert said(report) == [("address", report.url, "silent for 1 s")]


def test_a_host_that_is_not_there_is_one_fault() -> None:
    report = probe("http://127.0.0.1:9/")
    assert [(one.id, one.outcome) for one in report.checks] == [("address", Outcome.FAILS)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (with_header("content-range", "bytes 0-1/7"), "206 with bytes 0-1/7"),
        (without("content-range"), "206 with no Content-Range"),
        (with_body(lambda body: b"??" if body else b""), "206 with other bytes"),
        (with_body(lambda body: body * 9), "206 with 18 bytes or more"),
    ],
    ids=["another length", "no length", "other bytes", "too many bytes"],
)
def test_a_range_answered_wrongly_is_found(site: Path, change: Change, found: str) -> None:
    name = clip(site)

    def only_ranges(scope: Scope, message: Message) -> Message:
        asked = dict(scope["headers"]).get(b"range", b"")
        return change(scope, message) if asked == b"bytes=0-1" else message

    report = look(altered(application(site), name, only_ranges))
    assert said(report) == [("range", name, found)]


def test_a_script_of_a_wrong_kind_is_found(site: Path) -> None:
    """Under nosniff it would not run."""
    name = next((site / "assets").rglob("main.js")).relative_to(site).as_posix()
    report = look(altered(application(site), name, with_header("content-type", "text/plain")))
    assert said(report) == [("type", name, "text/plain")]


def into_the_head(text: bytes) -> Change:
    return with_body(lambda body: body.replace(b"<title>", text + b"<title>"))


def test_what_a_host_adds_to_pages_is_noted_where_it_may(site: Path) -> None:
    added = into_the_head(b'<script src="https://cdn.example/x.js"></script><script>1</script>')
    app = altered(application(site), "method/", added)
    strict, plain = look(app), look(app, plain_host=True)
    assert [(one.id, one.subject) for one in faults(strict)] == [
        ("bytes", "method/"),
        ("requests", "method/"),
    ]
    assert faults(plain) == []
    noted = {one.id: one.found for one in faults(plain, Outcome.NOTED)}
    assert "https://cdn.example/x.js is another host's" in noted["requests"]
    assert "<script> would be blocked" in noted["requests"]


def test_a_link_that_leads_nowhere_is_a_fault_of_any_host(site: Path) -> None:
    app = altered(application(site), "method/", into_the_head(b'<a href="../nope/">x</a>'))
    for plain_host in (False, True):
        (fault,) = [one for one in faults(look(app, plain_host=plain_host)) if one.id == "links"]
        assert '"../nope/" leads nowhere' in fault.found


def test_a_host_of_another_sites_404_page_and_one_without_404(site: Path) -> None:
    nowhere = "no/such/page"
    other = look(instead(application(site), nowhere, PlainTextResponse("lost?", 404)))
    assert next((one.id, one.subject) for one in faults(other)) == ("missing-page", nowhere)
    home = look(instead(application(site), nowhere, PlainTextResponse("welcome", 200)))
    assert said(home) == [("missing", nowhere, "200")]


@pytest.mark.parametrize(
    "manifest",
    [b"<html>", b"{}", b"[]", b'{"version": 2, "files": {}}', b'{"version": 1, "files": [1]}'],
)
def test_what_is_no_manifest_is_said_to_be_none(site: Path, manifest: bytes) -> None:
    async def other(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(manifest)(scope, receive, send)

    report = look(instead(application(site), "manifest.json", other))
    assert [one.id for one in faults(report)] == ["manifest"]
    assert len(report.checks) == 2


def test_beyond_the_limit_clips_are_asked_for_ranges_only(site: Path) -> None:
    report = look(application(site), bounds=Bounds(total_bytes=0))
    skipped = faults(report, Outcome.SKIPPED)
    assert {one.id for one in skipped} == {"bytes"}
    assert not any(one.subject.endswith("/") for one in skipped)
    ranges = [one for one in report.checks if one.id == "range"]
    assert ranges
    assert faults(report) == []


# The command.


def test_the_command_exits_by_what_it_found(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(application(site)) as base:
        assert main(["check", "--url", base + PATH.rstrip("/")]) == 0
        assert "missing-page" in capsys.readouterr().out
        assert main(["check", "--url", f"{base}/elsewhere/"]) == 1
        assert "fails: address" in capsys.readouterr().out


def test_json_has_a_form_that_stays(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = altered(application(site), "", without("referrer-policy"))
    with serving(app) as base:
        assert main(["check", "--url", base + PATH, "--plain-host", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    schema = json.loads((SAMPLE.parents[1] / "docs" / "json.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    told = {name: value for name, value in document.items() if name != "checks"}
    assert told == {
        **{"version": 1, "command": "check", "exit_code": 0, "errors": [], "clips": None},
        "url": base + PATH,
    }
    for check in document["checks"]:
        assert check.keys() == {"id", "outcome", "subject", "found", "expected"}
        assert all(isinstance(value, str) for value in check.values())
        assert check["outcome"] in ("ok", "noted")
    assert sum(check["outcome"] == "noted" for check in document["checks"]) > 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--url", "example.org"], "no address of a site"),
        (["--url", "ftp://example.org/"], "no address of a site"),
        (["--url", "https://example.org/?a=1"], "no address of a site"),
        (["--url", "https://example.org/", "--strict"], "leave --root"),
        (["--plain-host"], "name its site with --url"),
    ],
)
def test_what_cannot_be_looked_at_exits_with_2(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *options]) == 2
    assert words in capsys.readouterr().err
