"""Tables for people and programs: text, CSV, JSON, Markdown, LaTeX, HTML; in each the worst of a column is marked.

All take what `tables` gives, the decimals to print (at which the worst are marked too), and `exact` to mark at full
precision. Names come from users' folders, so every format escapes them, and control characters are spelled out.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, pairwise
from typing import Any

import pandas as pd

from analysis.metric import DICE
from analysis.tables import Layout, Printed, worst
from trainers.dice import AVERAGINGS
from trainers.printable import without_formula

NAMES = ["model", "loss", "split", "split_kind", "axis", "averaging", "class"]
ABOUT = ["num_seeds", "worst", "state", "simulated", "selection", "epsilon", "remarks"]
"""The columns of a CSV before and behind the score, which is called as the metric."""
MARKDOWN_SPECIAL = re.compile(r"""[&<>"'|\\`*\[\]~#:@$^{}!]|(?<![^\W_])_|_(?![^\W_])""")  # _ is plain inside a word
LATEX_SPECIAL = {character: f"\\{character}" for character in "{}%$#&_"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # after a line's end these two would be read as its options
    "*": "{*}",
}

Frames = Mapping[tuple[str, str], pd.DataFrame]


def to_text(frames: Frames, decimals: int = 2, exact: bool = False) -> str:
    """For a terminal; the worst carry a *."""
    return "\n".join(_text(Layout.of(key, frame, decimals, exact)) for key, frame in frames.items())


def _text(layout: Layout) -> str:
    averagings = [averaging for averaging, _ in layout.columns]
    firsts = [here != before for before, here in pairwise([None, *averagings])]  # of a group
    groups = ["", *(name if first else "" for name, first in zip(averagings, firsts, strict=True))]
    names = ["split", *(f"{name} " for _, name in layout.columns)]
    blocks = [[[split, *(c.text + " *"[c.worst] for c in cells)] for split, cells in block] for block in layout.blocks]
    widths = [max(map(len, column)) for column in zip(groups, names, *chain(*blocks), strict=True)]
    gaps = ["", *("   " if first else " " for first in firsts)]

    def line(row: list[str], aligned: str = ">") -> str:
        cells = zip(gaps, row, "<" + aligned * len(layout.columns), widths, strict=True)
        return "".join(f"{gap}{text:{side}{width}}" for gap, text, side, width in cells).rstrip()

    rule = "-" * sum(map(len, gaps), sum(widths))
    body = [text for block in blocks for text in (*map(line, block), rule)]
    ending = ["* marks the worst of each column.", *layout.notes]
    return "\n".join([layout.title, "", line(groups, "<"), line(names), rule, *body, *ending, ""])


def to_csv(frames: Frames, decimals: int = 2, exact: bool = False) -> str:
    """For spreadsheets: one row per cell, scores at full precision, state defined, undefined or missing.

    A name that a spreadsheet would run as a formula begins with an apostrophe.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, columns_of(frames), lineterminator="\n")
    writer.writeheader()
    for row in rows_of(frames, decimals, exact):
        names = {name: without_formula(row[name]) for name in NAMES}
        writer.writerow(row | names | {name: int(row[name]) for name in ("worst", "simulated")})
    return file.getvalue()


def to_json(frames: Frames, decimals: int = 2, exact: bool = False) -> str:
    """For programs: the rows of the CSV as a list of objects; an undefined or missing score is null."""
    return json.dumps(list(rows_of(frames, decimals, exact)), indent=1, allow_nan=False) + "\n"


def rows_of(frames: Frames, decimals: int, exact: bool) -> Iterator[dict[str, Any]]:
    """One row per cell: the columns of a CSV."""
    columns = columns_of(frames)
    for (model, loss), frame in frames.items():
        about = (frame.attrs.get("selection"), frame.attrs.get("epsilon"), " ".join(frame.attrs.get("remarks", [])))
        marks = worst(frame, None if exact else decimals)
        missing, simulated = set(frame.attrs.get("missing", ())), frame.attrs.get("simulated", False)
        for split in frame.index:
            kind, axis = frame.attrs.get("kinds", {}).get(split, ("", ""))
            seeds = frame.attrs.get("seeds", {}).get(split, "")
            for column in frame.columns:
                score = float(frame.loc[split, column])
                state = "defined" if pd.notna(score) else "missing" if (split, *column) in missing else "undefined"
                values = (model, loss, split, kind, axis, *column, score if pd.notna(score) else None, seeds)
                state_of = (bool(marks.loc[split, column]), state, simulated, *about)
                yield dict(zip(columns, (*values, *state_of), strict=True))


def columns_of(frames: Frames) -> list[str]:
    """Of a CSV; the score's is called as what all of them measure."""
    metrics = {str(frame.attrs["metric"][0]) for frame in frames.values() if "metric" in frame.attrs}
    (metric,) = metrics or {DICE.name}
    return [*NAMES, metric, *ABOUT]


