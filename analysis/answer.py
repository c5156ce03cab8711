"""What a command answers: findings in words and the tables behind them, for a terminal, a notebook, or a program."""

from __future__ import annotations

import html
import math
import re
import textwrap
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.metric import DICE, Metric
from study.definition import SIMULATED
from trainers.printable import counted, printable

WIDTH = 110  # of text, in characters
DECIMALS = 3
DECIMALS_OF_P = 4  # of p-values


@dataclass(frozen=True)
class Finding:
    """A user's question, and what the data say to it in plain words, point by point."""

    question: str
    """What the user wants to know."""
    points: tuple[str, ...]
    """The answer, a sentence or a few each."""


@dataclass(frozen=True)
class Answer:
    """Findings, and titled tables. `text` is for a terminal, `records` for a program; a notebook shows it as HTML."""

    findings: list[Finding] = field(default_factory=list)
    """In words."""
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Title -> table."""
    how_to_read: dict[str, str] = field(default_factory=dict)
    """Title of a table -> the question that it and those below answer, and how to read them."""
    simulated: bool = False
    """Whether the scores behind it were drawn, not trained for."""
    left_out: str = ""
    """The sentence that says what is left out, and why."""
    metric: Metric = DICE
    """What the scores behind it measure."""

    def text(self) -> str:
        """All of it, as lines for a terminal."""
        warning = [textwrap.fill(SIMULATED, WIDTH)] * self.simulated
        found = ["\n".join([each.question, *map(_wrapped, each.points)]) for each in self.findings]
        end = [textwrap.fill(self.left_out, WIDTH)] * bool(self.left_out)
        return "\n\n".join([*warning, *found, *map(self._table_text, self.frames), *end])

    def _table_text(self, title: str) -> str:
        how = [_wrapped(self.how_to_read[title])] if title in self.how_to_read else []
        return "\n".join([title, *how, frame_text(self.frames[title])])

    def records(self) -> dict[str, Any]:
        """Findings and tables as plain values; what is undefined is None."""
        findings = [{"question": each.question, "points": list(each.points)} for each in self.findings]
        tables = {title: records(frame) for title, frame in self.frames.items()}
        answer = {"simulated": self.simulated, "metric": self.metric.to_json(), "findings": findings, "tables": tables}
        more = {"how_to_read": self.how_to_read, "left_out": self.left_out}
        return answer | {name: value for name, value in more.items() if value}

    def _repr_html_(self) -> str:
        tables = [f"<h4>{html.escape(title)}</h4>{frame_html(frame)}" for title, frame in self.frames.items()]
        warning = [f"<p><strong>{SIMULATED}</strong></p>"] * self.simulated
        end = [f"<p>{with_code(self.left_out)}</p>"] * bool(self.left_out)
        return "\n".join([*warning, *map(_finding_html, self.findings), *tables, *end])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows as plain values, fit for JSON: no NaN, no NumPy types, no tuples."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def merged(frame: pd.DataFrame) -> pd.DataFrame:
    """For people: every number with its interval in one cell, `0.579 [0.541, 0.612]`; notes apart.

    An interval of column x is in x_low and x_high, or in low and high behind the column before them.
    """
    shown = pd.DataFrame(index=frame.index)
    names = [name for name in frame.columns if name != "note"]
    ends = {name: (f"{name}_low", f"{name}_high") for name in names if f"{name}_low" in names}
    if "low" in names:
        ends[names[names.index("low") - 1]] = ("low", "high")
    hidden = {end for pair in ends.values() for end in pair}
    for name in names:
        if name in hidden:
            continue
        decimals = DECIMALS_OF_P if _is_p(name) and pd.api.types.is_float_dtype(frame[name]) else _decimals(frame[name])
        cells = [_cell(value, decimals) for value in frame[name]]
        if name in ends:
            intervals = zip(*(frame[end] for end in ends[name]), strict=True)
            cells = [
                cell if pd.isna(low) else f"{cell} [{_cell(low, decimals)}, {_cell(high, decimals)}]"
                for cell, (low, high) in zip(cells, intervals, strict=True)
            ]
        shown[printable(name)] = cells
    return shown


def _is_p(name: object) -> bool:
    return str(name) in ("p", "holm") or str(name).endswith("_p")


def _decimals(column: pd.Series[Any]) -> int:
    """Digits behind the point for all numbers of a column: none for counts, one for ranks, else DECIMALS."""
    if not pd.api.types.is_float_dtype(column):
        return 0
    values = column.dropna().abs()  # a missing count makes a column of floats
    if values.max() < 2 or (2 * values % 1 > 0).any():
        return DECIMALS
    return int((values % 1 > 0).any())


def _cell(value: Any, decimals: int) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_cell(each, DECIMALS) for each in value)
    if value is None:
        return "-"
    if isinstance(value, str | bool) or not pd.api.types.is_number(value):
        return printable(value)
    return "-" if math.isnan(value) else f"{value:z,.{decimals}f}"


def is_empty(frame: pd.DataFrame) -> pd.Series[bool]:
    """Which rows hold a note in place of all their numbers; counts (`num_...`) say nothing by themselves."""
    numbers = [name for name in frame.select_dtypes("float") if not str(name).startswith("num_")]
    noted = frame["note"].astype(str) != "" if "note" in frame else pd.Series(False, frame.index)
    return noted & frame[numbers].isna().all(axis=1) if numbers else noted & False


def for_people(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What is shown of a frame, and the notes below it: `merged`, with the number of each row's note where not all have
    the same. Rows without a number are left out, and counted with their reason."""
    empty = is_empty(frame)
    full = frame[~empty]
    shown, of_rows = merged(full), [printable(note) for note in full.get("note", ())]
    number = {note: place for place, note in enumerate(dict.fromkeys(filter(None, of_rows)), 1)}
    notes = [f"note: {note}" for note in number]
    if len(set(of_rows)) > 1:
        shown["note"] = [str(number.get(note, "")) for note in of_rows]
        notes = [f"note {place}: {note}" for note, place in number.items()]
    return shown, [*notes, *_left_out(frame[empty])]


