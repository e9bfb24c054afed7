"""Files are found by what they hold; names, links and pointers convince nobody."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from blank import a_clip

from generator.clips import hashes
from generator.clips.locate import at_hand, locate, why_refused
from generator.errors import ContentError
from generator.records import Clip

RUN = "2026-01-run"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def row(name: str = "a", **given: object) -> Clip:
    return a_clip(name, run=RUN, **{"line": 7, **given})


@pytest.fixture
def rooms(tmp_path):
    """The run's folder, the downloads and a mirror."""
    run = tmp_path / "content" / "runs" / RUN
    fetched = tmp_path / ".cache" / "media"
    mirror = tmp_path / "mirror"
    for folder in (run / "media", fetched, mirror / "deep" / "er"):
        folder.mkdir(parents=True)
    return run, fetched, mirror


def find(rooms, *clips: Clip) -> dict[str, Path]:
    run, fetched, mirror = rooms
    return locate(clips, runs={RUN: run}, fetched=fetched, mirrors=[mirror])


def complaints(rooms, *clips: Clip) -> list[str]:
    with pytest.raises(ContentError) as caught:
        find(rooms, *clips)
    return [str(complaint) for complaint in caught.value.complaints]


def pointer(data: bytes) -> bytes:
    return (
        b"version https://git-lfs.github.com/spec/v1\n"
        + f"oid sha256:{sha(data)}\nsize {len(data)}\n".encode()
    )


@pytest.mark.parametrize("place", ["media", "media, other name", "fetched", "mirror"])
def test_a_clip_is_found_wherever_its_bytes_are(rooms, place):
    run, fetched, mirror = rooms
    data = b"the clip"
    path = {
        "media": run / "media" / "clip.mp4",
        "media, other name": run / "media" / "renamed.mp4",
        "fetched": fetched / f"{sha(data)}.mp4",
        "mirror": mirror / "deep" / "er" / "whatever.bin",
    }[place]
    path.write_bytes(data)

    assert find(rooms, row(file="clip.mp4", sha256=sha(data))) == {f"{RUN}--a": path}


def test_the_nearest_copy_is_taken(rooms):
    run, fetched, mirror = rooms
    data = b"the clip"
    (fetched / sha(data)).write_bytes(data)
    (mirror / "clip.mp4").write_bytes(data)
    assert find(rooms, row(sha256=sha(data)))[f"{RUN}--a"].parent == fetched

    (run / "media" / "x.mp4").write_bytes(data)
    assert find(rooms, row(sha256=sha(data)))[f"{RUN}--a"].parent == run / "media"


def test_a_name_alone_finds_nothing_in_a_mirror(rooms):
    _, _, mirror = rooms
    (mirror / "clip.mp4").write_bytes(b"another clip of that name")

    assert find(rooms, row(file="clip.mp4", sha256=sha(b"the clip"))) == {}


def test_a_file_without_a_hash_is_taken_as_it_is(rooms):
    run, _, _ = rooms
    (run / "media" / "clip.mp4").write_bytes(b"anything")

    assert find(rooms, row(file="clip.mp4")) == {f"{RUN}--a": run / "media" / "clip.mp4"}


def test_a_named_file_that_is_another_is_a_mistake_of_the_row(rooms):
    run, fetched, _ = rooms
    (run / "media" / "clip.mp4").write_bytes(b"new take")
    (fetched / sha(b"old take")).write_bytes(b"old take")

    assert complaints(rooms, row(file="clip.mp4", sha256=sha(b"old take"))) == [
        f'content/runs/{RUN}/clips.csv line 7, sha256: "clip.mp4" is another file: its sha256 is '
        f"{sha(b'new take')}, the row says {sha(b'old take')}; put the file that was measured "
        "there, or mend the row if it is this one"
    ]


def test_a_damaged_download_is_no_clip(rooms):
    _, fetched, _ = rooms
    (fetched / f"{sha(b'the clip')}.mp4").write_bytes(b"the cl")

    assert find(rooms, row(sha256=sha(b"the clip"))) == {}


def test_links_out_of_a_folder_and_odd_files_are_refused(rooms, tmp_path):
    run, _, mirror = rooms
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    (run / "media" / "out.mp4").symlink_to(secret)
    (run / "media" / "gone.mp4").symlink_to(run / "media" / "nothing")
    os.mkfifo(run / "media" / "pipe.mp4")
    (mirror / "out.mp4").symlink_to(secret)
    os.mkfifo(mirror / "pipe.mp4")
    place = f"content/runs/{RUN}/clips.csv line"

    assert complaints(
        rooms,
        row("a", file="out.mp4", line=2),
        row("b", file="gone.mp4", line=3),
        row("c", file="pipe.mp4", line=4),
        row("d", sha256=sha(b"secret"), line=5),
    ) == [
        f'{place} 2, file: "out.mp4" leads out of its folder; '
        "put the file itself there instead of a link",
        f'{place} 3, file: "gone.mp4" is no file; put the clip\'s file there',
        f'{place} 4, file: "pipe.mp4" is no file; put the clip\'s file there',
    ]


