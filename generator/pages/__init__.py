"""Records and evidence -> the site's texts.

Nothing here knows the folders of a project or writes a file: `lay_out` says what there is to
print, and `render` prints it all.
"""

from generator.pages.media import Published
from generator.pages.press import Sheet
from generator.pages.render import Layout, Rendered, lay_out, render

__all__ = ["Layout", "Published", "Rendered", "Sheet", "lay_out", "render"]
