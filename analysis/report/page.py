"""What a report is made of: sections with figures, tables and pictures, and the page that they become."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from analysis.answer import frame_html, with_code
from analysis.report.svg import inline_svg
from trainers.printable import without_formula


@dataclass(frozen=True)
class Panel:
    caption: str
    svg: str


@dataclass(frozen=True)
class Table:
    """A table that unfolds, and downloads as CSV."""

    title: str
    name: str
    frame: pd.DataFrame
    unfolded: bool
    rows: pd.DataFrame
    """Those of the frame that are on the page."""
    given_html: str = ""

    @property
    def html(self) -> str:
        return self.given_html or frame_html(self.rows)

    @property
    def csv(self) -> str:
        """As base64."""
        return base64.b64encode(csv_of(self.rows).encode()).decode()


@dataclass(frozen=True)
class Picture:
    caption: str
    alt: str
    png: str
    """As base64."""


@dataclass(frozen=True)
class Pictures:
    title: str
    pictures: list[Picture]


@dataclass(frozen=True)
class Drawn:
    """What a section has beside its words and tables."""

    panels: list[Panel] = field(default_factory=list)
    pictures: list[Pictures] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    key: list[tuple[str, str]] = field(default_factory=list)
    """Names and their colours."""


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    question: str
    how: str
    """How to read what follows."""
    drawn: Drawn
    tables: list[Table]


def panel(caption: str, figure: Figure, description: str) -> Panel:
    """A figure with its caption; the description is read out to those who cannot see it."""
    return Panel(caption, inline_svg(figure, caption, description))


def csv_of(frame: pd.DataFrame) -> str:
    """A frame as CSV at full precision; names that a spreadsheet would run as formulas are made without_formula."""
    plain = frame.map(lambda value: without_formula(value) if isinstance(value, str) else value)
    return str(plain.to_csv(index=False, lineterminator="\n"))


def render(context: dict[str, Any]) -> str:
    """The page: one HTML file that needs nothing else. All text is escaped; SVG and tables come escaped already."""
    folder = resources.files("analysis.report") / "templates"
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["code"] = with_code
    template = environment.from_string((folder / "report.html").read_text(encoding="utf-8"))
    css = (folder / "report.css").read_text(encoding="utf-8")
    return template.render(context | {"css": css}) + "\n"
