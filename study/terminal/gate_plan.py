"""The answer of `study plan --gate` as a person reads it."""

from __future__ import annotations

from study.commands.plan import Plan, plan_cluster, plan_here
from study.commands.plan_gate import GatePlan, Size
from study.errors import StudyError
from study.planning.cost import readable
from trainers.printable import counted


def gate_plan_in_lines(found: GatePlan, cluster: str | None = None) -> list[str]:
    """:param cluster: the file of the cluster whose hours are asked for; else they are this machine's."""
    rows = [_row(size, found.cheapest, cluster) for size in found.sizes]
    lines = [found.headline, *_aligned(rows), *found.remarks]
    lines += [f"With {counted(size.seeds, 'seed')}: {size.why_not}" for size in found.sizes if size.why_not]
    if found.cheapest and found.cheapest.planned:
        basis = found.cheapest.planned.estimate.in_words
        lines.append(
            f"trainings: those of the definition with so many splits and seeds; missing: not done yet ({basis})."
        )
    return lines


def _row(size: Size, cheapest: Size | None, cluster: str | None) -> dict[str, str]:
    row = dict(size.shown)
    if size.planned is None:
        return row | {"trainings": "-", "missing": "-", "they take": "-", "": ""}
    planned = size.planned
    trainings, missing = (len(each) + planned.num_undecided for each in (planned.trials, planned.missing))
    row |= {"trainings": f"{trainings:,}", "missing": f"{missing:,}", "they take": _hours(planned, cluster)}
    return row | {"": "<- cheapest" if size is cheapest else ""}


def _hours(planned: Plan, cluster: str | None) -> str:
    """GPU hours, where it is known on which GPUs; else the time of one worker."""
    try:
        found = plan_cluster(planned, cluster) if cluster else plan_here(planned)
    except StudyError:  # no machine here holds a trial
        found = None
    if found and found.gpu_hours and (cluster or planned.estimate.basis != "constants"):
        return f"{found.gpu_hours:.1f} GPU hours"
    return f"{readable(planned.estimate.seconds)} of one worker"


def _aligned(rows: list[dict[str, str]]) -> list[str]:
    table = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
