"""Addresses of clips that lead to what is no clip; servers' own tricks are in test_addresses.py."""

from __future__ import annotations

from hostile.ended import Hostile
from hostile.tables import write

CLIPS = "content/runs/elsewhere/clips.csv"
SHA = "0" * 64
NO_ADDRESS = "is no web address; write one that begins with https://"
USER = "holds a user's name; an address that is published must not"


def address(url: str, problem: str, command: str = "fetch") -> Hostile:
    shown = url if len(url) <= 80 else url[:79] + "…"
    return Hostile(
        make=write(
            CLIPS,
            "id,series,pipeline,size,sha256,url\n"
            f'lighthouse-2,published,sample-model,320x180,{SHA},"{url}"\n',
        ),
        command=(command,),
        says=f'{CLIPS} line 2, url: "{shown}" {problem}',
    )


INPUTS: dict[str, Hostile] = {
    "of-a-file": address("file:///etc/passwd", NO_ADDRESS),
    "of-ftp": address("ftp://127.0.0.1/clip.webm", NO_ADDRESS),
    "of-gopher": address("gopher://127.0.0.1:6379/_FLUSHALL", NO_ADDRESS),
    "of-data": address("data:video/webm;base64,AAAA", NO_ADDRESS, "build"),
    "of-javascript": address("javascript:alert(1)", NO_ADDRESS, "build"),
    "with-a-user": address("https://example.org@127.0.0.1/clip.webm", USER),
    "without-a-host": address("https://", NO_ADDRESS),
    "with-a-policy-in-its-host": address(
        "https://a;script-src-elem/x.webm",
        "names no host; write one such as https://example.org/",
        "build",
    ),
    "of-3000-letters": address(
        "https://example.org/" + "a" * 3000, "is too long; write 2000 characters or fewer"
    ),
}
