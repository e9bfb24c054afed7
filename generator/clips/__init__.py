"""A clip's file and its facts.

`locate`, `fetch` and `ingest` find files; `container`, `packets` and `probe` say what one really
holds; `ffmpeg` is the one door to that program; `cache` keeps what was derived; `display` makes
the copy that players show, `stills` poster and storyboard, `card` and `framecode` test cards.
"""

from generator.clips.display import prepare

__all__ = ["prepare"]
