"""Downloads: a clip arrives whole and right, or not at all.

A download goes into `.<sha256>.part` beside its final name and takes that name only once its
bytes have the right hash and are on disk. A part that a killed run left behind is resumed where
the server can, begun again where it cannot, and removed when nobody wants it any more. The folder
is locked while it is filled, so that two runs never write the same part.

A redirect leads no further in than the row's own address stands: from a public host not to a
private network, and from neither to this machine. What counts is the address of each connection
that was made, looked at before anything is asked for, so a name that is resolved to something
else the second time gains nothing. Behind a proxy all connections are the proxy's, which decides.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import httpx

from generator.clips.disk import alone, flush
from generator.clips.hashes import sha256_of
from generator.clips.locate import CLIP_SUFFIXES, MAX_CLIP_BYTES
from generator.clips.progress import Progress
from generator.errors import FetchError
from generator.records import Clip

__all__ = ["FetchReport", "Fetched", "fetch"]

MAX_REDIRECTS = 5
ATTEMPTS = 4
BACKOFF_S = 0.5
"""Pause before the second attempt; it doubles with each further one."""
PATIENCE_S = 30.0
"""The longest pause that a server may ask for with Retry-After."""
OPENING = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""How a part is opened: never through a link."""
MIN_BYTES_PER_S = 1024
"""A server that sends less than this over a whole time-out is taken for a broken one."""
LONGEST_S = 6 * 3600.0
"""The longest time that one answer may take, however steadily it comes."""
LOCK = ".fetch.lock"
MAX_PORT = 65_535
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that arrived in this run."""

    sha256: str
    path: Path
    bytes: int
    resumed_at: int
    """Bytes that an earlier, broken run had left and that were used; 0 when there were none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchReport:
    """What a fetch did."""

    fetched: tuple[Fetched, ...]
    present: tuple[Path, ...]
    """Files that were at hand already, and whose hash is right."""
    unverifiable: tuple[str, ...]
    """Ids of clips that have an address but no sha256: they are never downloaded."""

    def __str__(self) -> str:
        size = sum(one.bytes for one in self.fetched) / 1e6
        lines = [
            f"{len(self.fetched)} downloaded ({size:.1f} MB), {len(self.present)} here already"
        ]
        if self.unverifiable:
            lines.append(
                f"not downloaded for want of a sha256 to check them by: "
                f"{', '.join(self.unverifiable)}"
            )
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    sha256: str
    urls: tuple[str, ...]


class _BrokenError(Exception):
    """An attempt failed in a way that another one may mend."""

    def __init__(self, why: str, pause_s: float | None = None) -> None:
        super().__init__(why)
        self.pause_s = pause_s


class _RefusedError(Exception):
    """The address does not lead to the clip: no further attempt will change that."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


class Reach(IntEnum):
    """How far in an address lies."""

    PUBLIC = 0
    PRIVATE = 1
    """A network that only its own machines reach."""
    THIS_MACHINE = 2
    """Loopback, and what machines ask of the host they run on (link-local)."""


def reach_of(address: str) -> Reach:
    """How far in the IP address of a connection lies; an address in another's clothes as itself."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        worn = ip.ipv4_mapped or ip.sixtofour
        if worn is None and ip in NAT64:
            worn = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        ip = worn or ip
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast:
        return Reach.THIS_MACHINE
    return Reach.PUBLIC if ip.is_global else Reach.PRIVATE


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
ReachOf = Callable[[str], Reach]