def test_links_within_a_folder_are_followed(rooms):
    run, _, _ = rooms
    (run / "media" / "real.mp4").write_bytes(b"the clip")
    (run / "media" / "clip.mp4").symlink_to("real.mp4")

    found = find(rooms, row(file="clip.mp4", sha256=sha(b"the clip")))

    assert found[f"{RUN}--a"].read_bytes() == b"the clip"


def test_lfs_pointers_are_named_as_what_they_are(rooms):
    run, _, mirror = rooms
    (run / "media" / "clip.mp4").write_bytes(pointer(b"the clip"))
    (mirror / "other.mp4").write_bytes(pointer(b"another clip"))
    remedy = "run `git lfs pull`; where Netlify builds, set GIT_LFS_ENABLED=true"

    assert complaints(
        rooms,
        row("a", file="clip.mp4", sha256=sha(b"the clip"), line=2),
        row("b", sha256=sha(b"another clip"), line=3),
        row("c", sha256=sha(b"a third"), line=4),
    ) == [
        f'content/runs/{RUN}/clips.csv line 2, file: "clip.mp4" is a Git LFS pointer and not the '
        f"clip itself; {remedy}",
        f'content/runs/{RUN}/clips.csv line 3, sha256: "other.mp4" is a Git LFS pointer and not '
        f"the clip itself; {remedy}",
    ]


def test_a_pointer_does_no_harm_where_the_clip_is_at_hand(rooms):
    _, fetched, mirror = rooms
    (mirror / "clip.mp4").write_bytes(pointer(b"the clip"))
    (fetched / sha(b"the clip")).write_bytes(b"the clip")
    assert find(rooms, row(sha256=sha(b"the clip")))[f"{RUN}--a"].parent == fetched

    (fetched / sha(b"the clip")).unlink()
    (mirror / "whole.mp4").write_bytes(b"the clip")
    assert find(rooms, row(sha256=sha(b"the clip")))[f"{RUN}--a"].name == "whole.mp4"


def test_cells_without_a_clip_are_not_looked_for(rooms):
    run, _, _ = rooms
    (run / "media" / "clip.mp4").write_bytes(b"x")

    assert find(rooms, row("a", no_clip="could not be had", file="clip.mp4"), row("b")) == {}


def test_nothing_is_hashed_twice_or_without_need(rooms, monkeypatch):
    run, _, mirror = rooms
    hashed: list[str] = []

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return sha(path.read_bytes())

    monkeypatch.setattr(hashes, "sha256_of", counted)
    for name in ("a.mp4", "b.mp4", "c.mp4", "d.mp4"):
        (mirror / name).write_bytes(name.encode())
    (run / "media" / "own.mp4").write_bytes(b"own")

    find(rooms, row(file="own.mp4"))
    assert hashed == []

    find(rooms, row(sha256=sha(b"a.mp4"), url="https://example.org/v/a.mp4"))
    assert sorted(hashed) == ["a.mp4", "own.mp4"]

    hashed.clear()
    find(rooms, *(row(name, sha256=sha(name.encode())) for name in ("a.mp4", "d.mp4", "none")))
    assert sorted(hashed) == ["a.mp4", "b.mp4", "c.mp4", "d.mp4", "own.mp4"]


def test_whoever_downloads_is_told_only_what_is_right(rooms):
    """A wrong file and a pointer stop a build; a fetch takes them for missing."""
    run, fetched, _ = rooms
    (run / "media" / "a.mp4").write_bytes(b"clip")
    (run / "media" / "b.mp4").write_bytes(b"another file")
    (run / "media" / "c.mp4").write_bytes(pointer(b"c"))
    clips = [row(name, file=f"{name}.mp4", sha256=sha(b"clip")) for name in "abc"]

    assert at_hand(clips, runs={RUN: run}, fetched=fetched) == {
        f"{RUN}--a": run / "media" / "a.mp4"
    }


def test_a_loop_of_links_is_no_file(tmp_path):
    (tmp_path / "a.mp4").symlink_to(tmp_path / "b.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "a.mp4")

    assert why_refused(tmp_path / "a.mp4", tmp_path) == (
        '"a.mp4" is no file',
        "put the clip's file there",
    )