def to_markdown(frames: Frames, decimals: int = 2, exact: bool = False) -> str:
    """For a README or an issue; the worst are bold, and an empty row stands for the rule."""
    return "\n".join(_markdown(Layout.of(key, frame, decimals, exact)) for key, frame in frames.items())


def _markdown(layout: Layout) -> str:
    def line(row: list[str]) -> str:
        return f"| {' | '.join(row)} |"

    lines: list[str] = []
    for block in layout.blocks:
        lines += [line([""] * (len(layout.columns) + 1))] if lines else []
        for split, cells in block:
            values = [f"**{cell.text}**" if cell.worst else cell.text for cell in cells]
            lines.append(line([escape_markdown(split), *values]))
    header = line(["split", *(escape_markdown(f"{averaging} {name}") for averaging, name in layout.columns)])
    ending = " ".join(map(escape_markdown, ["The worst of each column is bold.", *layout.notes]))
    rule = line([":--", *["--:"] * len(layout.columns)])
    return "\n".join([f"**{escape_markdown(layout.title)}**", "", header, rule, *lines, "", ending, ""])


def escape_markdown(text: str) -> str:
    """Plain text in any Markdown: what could be markup becomes a character reference, which HTML renders as itself."""
    return MARKDOWN_SPECIAL.sub(lambda match: f"&#{ord(match[0])};", text)


def to_latex(frames: Frames, decimals: int = 2, exact: bool = False) -> str:
    """For a paper that loads booktabs; the worst are bold. Names beyond Latin letters need XeLaTeX or LuaLaTeX."""
    return "\n".join(_latex(Layout.of(key, frame, decimals, exact)) for key, frame in frames.items())


def _latex(layout: Layout) -> str:
    heads, rules, first = [], [], 2
    for averaging, number in layout.groups:
        name = escape_latex(long_name(averaging))
        heads.append(rf"\multicolumn{{{number}}}{{c}}{{{name}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + number - 1}}}")
        first += number
    body = []
    for block in layout.blocks:
        body.append("\\midrule\n")
        for split, cells in block:
            values = [rf"\textbf{{{cell.text}}}" if cell.worst else cell.text for cell in cells]
            body.append(_latex_row([escape_latex(split), *values]) + "\n")
    caption = " ".join(map(escape_latex, [f"{layout.title}.", "The worst of each column is bold.", *layout.notes]))
    names = ["split", *(escape_latex(name) for _, name in layout.columns)]
    return rf"""\begin{{table}}
\centering
\caption{{{caption}}}
\scriptsize
\setlength{{\tabcolsep}}{{1.5pt}}
\begin{{tabular}}{{@{{}}l{"r" * len(layout.columns)}@{{}}}}
\toprule
{_latex_row(["", *heads])}
{"".join(rules)}
{_latex_row(names)}
{"".join(body)}\bottomrule
\end{{tabular}}
\end{{table}}
"""


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def escape_latex(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in text)


def to_html(frames: Frames, decimals: int = 2, exact: bool = False) -> str:
    """For a page: tables with captions and header scopes; the worst are <strong>, their cells of class "worst"."""
    return "\n".join(_html(Layout.of(key, frame, decimals, exact)) for key, frame in frames.items())


def _html(layout: Layout) -> str:
    spans = "".join(f'<colgroup span="{number}"></colgroup>' for _, number in layout.groups)
    heads = "".join(
        f'<th colspan="{number}" scope="colgroup">{html.escape(long_name(averaging))}</th>'
        for averaging, number in layout.groups
    )
    names = "".join(f'<th scope="col">{html.escape(name)}</th>' for _, name in layout.columns)
    caption = "<br>".join(map(html.escape, [layout.title, "The worst of each column is bold.", *layout.notes]))
    return f"""<table class="dice" style="border-collapse: collapse">
<caption>{caption}</caption>
<colgroup></colgroup>{spans}
<thead><tr><th rowspan="2" scope="col">split</th>{heads}</tr>
<tr>{names}</tr></thead>
{"".join(map(_html_block, layout.blocks))}</table>
"""


def _html_block(block: list[tuple[str, list[Printed]]]) -> str:
    rows = ""
    for split, cells in block:
        marked = (f' class="worst"><strong>{cell.text}</strong>' if cell.worst else f">{cell.text}" for cell in cells)
        rows += f'<tr><th scope="row">{html.escape(split)}</th>{"".join(f"<td{cell}</td>" for cell in marked)}</tr>\n'
    return f'<tbody style="border-top: 1px solid">\n{rows}</tbody>\n'


def long_name(averaging: str) -> str:
    """e.g. `pixel-wise (pw)`."""
    name = AVERAGINGS.get(averaging, averaging)
    return name if name == averaging else f"{name} ({averaging})"


FORMATS: dict[str, Callable[[Frames, int, bool], str]] = {
    "text": to_text,
    "csv": to_csv,
    "json": to_json,
    "markdown": to_markdown,
    "latex": to_latex,
    "html": to_html,
}
