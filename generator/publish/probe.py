"""Look at a published site from outside: does its host serve what was built, as it was ordered?

Asks nothing but the site's own addresses, reads no local file, and takes the site's own
manifest.json for what there should be.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from html.parser import HTMLParser
from ipaddress import ip_address
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from generator.errors import UsageError
from generator.pages import policy
from generator.publish.check import problems
from generator.publish.serve import KINDS, UNSERVED, headers_for
from generator.publish.write import MANIFEST, MANIFEST_VERSION

NOT_FOUND = "404.html"
NOWHERE = "no/such/page"
"""An address that no site has."""
MAX_MANIFEST_BYTES = 64 << 20
MAX_ADDED_BYTES = 1 << 20
"""How much a host may add to a page before the page is given up."""
MAX_MOVES = 5
FETCHING_LINKS = {"stylesheet", "preload", "modulepreload", "icon", "apple-touch-icon", "manifest"}
FETCHING_TAGS = {"script", "img", "video", "audio", "source", "iframe", "embed", "track"}
PLAYING_TAGS = {"video", "audio", "source"}

Progress = Callable[[str, int, int], None]


class Outcome(StrEnum):
    OK = "ok"
    FAILS = "fails"
    NOTED = "noted"
    """The host does it its own way, and was allowed to."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing asked of the host. `found` and `expected` are empty where it answered well."""

    id: str
    outcome: Outcome
    subject: str
    """The address below the site's own; "" is the home page."""
    found: str = ""
    expected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a probe may take."""

    total_bytes: int = 500_000_000
    """Media beyond this sum are not downloaded; that they answer Range is checked all the same."""
    total_s: float = 600.0
    silence_s: float = 20.0
    """So long a host may be silent."""
    at_once: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    url: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> bool:
        return any(check.outcome is Outcome.FAILS for check in self.checks)


def probe(
    url: str,
    *,
    plain_host: bool = False,
    bounds: Bounds | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Report:
    """Ask a published site for everything its manifest names, and hold it against that.

    Args:
        plain_host: the host sends headers of its own choosing and may add to pages; that is
            noted, not failed.

    Raises:
        UsageError: `url` is no address of a site.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(
            f'--url "{url}": no address of a site; write one such as https://example.org/folder/'
        )
    address = url if url.endswith("/") else f"{url}/"
    visit = _Visit(url=address, plain_host=plain_host, bounds=bounds or Bounds(), progress=progress)
    asyncio.run(visit.run())
    return Report(url=visit.url, checks=visit.all_checks())


class _Entry(BaseModel):
    bytes: int
    sha256: str


