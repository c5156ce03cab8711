"""What a person sees: the live view of a run, its plain lines, and the tables at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from study.planning.cost import readable
from study.progress import Progress
from study.summary import Summary, mean_and_sd
from study.terminal.printing import PlainConsole
from trainers.printable import counted

_SECONDS_BETWEEN_PLAIN_LINES = 60.0
_SECONDS_BETWEEN_PICTURES = 0.25
_RUNNING_SHOWN = 8


class RunView:
    """Shows a run as it goes: one live picture on a terminal, a line for every event elsewhere.

    The picture is drawn when the driver reports, by no thread of its own, and never while something else is printed:
    rich would then erase as many rows as another picture has.
    """

    def __init__(self, console: PlainConsole) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._live = Live(console=console, get_renderable=self._picture, auto_refresh=False, transient=True)
        self._last_line = self._last_picture = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            with self._console.one_at_a_time:
                self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            with self._console.one_at_a_time:
                self._live.stop()

    def __call__(self, progress: Progress, line: str | None) -> None:
        self._progress = progress
        if self._console.is_terminal:
            if line:
                self._console.say(*broken(line, self._console.width))  # above the live picture
            self._draw_now_and_then()
        elif line or time.monotonic() - self._last_line > _SECONDS_BETWEEN_PLAIN_LINES:
            self._last_line = time.monotonic()
            self._console.say(_counted(progress, line))

    def _draw_now_and_then(self) -> None:
        with self._console.one_at_a_time:
            if time.monotonic() - self._last_picture >= _SECONDS_BETWEEN_PICTURES:
                self._last_picture = time.monotonic()
                self._live.refresh()

    def _picture(self) -> RenderableType:
        return live_picture(self._progress) if self._progress else "Starting Ray ..."


def broken(line: str, width: int) -> list[str]:
    """A line of parts with two blanks between them, in rows that break between parts; the later ones are indented."""
    first, *parts = line.split("  ")
    rows = [first]
    for part in parts:
        if len(rows[-1]) + 2 + len(part) <= width:
            rows[-1] += f"  {part}"
        else:
            rows.append(f"  {part}")
    return rows


def live_picture(progress: Progress) -> RenderableType:
    """Trials done of all, the trials that run, and the best score of each configuration."""
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=progress.total, completed=progress.done, width=30),
        _head(progress),
    )
    return Group(bar, _running_table(progress), _configuration_table(progress))


def _head(progress: Progress) -> str:
    parts = [f"{progress.done:,} of {counted(progress.total, 'trial')}"]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.resting:
        parts.append(f"{counted(len(progress.resting), 'cell')} waiting for the next run")
    if progress.images_per_second:  # unknown between two trials
        parts.append(f"{progress.images_per_second:.0f} images/s")
    left = progress.seconds_left
    if progress.done < progress.total:
        parts.append("time left unknown yet" if left is None else f"about {readable(left)} left")
    return "  ".join(parts)


def _running_table(progress: Progress) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    for column in ("running", "epoch", "images/s", "host"):
        table.add_column(column, style="dim" if column == "host" else "", justify="left")
    running = list(progress.running.values())
    for trial in running[:_RUNNING_SHOWN]:
        speed = "" if trial.images_per_second is None else f"{trial.images_per_second:.0f}"
        table.add_row(trial.trial, f"{trial.epoch} of {trial.epochs}", speed, trial.host)
    if len(running) > _RUNNING_SHOWN:
        table.add_row(f"and {len(running) - _RUNNING_SHOWN} more", "", "", "")
    return table


def _configuration_table(progress: Progress) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("configuration", "trials", "best validation Dice"):
        table.add_column(column)
    for configuration, (done, total) in progress.trials_of.items():
        best = progress.best.get(configuration)
        table.add_row(configuration, f"{done} of {total}", "" if best is None else f"{best:.3f}")
    return table


def _counted(progress: Progress, line: str | None) -> str:
    left = progress.seconds_left
    remaining = "" if left is None else f", about {readable(left)} left"
    return f"[{progress.done}/{progress.total}{remaining}] {line or f'{len(progress.running)} running'}"


MOST_COLUMNS = 4
"""Of scores: of more splits than that a terminal has a row for each."""


def scores_table(scores: Iterable[Summary]) -> Table:
    """Default and tuned scores: mean and SD over random splits, over their shares and over folds, and the score on
    every other split."""
    scores = list(scores)
    by_name = sorted({split for row in scores for split in row.by_name})
    columns: dict[str, Callable[[Summary], str]] = {}
    what_is_shown = "mean, SD of means over seeds (n)" if any(row.num_seeds > 1 for row in scores) else "mean, SD (n)"
    if any(row.random for row in scores) or not (by_name or any(row.folds for row in scores)):
        columns[f"random splits: {what_is_shown}"] = lambda row: _mean_and_sd(row.random)
    for percent in sorted({percent for row in scores for percent in row.shares}):
        columns[f"{percent} % of their training images: {what_is_shown}"] = partial(_score_of_share, percent)
    if any(row.folds for row in scores):
        columns[f"folds: {what_is_shown}"] = lambda row: _mean_and_sd(row.folds)
    columns |= {split: partial(_score_on, split) for split in by_name}
    named = [(row.configuration, row.selection) for row in scores]
    missing = [str(row.missing) if row.missing else "" for row in scores]
    if len(columns) <= MOST_COLUMNS:
        rows = [
            (*name, *(score(row) for score in columns.values()), lacking)
            for name, row, lacking in zip(named, scores, missing, strict=True)
        ]
        return _table(("configuration", "selection"), (*columns, "missing"), rows)
    rows = [
        (*name, what.removesuffix(f": {what_is_shown}"), score(row), lacking if place == 0 else "")
        for name, row, lacking in zip(named, scores, missing, strict=True)
        for place, (what, score) in enumerate(columns.items())
    ]
    return _table(("configuration", "selection", "split"), (what_is_shown, "missing"), rows)


def _table(left: Sequence[str], right: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _score_on(split: str, row: Summary) -> str:
    return f"{row.by_name[split]:.3f}" if split in row.by_name else "-"


def _score_of_share(percent: int, row: Summary) -> str:
    return _mean_and_sd(row.shares.get(percent, {}))


def _mean_and_sd(scores: dict[str, float]) -> str:
    mean, sd = mean_and_sd(scores)
    if mean is None:
        return "-"
    spread = "" if sd is None else f", {sd:.3f}"
    return f"{mean:.3f}{spread} ({len(scores)})"
