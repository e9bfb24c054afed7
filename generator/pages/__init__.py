"""Records -> frozen views -> HTML text: decides what a reader sees.

`render` gives the whole site as texts and the media files they need; it writes nothing.
"""

from generator.pages.render import Rendered, render

__all__ = ["Rendered", "render"]