class _Manifest(BaseModel):
    version: int
    files: dict[str, _Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came, or in `error` why nothing did."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = b""
    """As much of it as was asked to be kept."""
    length: int = 0
    cut: bool = False
    """There was more than there should be, and the rest was not read."""
    sha256: str = ""
    error: str = ""

    def fault(self, status: int) -> str:
        """Why this is no answer with `status`; "" when it is one."""
        if self.error or self.status == status:
            return self.error
        target = self.headers.get("location", "")
        return f"{self.status}" + (f", moved to {target}" if self.status < 400 and target else "")


@dataclass(slots=True, kw_only=True)
class _Visit:
    """One look at one site: what was asked so far, and what became of it."""

    url: str
    plain_host: bool
    bounds: Bounds
    progress: Progress
    files: dict[str, _Entry] = field(default_factory=dict)
    rules: tuple[tuple[str, dict[str, str]], ...] = ()
    policy: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    """Pages as they came."""
    altered: set[str] = field(default_factory=set)
    first: list[Check] = field(default_factory=list)
    by_file: dict[str, list[Check]] = field(default_factory=dict)
    last: list[Check] = field(default_factory=list)

    def all_checks(self) -> tuple[Check, ...]:
        each = (check for name in sorted(self.by_file) for check in self.by_file[name])
        return (*self.first, *each, *self.last)

    async def run(self) -> None:
        async with httpx.AsyncClient(
            timeout=self.bounds.silence_s,
            limits=httpx.Limits(max_connections=self.bounds.at_once),
            headers={"User-Agent": "matrix-archive-check"},
        ) as client:
            try:
                async with asyncio.timeout(self.bounds.total_s):
                    if await self._settle(client):
                        await self._ask_all(client)
            except TimeoutError:
                names = [name for name in self._asked() if name not in self.by_file]
                self.last.append(
                    Check(
                        id="time",
                        outcome=Outcome.FAILS,
                        subject="",
                        found=f"not done after {self.bounds.total_s:g} s: "
                        f"{len(names)} of {len(self._asked())} files not answered",
                        expected="a host that answers sooner, or a higher --time-limit",
                    )
                )
        self._judge_pages()

    def _asked(self) -> list[str]:
        """Files that hosts hand out under their own name, small ones first."""
        names = (name for name in self.files if name not in (*UNSERVED, NOT_FOUND))
        return sorted(names, key=lambda name: (self.files[name].bytes, name))

    async def _settle(self, client: httpx.AsyncClient) -> bool:
        """Find the manifest and the policy; without them there is nothing to hold against."""
        asked = self.url
        for _ in range(MAX_MOVES):
            answer = await self._get(
                client, MANIFEST, cap=MAX_MANIFEST_BYTES, keep=MAX_MANIFEST_BYTES
            )
            target = urljoin(self.url + MANIFEST, answer.headers.get("location", ""))
            upgraded = (self.url + MANIFEST).replace("http://", "https://", 1)
            if answer.status // 100 != 3 or target.replace(":443/", "/") != upgraded:
                break
            self.url = target.removesuffix(MANIFEST)
        self._first("address", not answer.fault(200), asked, answer.fault(200), "200")
        if answer.fault(200):
            return False
        fault = ""
        try:
            manifest = _Manifest.model_validate_json(answer.body)
            if manifest.version != MANIFEST_VERSION:
                fault = f"version {manifest.version}"
            self.files = manifest.files
        except ValidationError as error:
            fault = f"no manifest: {error.errors(include_url=False)[0]['msg']}"
        expected = f"the manifest of a build, version {MANIFEST_VERSION}"
        self._first("manifest", not fault, MANIFEST, fault, expected)
        if fault:
            return False
        home = await self._get(client, "", cap=MAX_ADDED_BYTES, keep=MAX_ADDED_BYTES)
        reader = _Reader.of(home.body.decode("utf-8", "replace"))
        named = reader.policies
        self._judge_base_url(reader.canonical)
        self.policy = named[0] if named else ""
        found = "" if named else "the home page names no Content-Security-Policy"
        self._first("policy", bool(named), "", found, "one <meta> with the policy of the build")
        ordered = policy.rules(self.policy, self.files) if named else {}
        self.rules = tuple(
            (pattern, {name.lower(): value for name, value in headers.items()})
            for pattern, headers in ordered.items()
        )
        return True

    def _judge_base_url(self, stated: str) -> None:
        """Whether the pages take themselves to be where they are: feeds, cards and search engines
        lead people to where they say. On this machine a site is looked at before it is there."""
        if not stated or _same_address(stated, self.url):
            self.first.append(_check("base-url", "", "", ""))
            return
        found = f"the home page says that it is {stated}"
        expected = f"{self.url}; set base_url in content/site.toml, or build with --base-url"
        noted = _on_this_machine(self.url)
        self.first.append(_check("base-url", "", found, expected, noted=noted))

    def _first(self, id_: str, good: bool, subject: str, found: str, expected: str) -> None:
        self.first.append(_check(id_, subject, "" if good else found, expected))

    async def _ask_all(self, client: httpx.AsyncClient) -> None:
        names = self._asked()
        free = asyncio.Semaphore(self.bounds.at_once)
        left = self.bounds.total_bytes
        whole: dict[str, bool] = {}
        for name in names:
            left -= self.files[name].bytes
            whole[name] = left >= 0 or name.endswith(".html")
        done = 0

        async def ask(name: str) -> None:
            nonlocal done
            async with free:
                self.by_file[name] = await self._ask(client, name, whole=whole[name])
            done += 1
            self.progress("asking", done, len(names))

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(ask(name))
        await self._ask_nowhere(client)
        await self._ask_beyond(client)

    async def _ask(self, client: httpx.AsyncClient, name: str, *, whole: bool) -> list[Check]:
        entry = self.files[name]
        path = _address(name)
        checks = []
        start, there = b"", True
        if whole:
            page = name.endswith(".html")
            cap = entry.bytes + (MAX_ADDED_BYTES if page else 0)
            answer = await self._get(client, path, cap=cap, keep=cap if page else 2)
            start, there = answer.body[:2], not answer.fault(200)
            checks += self._judge(name, answer)
        else:
            found = f"not downloaded: {entry.bytes:,} bytes, beyond the limit of what is"
            checks.append(Check(id="bytes", outcome=Outcome.SKIPPED, subject=path, found=found))
        if _plays(name) and entry.bytes > 1 and there:
            checks.append(await self._ask_range(client, path, entry, start))
        return checks

    def _judge(self, name: str, answer: _Answer) -> list[Check]:
        entry, path = self.files[name], _address(name)
        fault = answer.fault(200)
        checks = [_check("answers", path, fault, "200")]
        if fault:
            return checks
        same = (answer.length, answer.sha256) == (entry.bytes, entry.sha256)
        found = (
            f"{answer.length:,} bytes"
            + (" or more" if answer.cut else "")
            + (f", sha256 {answer.sha256[:16]}…" if answer.length == entry.bytes else "")
        )
        page = name.endswith(".html")
        checks.append(
            self._lenient(
                "bytes",
                path,
                "" if same else found,
                f"{entry.bytes:,} bytes, sha256 {entry.sha256[:16]}…",
                lenient=page,
            )
        )
        if page:
            self.texts[name] = answer.body.decode("utf-8", "replace")
            if not same:
                self.altered.add(name)
        checks.append(_judge_type(name, path, answer.headers.get("content-type", "")))
        checks += self._judge_headers(path, answer.headers)
        return checks

    def _judge_headers(self, path: str, sent: httpx.Headers) -> list[Check]:
        """A check for each header that is not as ordered; one that is well when all are."""
        wrong = []
        for name, value in headers_for(f"/{path}", self.rules).items():
            found = ", ".join(sent.get_list(name))
            if _parts(found) != _parts(value):
                found, expected = f"{name}: {found or 'not sent'}", f"{name}: {value}"
                wrong.append(self._lenient("headers", path, found, expected))
        return wrong or [_check("headers", path, "", "")]

    async def _ask_range(
        self, client: httpx.AsyncClient, path: str, entry: _Entry, start: bytes
    ) -> Check:
        answer = await self._get(client, path, cap=2, headers={"Range": "bytes=0-1"})
        told = answer.headers.get("content-range", "no Content-Range")
        expected = f"bytes 0-1/{entry.bytes}"
        fault = answer.fault(206)
        if not fault and told != expected:
            fault = f"206 with {told}"
        if not fault and answer.length != 2:
            fault = f"206 with {answer.length} bytes" + (" or more" if answer.cut else "")
        if not fault and start and answer.body != start:
            fault = "206 with other bytes"
        return _check("range", path, fault, f"206 with {expected} and these bytes")

    async def _ask_beyond(self, client: httpx.AsyncClient) -> None:
        """What comes after the end of a clip: a host may refuse, or ignore the question."""
        name = next((name for name in self._asked() if _plays(name)), None)
        if name is None:
            return
        size = self.files[name].bytes
        answer = await self._get(
            client, _address(name), cap=0, headers={"Range": f"bytes={size}-{size}"}
        )
        fault = answer.fault(416)
        told = answer.headers.get("content-range", "")
        if not fault and told != f"bytes */{size}":
            fault = f"416 with {told or 'no Content-Range'}"
        noted = Outcome.NOTED if fault else Outcome.OK
        expected = f"416 with bytes */{size}" if fault else ""
        self.last.append(
            Check(id="range-beyond", outcome=noted, subject=name, found=fault, expected=expected)
        )

    async def _ask_nowhere(self, client: httpx.AsyncClient) -> None:
        """An address that is not there: 404, and the site's own page for it."""
        entry = self.files.get(NOT_FOUND)
        cap = (entry.bytes if entry else 0) + MAX_ADDED_BYTES
        answer = await self._get(client, NOWHERE, cap=cap, keep=cap)
        fault = answer.fault(404)
        self.last.append(_check("missing", NOWHERE, fault, "404"))
        if fault or entry is None:
            return
        same = answer.sha256 == entry.sha256
        text = answer.body.decode("utf-8", "replace")
        ours = same or self.policy in _Reader.of(text).policies
        self.last.append(
            self._lenient(
                "missing-page",
                NOWHERE,
                "" if same else f"another page, {answer.length:,} bytes",
                f"the site's own page, {entry.bytes:,} bytes",
            )
        )
        self.last += self._judge_headers(NOWHERE, answer.headers)
        if ours:
            self.texts[NOT_FOUND] = text
            if not same:
                self.altered.add(NOT_FOUND)

    def _judge_pages(self) -> None:
        """Links lead to what is published; nobody else is asked for anything."""
        if not self.texts:
            return
        texts = dict(self.texts)
        others: dict[str, Path] = {}
        for name in {*self.files, MANIFEST} - set(texts):
            if name.endswith((".css", ".js")):
                texts[name] = ""  # its bytes are the build's own, which were read then
            else:
                others[name] = Path(name)
        base_path = unquote(urlsplit(self.url).path)
        dead: dict[str, list[str]] = {}
        for problem in problems(texts, others, base_path=base_path):
            page = next(
                (name for name in texts if problem.startswith((f"{name} ", f"{name}:"))), ""
            )
            dead.setdefault(page, []).append(problem)
        for name in sorted(self.texts):
            reader = _Reader.of(self.texts[name])
            path = _address(name)
            added = name in self.altered
            faults = dead.get(name, [])
            blocked = [fault for fault in faults if "security policy" in fault]
            links = "; ".join(fault for fault in faults if fault not in blocked)
            self.last.append(_check("links", path, links, "links to what is published"))
            strange = [
                *blocked,
                *reader.foreign(urljoin(self.url, path), self.policy),
                *(["another policy"] if reader.policies != [self.policy] else []),
            ]
            expected = "no request that the policy forbids"
            self.last.append(
                self._lenient("requests", path, "; ".join(strange), expected, lenient=added)
            )

    def _lenient(
        self, id_: str, subject: str, found: str, expected: str, *, lenient: bool = True
    ) -> Check:
        """A check that a plain host need not pass."""
        return _check(id_, subject, found, expected, noted=self.plain_host and lenient)

    async def _get(
        self,
        client: httpx.AsyncClient,
        path: str,
        *,
        cap: int,
        keep: int = 2,
        headers: Mapping[str, str] | None = None,
    ) -> _Answer:
        """The answer for a path below the site. Of its body not much more than `cap` bytes are
        read, and the first `keep` are kept."""
        given = dict(headers or {})
        if _plays(path):
            given["Accept-Encoding"] = "identity"
        digest, length, body = hashlib.sha256(), 0, bytearray()
        try:
            async with client.stream("GET", self.url + quote(path), headers=given) as answer:
                if not answer.is_redirect:
                    async for piece in answer.aiter_bytes():
                        digest.update(piece)
                        length += len(piece)
                        body += piece[: max(0, keep - len(body))]
                        if length > cap:
                            break
                return _Answer(
                    status=answer.status_code,
                    headers=answer.headers,
                    body=bytes(body),
                    length=length,
                    cut=length > cap,
                    sha256=digest.hexdigest(),
                )
        except httpx.TimeoutException:
            return _Answer(error=f"silent for {self.bounds.silence_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _Answer(error=str(error) or type(error).__name__)


def _same_address(one: str, other: str) -> bool:
    return httpx.URL(one) == httpx.URL(other)


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _check(id_: str, subject: str, found: str, expected: str, *, noted: bool = False) -> Check:
    if not found:
        return Check(id=id_, outcome=Outcome.OK, subject=subject)
    outcome = Outcome.NOTED if noted else Outcome.FAILS
    return Check(id=id_, outcome=outcome, subject=subject, found=found, expected=expected)


def _address(name: str) -> str:
    """Where a file is asked for: pages under their folder."""
    return name.removesuffix("index.html") if f"/{name}".endswith("/index.html") else name


def _plays(name: str) -> bool:
    return (guess_type(name)[0] or "").startswith(("video/", "audio/"))


def _judge_type(name: str, path: str, sent: str) -> Check:
    """Under `nosniff` a wrong kind is not run, styled, shown or played."""
    kind, _, rest = (part.strip().lower() for part in sent.partition(";"))
    expected = KINDS.get(Path(name).suffix) or guess_type(name)[0] or ""
    given = kind.replace("application/javascript", "text/javascript")
    charset = rest.removeprefix("charset=").strip('"') if rest.startswith("charset=") else ""
    text = name.endswith(".html")
    matters = expected.startswith(("text/html", "text/css", "text/javascript", "image/", "video/"))
    if matters and (given != expected or (text and charset not in ("", "utf-8"))):
        return _check("type", path, sent or "none", expected + ("; charset=utf-8" * text))
    return _check("type", path, "", "")


def _parts(value: str) -> list[str]:
    """A header's parts without the freedom that hosts have in writing them."""
    return sorted(" ".join(part.split()).lower() for part in value.replace(";", ",").split(","))


class _Reader(HTMLParser):
    """What a page would fetch without being asked, and the policies that it names."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.policies: list[str] = []
        self.canonical = ""
        self.fetched: list[tuple[int, str, str]] = []
        """(line, tag, address)."""

    @classmethod
    def of(cls, text: str) -> _Reader:
        reader = cls()
        reader.feed(text)
        reader.close()
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "meta" and given.get("http-equiv", "").lower() == "content-security-policy":
            self.policies.append(given.get("content", ""))
        if tag == "link" and "canonical" in given.get("rel", "").split():
            self.canonical = given.get("href", "")
        fetching = tag in FETCHING_TAGS or FETCHING_LINKS & set(given.get("rel", "").split())
        if not fetching or tag == "a":
            return
        line = self.getpos()[0]
        for name in ("src", "poster", "data-src", "href"):
            if name in given:
                self.fetched.append((line, tag, given[name]))
        for part in given.get("srcset", "").split(","):
            with suppress(IndexError):
                self.fetched.append((line, tag, part.split()[0]))

    def foreign(self, page: str, allowed: str) -> Iterable[str]:
        """Requests that leave the site's host, or its https, unless the policy has clips there."""
        here = urlsplit(page)
        playing = next((p for p in allowed.split("; ") if p.startswith("media-src ")), "").split()
        for line, tag, address in self.fetched:
            there = urlsplit(urljoin(page, address))
            if there.scheme in ("data", "blob"):
                continue
            origin = f"{there.scheme}://{there.netloc}"
            if here.scheme == "https" and there.scheme != "https":
                yield f"line {line}, <{tag}>: {address} is not https"
            elif (there.scheme, there.netloc) != (here.scheme, here.netloc) and not (
                tag in PLAYING_TAGS and origin in playing
            ):
                yield f"line {line}, <{tag}>: {address} is another host's"
