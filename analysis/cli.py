"""The command `analysis`: every subcommand is a thin shell over the function of its name in `analysis.commands`."""

from __future__ import annotations

import argparse
import contextlib
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from analysis.export import TOOLS
from analysis.formats import FORMATS
from analysis.metric import METRICS
from analysis.scores import Scores
from analysis.stated import HELD_OUT_SPLITS
from analysis.statistics.material import ROPE
from analysis.subcommands import (
    XLSX,
    carry_out_subcommand,
    check_limits,
    compare_two,
    show_enough,
    show_stability,
    show_tables,
    write_report,
)
from study.terminal.command_line import DONE, IMPOSSIBLE, INTERRUPTED, Parser, carry_out
from trainers.boundaries import MAX_DISTANCE, TOLERANCE

_MEAN = "; macro: the mean of the classes"

Command = Callable[[argparse.Namespace, Scores], tuple[str, int]]
"""What to print, and the exit status."""

_EPILOG = (
    f"exit status: {DONE} done, {IMPOSSIBLE} the command could not be carried out, {INTERRUPTED} interrupted. "
    "check has others: see its help."
)
_CHECK_EPILOG = (
    "exit status: 0 stable: every limit is met; 1 not stable: some limit has failed, by name; 2 the command could not "
    "be carried out; 3 cannot tell: too few splits for what is asked, or scores missing."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    return carry_out(command_parser(), carry_out_subcommand, arguments)


def command_parser() -> Parser:
    """All commands and their arguments."""
    parser = Parser(
        prog="analysis",
        description="What a study's scores say, and what they cannot say. RESULTS is a study's directory or URI, a "
        "tidy CSV or Parquet file of scores (columns model, loss, split, averaging, class, dice; or iou, ...), or the "
        "word paper.",
        epilog=_EPILOG,
    )
    commands = parser.add_commands()
    shown = _add(
        commands, "tables", show_tables, "scores by split and class, as in the paper's Tables 2-5, the worst marked"
    )
    shown.add_argument("--averaging", help="which ones, in this order, e.g. pw,ew,pooled (default: pw,ew)")
    shown.add_argument("--format", choices=(*FORMATS, XLSX), default="text", help="default: %(default)s")
    shown.add_argument("--out", metavar="FILE", help="the workbook to write, for --format xlsx: scores, and all trials")
    shown.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    shown.add_argument("--decimals", type=_decimals, metavar="N", default=2, help="default: %(default)s")
    shown.add_argument(
        "--exact", action="store_true", help="mark the worst by full precision, not by the printed decimals"
    )
    shown.add_argument(
        "--audit", action="store_true", help="say where the paper's printed marks are wrong (RESULTS: paper)"
    )
    moved = _add(commands, "stability", show_stability, "how far scores move over random splits, and on held-out ones")
    _add_json(moved)
    paired = _add(commands, "compare", compare_two, "compare two configurations, paired by split")
    paired.add_argument("a", metavar="A", help="a configuration, e.g. icnet-ce_dice")
    paired.add_argument("b", metavar="B", help="the other, e.g. icnet-ce")
    _add_rope(paired)
    paired.add_argument(
        "--test-to-train",
        type=_ratio,
        metavar="X",
        help="images tested over images left to training, for the interval, e.g. 131/515 (default: from the study)",
    )
    _add_json(paired)
    page = _add(
        commands, "report", write_report, "write one self-contained HTML file, and its tables as JSON beside it"
    )
    page.add_argument("--out", metavar="FILE", default="report.html", help="default: %(default)s")
    _add_rope(page)
    gate = _add(
        commands, "check", check_limits, "the gate: whether the scores keep within limits, decided by intervals"
    )
    gate.epilog = _CHECK_EPILOG
    _add_limits(gate)
    _add_json(gate)
    own = "write a study's trials for other tools: " + ", ".join(TOOLS)
    sent = commands.add_parser("export", help=own, description=f"{own[0].upper()}{own[1:]}.", epilog=_EPILOG)
    sent.set_defaults(parser=sent)
    sent.add_argument("results", metavar="RESULTS", help="a study's directory or URI")
    sent.add_argument(
        "--to", metavar="TOOL:PLACE", required=True, help="; ".join(f"{k}: {v}" for k, v in TOOLS.items())
    )
    sent.add_argument("--follow", action="store_true", help="go on while the study runs")
    summary = "how many random splits and seeds the gate needs, from a pilot or from what you expect"
    many = _add(commands, "enough", show_enough, summary, needs_results=False)
    many.add_argument(
        "--assume",
        metavar="NAME=X,...",
        help="instead of RESULTS, what you expect of one check: mean, sd (of one training), seed-sd (the part of it "
        f"that comes from the seed), gap, held-out (how many such splits; default: {HELD_OUT_SPLITS}), e.g. "
        "mean=0.8,sd=0.05,gap=0.05",
    )
    _add_limits(many)
    _add_json(many)
    parser.add_completion(commands)
    return parser


def _add(commands: Any, name: str, command: Command, summary: str, *, needs_results: bool = True) -> Parser:
    about = summary[0].upper() + summary[1:] + "."
    parser: Parser = commands.add_parser(name, help=summary, description=about, epilog=_EPILOG)
    parser.set_defaults(command=command, parser=parser)
    what, count = "a study's directory, a tidy table, or the word paper", None if needs_results else "?"
    parser.add_argument("results", metavar="RESULTS", nargs=count, help=what)
    parser.add_argument(
        "--select",
        choices=("default", "tuned"),
        default="default",
        help="which trial of each cell: that of the default point, or the best by validation (default: %(default)s)",
    )
    parser.add_argument(
        "--epsilon", type=float, metavar="SHARE", help="recompute the scores under this noise tolerance"
    )
    words = ", ".join(f"{name} ({what})" if name != what.lower() else name for name, what in METRICS.items())
    parser.add_argument(
        "--metric", choices=[*METRICS], default="dice", help=f"what scores measure: {words} (default: %(default)s)"
    )
    parser.add_argument(
        "--tolerance",
        type=_pixels,
        metavar="PIXELS",
        help=f"of the surface Dice: how far apart boundaries may lie, up to {MAX_DISTANCE} (default: {TOLERANCE}), at "
        "the size at which the study counts pixels",
    )
    parser.add_argument(
        "--background", metavar="CLASS", help="of a tidy table: the class that is the background (default: by its name)"
    )
    return parser


def _add_limits(parser: Parser) -> None:
    """What a gate may be asked, and narrowed to."""
    parser.add_argument(
        "--max-gap", type=float, metavar="X", help="the mean on random splits minus that on held-out ones"
    )
    parser.add_argument("--max-sd", type=float, metavar="X", help="the SD of one training over random splits")
    parser.add_argument("--min-dice", type=float, metavar="X", help="the mean over random splits")
    parser.add_argument("--min-score", type=float, metavar="X", help="the same, for any --metric")
    for name in ("model", "loss", "class", "averaging"):
        parser.add_argument(
            f"--{name}", dest=f"{name}_", metavar=name.upper(), help=f"check this one only{_MEAN * (name == 'class')}"
        )
    parser.add_argument("--simulated", action="store_true", help="judge simulated results, too (otherwise refused)")


def _pixels(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of pixels")
    return int(text)


def _number(text: str) -> float:
    """A finite number of 0 or more."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")


def _ratio(text: str) -> float:
    """A number of 0 or more, or one over another."""
    over, _, under = text.partition("/")
    if under and not _number(under):
        raise argparse.ArgumentTypeError(f"{text!r} divides by 0")
    return _number(over) / (_number(under) if under else 1.0)


def _decimals(text: str) -> int:
    if not re.fullmatch("[0-9]|1[0-7]", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of decimals; a score has 0 to 17")
    return int(text)


def _add_rope(parser: Parser) -> None:
    parser.add_argument(
        "--rope",
        type=_number,
        metavar="X",
        default=ROPE,
        help="a difference between scores of at most this counts as none (default: %(default)s)",
    )


def _add_json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="answer in JSON")
