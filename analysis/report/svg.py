"""A matplotlib figure as an SVG element inside an HTML page: light or dark with the page, read out, self-contained."""

from __future__ import annotations

import hashlib
import html
import io
import re

import matplotlib as mpl
from matplotlib.figure import Figure

INK, FAINT = "#1b1f24", "#8a919c"
"""The colours of text and of grids in figures; in a page they become its own, `var(--ink)` and `var(--faint)`."""

NARROW = 340.0
"""Points: a wider figure does not shrink to a phone's width, on which its text could not be read; it is scrolled."""
LEAST_PIXELS = 1.25
"""A point of such a figure."""

_NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def inline_svg(figure: Figure, title: str, description: str) -> str:
    """The figure as `<svg>`: text as text, ids of its own (by its content and title), the same bytes every time.

    A screen reader says the title and the description.
    """
    if layout := figure.get_layout_engine():  # once, and not again in the two passes of savefig
        layout.execute(figure)
        figure.set_layout_engine("none")
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "segmentation-stability"}):
        figure.savefig(buffer, format="svg", metadata=_NOTHING)
    drawn = buffer.getvalue()
    name = "f" + hashlib.sha256(f"{title}\0{drawn}".encode()).hexdigest()[:10]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), body)  # of points: two are plenty
    body = body.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace("xlink:href", "href")
    body = body.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
    body = re.sub(r"(font: (?:[a-z]+ )*[\d.]+px) [^;\"]*", r"\1 inherit", body)
    return _opened(body, name, title, description).strip()


def _opened(body: str, name: str, title: str, description: str) -> str:
    """With a head that scales with the page, down to where its text can still be read, and names what is drawn."""
    end = body.index(">") + 1
    ((box, width),) = re.findall(r'(viewBox="0 0 ([0-9.]+) [^"]*")', body[:end])
    least = f' style="min-width: {LEAST_PIXELS * float(width):.0f}px"' if float(width) > NARROW else ""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}{least} role="img" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    return head + body[end:]
