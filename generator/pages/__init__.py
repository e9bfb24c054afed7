"""Records and evidence -> the site's texts.

Nothing here knows the folders of a project or writes a page: `lay_out` says what there is to
print, and `render` prints it all. Compiled templates and drawn charts are kept in the folder that
`lay_out` is given for it.
"""

from generator.pages.drawings import forget as forget_drawings
from generator.pages.media import Published
from generator.pages.press import Later, Sheet
from generator.pages.render import Layout, Rendered, lay_out, render

__all__ = [
    "Later",
    "Layout",
    "Published",
    "Rendered",
    "Sheet",
    "forget_drawings",
    "lay_out",
    "render",
]
