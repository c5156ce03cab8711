"""What a person sees: the live view of a run, its plain lines, and the tables at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
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
                self._console.say(line)  # above the live picture
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
        parts.append(f"{counted(len(progress.resting), 'cell')} at rest")
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


def scores_table(scores: Iterable[Summary]) -> Table:
    """Default and tuned scores, one row each: mean and SD over random splits and over folds, and every other split."""
    scores = list(scores)
    by_name = sorted({split for row in scores for split in row.by_name})
    groups: list[tuple[str, Callable[[Summary], dict[str, float]]]] = []
    if any(row.random for row in scores) or not (by_name or any(row.folds for row in scores)):
        groups.append(("random splits", lambda row: row.random))
    if any(row.folds for row in scores):
        groups.append(("folds", lambda row: row.folds))
    table = Table(box=None, pad_edge=False)
    table.add_column("configuration")
    table.add_column("selection")
    for what, _ in groups:
        table.add_column(f"{what}: mean, SD (n)", justify="right")
    for split in by_name:
        table.add_column(split, justify="right")
    table.add_column("missing", justify="right")
    for row in scores:
        table.add_row(
            row.configuration,
            row.selection,
            *(_mean_and_sd(of(row)) for _, of in groups),
            *(f"{row.by_name[split]:.3f}" if split in row.by_name else "-" for split in by_name),
            str(row.missing) if row.missing else "",
        )
    return table


def _mean_and_sd(scores: dict[str, float]) -> str:
    mean, sd = mean_and_sd(scores)
    if mean is None:
        return "-"
    spread = "" if sd is None else f", {sd:.3f}"
    return f"{mean:.3f}{spread} ({len(scores)})"
