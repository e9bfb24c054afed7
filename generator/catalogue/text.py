"""Markdown in, safe HTML out."""

from __future__ import annotations

import markdown
import nh3

EXTENSIONS = ("tables", "fenced_code", "footnotes", "sane_lists", "toc", "def_list", "abbr")

TAGS = {
    *("p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "sub", "sup", "abbr"),
    *("h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "a", "img", "div"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption"),
}
ATTRIBUTES = {
    "*": {"id"},
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "abbr": {"title"},
    "th": {"scope", "colspan", "rowspan"},
    "td": {"colspan", "rowspan"},
    "ol": {"start"},
}


def to_html(text: str) -> str:
    """Render Markdown and keep only what prose needs: no script, style, handler or odd scheme.

    A `# heading` becomes an h2: the page's title is the only h1.
    """
    html = markdown.markdown(
        text,
        extensions=list(EXTENSIONS),
        extension_configs={"toc": {"baselevel": 2}},
        output_format="html",
    )
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener",
    )