class _Trail:
    """The connections made for one address of a row, whatever it redirects to."""

    def __init__(self, reach_of: ReachOf) -> None:
        self._reach_of = reach_of
        self._first: Reach | None = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Hears what the HTTP library does; refuses a connection before anything is sent on it."""
        if event != "connection.connect_tcp.complete":
            return
        stream = info["return_value"]
        address = stream.get_extra_info("server_addr")[0]
        reach = self._reach_of(address)
        if self._first is None:
            self._first = reach
        if reach > self._first:
            await stream.aclose()
            raise _RefusedError(
                f"it redirects to {address}, which is "
                + (
                    "reached from this machine only"
                    if reach is Reach.THIS_MACHINE
                    else "in a private network"
                ),
                "write the public address of the file itself",
            )


def fetch(
    clips: Iterable[Clip],
    *,
    into: Path,
    at_hand: Mapping[str, Path] | None = None,
    on_progress: Progress | None = None,
    jobs: int = 4,
    timeout_s: float = 30.0,
    max_bytes: int = MAX_CLIP_BYTES,
    backoff_s: float = BACKOFF_S,
    longest_s: float = LONGEST_S,
    reach_of: ReachOf = reach_of,
) -> FetchReport:
    """Download every clip that has an address and a sha256 and is not here yet.

    `at_hand` are files by clip id that were found elsewhere, their hash verified; what is in
    `into` is found here. Files are named `<sha256><suffix of the address>`. `timeout_s` is the
    longest silence of a server; one that keeps dripping less than 1 kB/s for as long is given
    up, too, and so is one that takes longer than `longest_s`. `reach_of` tells public addresses
    from others. Clips with the same sha256 are one file, whose addresses are tried in turn.
    `on_progress` hears of "clips" and of "KiB".

    Raises:
        FetchError: with every clip that did not arrive; all others did. Or another fetch fills
            `into` at this moment, or nothing can be written there.
    """
    clips, at_hand = list(clips), at_hand or {}
    found = {clip.sha256: at_hand[clip.id] for clip in clips if clip.id in at_hand and clip.sha256}
    wanted = [one for one in _wanted(clips) if one.sha256 not in found]
    tell = _Teller(on_progress, total=len(wanted))
    work = _Work(
        into=into,
        tell=tell,
        timeout_s=timeout_s,
        max_bytes=max_bytes,
        backoff_s=backoff_s,
        longest_s=longest_s,
        reach_of=reach_of,
    )
    try:
        with alone(into / LOCK) as ours:
            if not ours:
                raise FetchError(f"{into}: another fetch is under way; wait for it to end")
            _sweep(into, keep={one.sha256 for one in wanted})
            results = asyncio.run(work.run(wanted, jobs))
    except OSError as error:
        raise FetchError(
            f"{into}: downloads cannot be kept there ({error.strerror}); make it a folder that "
            "can be written"
        ) from error
    failures = [text for text in results if isinstance(text, str)]
    if failures:
        raise FetchError(
            f"{len(failures)} of {len(wanted)} clips did not arrive:\n" + "\n".join(failures)
        )
    return FetchReport(
        fetched=tuple(one for one in results if isinstance(one, Fetched)),
        present=(*found.values(), *(one for one in results if isinstance(one, Path))),
        unverifiable=tuple(
            clip.id
            for clip in clips
            if clip.url and not (clip.sha256 or clip.no_clip or clip.id in at_hand)
        ),
    )


def _wanted(clips: Sequence[Clip]) -> list[_Wanted]:
    urls: dict[str, list[str]] = {}
    for clip in clips:
        if clip.sha256 and clip.url:
            known = urls.setdefault(clip.sha256, [])
            if clip.url not in known:
                known.append(clip.url)
    return [_Wanted(sha256=sha256, urls=tuple(known)) for sha256, known in urls.items()]


def _part(into: Path, sha256: str) -> Path:
    return into / f".{sha256}.part"


def _sweep(into: Path, *, keep: set[str]) -> None:
    """Remove parts that nobody wants any more."""
    for path in into.glob(".*.part"):
        if path.name[1:-5] not in keep:
            path.unlink(missing_ok=True)


def _drop_if_empty(part: Path) -> bool:
    """Whether nothing has arrived in this part; it is then removed."""
    if part.exists() and part.stat().st_size > 0:
        return False
    part.unlink(missing_ok=True)
    return True


class _Teller:
    """Adds up what all downloads have done."""

    def __init__(self, on_progress: Progress | None, *, total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._done = 0
        self._received: dict[str, int] = {}
        self._expected: dict[str, int] = {}

    def bytes(self, sha256: str, received: int, expected: int) -> None:
        self._received[sha256] = received
        self._expected[sha256] = max(expected, received)
        if self._on_progress:
            done, total = sum(self._received.values()), sum(self._expected.values())
            self._on_progress("KiB", done // 1024, total // 1024)

    def clip(self) -> None:
        self._done += 1
        if self._on_progress:
            self._on_progress("clips", self._done, self._total)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    into: Path
    tell: _Teller
    timeout_s: float
    max_bytes: int
    backoff_s: float
    longest_s: float
    reach_of: ReachOf

    async def run(self, wanted: Sequence[_Wanted], jobs: int) -> list[Fetched | Path | str]:
        """Per clip: what arrived, the file that was there, or why there is none."""
        turn = asyncio.Semaphore(jobs)
        timeout = httpx.Timeout(self.timeout_s)
        async with httpx.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"Accept": "video/*, */*;q=0.5", "Accept-Encoding": "identity"},
            event_hooks={"response": [_check_redirect]},
        ) as client:

            async def one(clip: _Wanted) -> Fetched | Path | str:
                async with turn:
                    result = await self._one(client, clip)
                self.tell.clip()
                return result

            return list(await asyncio.gather(*map(one, wanted)))

    async def _one(self, client: httpx.AsyncClient, clip: _Wanted) -> Fetched | Path | str:
        failures = []
        try:
            present = await asyncio.to_thread(self._present, clip)
            if present is not None:
                return present
            for url in clip.urls:
                try:
                    return await self._persist(client, clip, url)
                except _RefusedError as refused:
                    failures.append(f"{url}: {refused}; {refused.remedy}")
                finally:
                    _drop_if_empty(_part(self.into, clip.sha256))
        except OSError as error:
            return (
                f"{clip.urls[0]}: cannot be written to {self.into} ({error.strerror}); "
                "make room there"
            )
        return "\n".join(failures)

    def _present(self, clip: _Wanted) -> Path | None:
        """The file when it is here; a copy that rotted on the disk is removed."""
        for path in sorted(self.into.glob(f"{clip.sha256}*")):
            if sha256_of(path) == clip.sha256:
                return path
            path.unlink()
        return None

    async def _persist(self, client: httpx.AsyncClient, clip: _Wanted, url: str) -> Fetched:
        """Try until it works or there is no hope."""
        trail = _Trail(self.reach_of)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._attempt(client, clip, url, trail)
            except _BrokenError as broken:
                if attempt == ATTEMPTS:
                    nothing = _drop_if_empty(_part(self.into, clip.sha256))
                    raise _RefusedError(
                        f"{broken}, {ATTEMPTS} times",
                        "try again later" + ("" if nothing else "; what arrived is kept"),
                    ) from broken
                pause = self.backoff_s * 2 ** (attempt - 1)
                await asyncio.sleep(pause if broken.pause_s is None else broken.pause_s)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(
        self, client: httpx.AsyncClient, clip: _Wanted, url: str, trail: _Trail
    ) -> Fetched:
        part = _part(self.into, clip.sha256)
        with os.fdopen(os.open(part, OPENING, 0o644), "r+b") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
            start = size = file.tell()
            if digest.hexdigest() != clip.sha256:
                async with self._answer(client, url, start, trail) as answer:
                    _check_transient(answer)
                    if not _goes_on(answer, start):
                        asked, start, size = start, 0, 0
                        file.seek(0)
                        file.truncate()
                        digest = hashlib.sha256()
                        _check_answer(answer, asked_for_part=asked > 0)
                    expected = start + (_declared(answer) or 0)
                    self._check_size(expected)
                    async for block in self._blocks(answer):
                        file.write(block)
                        digest.update(block)
                        size += len(block)
                        self._check_size(size)
                        self.tell.bytes(clip.sha256, size, expected)
                if digest.hexdigest() != clip.sha256:
                    file.truncate(0)
                    if start:
                        raise _BrokenError("what an earlier attempt had left fits nothing there")
                    raise _wrong(answer, size, digest.hexdigest(), clip.sha256)
            file.flush()
            os.fsync(file.fileno())
        final = self.into / (clip.sha256 + _suffix(url))
        part.replace(final)
        flush(self.into)
        return Fetched(sha256=clip.sha256, path=final, bytes=size, resumed_at=start)

    @asynccontextmanager
    async def _answer(
        self, client: httpx.AsyncClient, url: str, start: int, trail: _Trail
    ) -> AsyncIterator[httpx.Response]:
        """The server's answer from byte `start` on, when it is one that can hold a clip."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            async with asyncio.timeout(self.timeout_s * (MAX_REDIRECTS + 1)):
                request = client.build_request("GET", url, headers=headers)
                request.extensions["trace"] = trail
                answer = await self._followed(client, request)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise _BrokenError(f"no answer within {self.timeout_s:g} s") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise _RefusedError(
                "it does not lead to http or https", "write an address that begins with https://"
            ) from error
        except httpx.TransportError as error:
            raise _BrokenError(_said("the connection failed", error)) from error
        try:
            yield answer
        except httpx.TimeoutException as error:
            raise _BrokenError(f"nothing came for {self.timeout_s:g} s") from error
        except httpx.TransportError as error:
            raise _BrokenError(_said("the connection broke off", error)) from error
        finally:
            await answer.aclose()

    async def _followed(self, client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        """The answer at the end of all redirects, of which nothing but the head is read."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = await client.send(request, stream=True)
            if answer.next_request is None:
                return answer
            await answer.aclose()
            request = answer.next_request
        raise _RefusedError(
            f"more than {MAX_REDIRECTS} redirects", "write the address they should lead to"
        )

    async def _blocks(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        """The body as sent; gives up on a server that only drips, or never comes to an end."""
        clock = asyncio.get_running_loop().time
        began = since = clock()
        got = 0
        async for block in answer.aiter_raw():
            yield block
            got += len(block)
            waited = clock() - since
            if waited >= self.timeout_s:
                if got < MIN_BYTES_PER_S * waited:
                    raise _BrokenError(f"only {got} bytes came in {waited:.2g} s")
                since, got = clock(), 0
            if clock() - began > self.longest_s:
                raise _RefusedError(
                    f"it did not end within {self.longest_s:g} s",
                    "find a faster server, or fetch the file yourself and name it with --mirror",
                )

    def _check_size(self, size: int) -> None:
        if size > self.max_bytes:
            raise _RefusedError(
                f"it is larger than {self.max_bytes / 1e6:.0f} MB",
                "no clip is that large; check the address",
            )


def _goes_on(answer: httpx.Response, start: int) -> bool:
    """Whether the answer is the rest of the file from byte `start` on."""
    part = answer.headers.get("Content-Range", "")
    return start > 0 and answer.status_code == 206 and part.startswith(f"bytes {start}-")


def _named(answer: httpx.Response) -> str:
    return f"the server answers {answer.status_code} {answer.reason_phrase}".rstrip()


async def _check_redirect(answer: httpx.Response) -> None:
    """Refuses a redirect whose address is none: asking again would give the same one."""
    if answer.has_redirect_location:
        location = answer.headers["Location"]
        try:
            if (answer.url.join(location).port or 0) > MAX_PORT:
                raise httpx.InvalidURL(f"there is no port above {MAX_PORT}")
        except (httpx.InvalidURL, ValueError) as error:
            raise _RefusedError(
                f'it redirects to "{location[:80]}", which is no address',
                "write the address it should lead to",
            ) from error


def _check_transient(answer: httpx.Response) -> None:
    if answer.status_code in TRANSIENT:
        raise _BrokenError(_named(answer), _asked_pause_s(answer))


def _check_answer(answer: httpx.Response, *, asked_for_part: bool) -> None:
    status, named = answer.status_code, _named(answer)
    if asked_for_part and status in (206, 416):
        raise _BrokenError(f"{named}, but not with the part that was asked for")
    if status != 200:
        remedy = {
            401: "it is not public; write a public address",
            403: "it is not public; write a public address",
            404: "the clip is not there any more, or the address is wrong",
            410: "the clip was taken away; say so in no_clip",
        }.get(status, "check the address in a browser")
        raise _RefusedError(named, remedy)


def _asked_pause_s(answer: httpx.Response) -> float | None:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), PATIENCE_S) if asked.isascii() and asked.isdigit() else None


def _declared(answer: httpx.Response) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _wrong(answer: httpx.Response, size: int, found: str, expected: str) -> _RefusedError:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        return _RefusedError(
            f"the server answers with a web page ({kind}) and not with the clip",
            "open the address in a browser and write the one of the file itself",
        )
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return _RefusedError(
            f"the server sends it compressed ({answer.headers['Content-Encoding']})",
            "write an address that serves the file as it is",
        )
    return _RefusedError(
        f"{size} bytes of other content came: their sha256 is {found}, the row says {expected}",
        "the file there was replaced or cut short; find the measured one, or mend the row",
    )


def _said(what: str, error: Exception) -> str:
    return f"{what} ({error})" if str(error) else what


def _suffix(url: str) -> str:
    suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    return suffix if suffix in CLIP_SUFFIXES else ""
