"""What a browser may do with the pages, and keep of them: one policy, said in two places.

Hosts that read `_headers` send it; every page also names it in its own head, for hosts that
send nothing (there, who may frame a page is up to the host: only a header can say that).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from generator.pages import addresses

PLOTLY_EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Of the empty string: Plotly adds an empty style element and fills it through the CSSOM."""
FOREVER = "public, max-age=31536000, immutable"
MOST_ORIGINS = 50
"""Servers refuse headers of some kilobytes."""
HASHED = ("assets", "media")
"""Top folders whose files are named by their content."""
FRAMED = addresses.EMBED.removesuffix("/")
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def content_policy(origins: Collection[str]) -> str:
    """The Content-Security-Policy of every page; clips also stream from `origins`."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' {PLOTLY_EMPTY_STYLE}",
            "img-src 'self' data: blob:",
            " ".join(["media-src 'self' blob:", *sorted(origins)]),
            "connect-src 'self'",
            "font-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def headers(policy: str, names: Iterable[str]) -> str:
    """Netlify's `_headers` for a site of these files."""
    return "\n".join(
        "\n".join([path, *(f"  {name}: {value}" for name, value in values.items()), ""])
        for path, values in rules(policy, names).items()
    )


def rules(policy: str, names: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    """Path pattern -> headers. No header is ordered twice for one path, because hosts disagree
    about what that means: so a policy for all gives way to one for each top folder as soon as
    there are pages that may be framed."""
    unframed = {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'"}
    tops = {name.partition("/")[:2] for name in names}
    ordered: dict[str, dict[str, str]] = {"/*": {**unframed, **COMMON}}
    if (FRAMED, "/") in tops:
        # Of two words about frames browsers heed the policy's: the other is for unknown addresses.
        ordered = {"/*": {**COMMON, "X-Frame-Options": "DENY"}, "/": dict(unframed)}
        for name, slash in sorted({*tops, *((top, "/") for top in HASHED)}):
            framed = {"Content-Security-Policy": f"{policy}; frame-ancestors *"}
            ordered[f"/{name}{slash and '/*'}"] = framed if name == FRAMED else dict(unframed)
    for top in HASHED:
        ordered.setdefault(f"/{top}/*", {})["Cache-Control"] = FOREVER
    return ordered