def _left_out(empty: pd.DataFrame) -> list[str]:
    """Each reason with the rows that have it."""
    found = []
    for note, rows in empty.groupby("note", sort=False) if len(empty) else ():
        names = {name: list(dict.fromkeys(rows[name])) for name in ("model", "loss") if name in rows}
        one = " ".join(str(values[0]) for values in names.values()) if all(len(v) == 1 for v in names.values()) else ""
        of_one = f" of {printable(one)}" * bool(one)
        found.append(f"left out{of_one}: {counted(len(rows), 'row')}: {printable(note)}")
    return found


def frame_text(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "(nothing)"
    shown, notes = for_people(frame)
    table = [shown.to_string(index=False)] * bool(len(shown))
    return "\n".join([*table, *map(_wrapped, notes)])


def frame_html(frame: pd.DataFrame) -> str:
    shown, notes = for_people(frame)
    words = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    table = [_table_html(shown, set(map(printable, words)))] * bool(len(shown) or not notes)
    return "".join([*table, *(f'<p class="note">{with_code(note[0].upper() + note[1:])}</p>' for note in notes)])


def _table_html(shown: pd.DataFrame, words: Collection[str]) -> str:
    """A table of strings, in which columns of words are told from columns of numbers: they are read from the left."""
    kinds = [' class="text"' if name in words else "" for name in shown]

    def row(cells: Iterable[str], tag: str) -> str:
        made = (f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
        return f"<tr>{''.join(made)}</tr>"

    body = "\n".join(row(cells, "td") for cells in shown.itertuples(index=False))
    head = row(map(str, shown), "th")
    return f'<table class="dataframe numbers"><thead>{head}</thead>\n<tbody>{body}</tbody></table>'


def difference_in_words(difference: float) -> str:
    """e.g. `0.012`; what would be shown as 0.000 is less than 0.001."""
    return f"{difference:.{DECIMALS}f}" if abs(difference) >= 0.5 * 10**-DECIMALS else f"less than {10**-DECIMALS:g}"


def with_code(text: str) -> str:
    """Text as HTML: escaped, what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _finding_html(finding: Finding) -> str:
    points = "".join(f"<li>{with_code(point)}</li>" for point in finding.points)
    return f"<h4>{html.escape(finding.question)}</h4><ul>{points}</ul>"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
