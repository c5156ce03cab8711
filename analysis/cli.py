"""The command `analysis`: every subcommand is a thin shell over the function of its name in `analysis.commands`."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from analysis.answer import Answer, frame_text, records
from analysis.enough import enough
from analysis.errors import AnalysisError
from analysis.export import TOOLS, export, follow
from analysis.formats import FORMATS
from analysis.gate import check
from analysis.load import PAPER, load, reference_marks
from analysis.metric import METRICS
from analysis.scores import CONFIGURATION, Scores
from analysis.spreadsheet import write_workbook
from analysis.stated import HELD_OUT_SPLITS, Stated
from analysis.statistics.material import ROPE
from analysis.tables import audit, audit_summary
from analysis.verdict import lacking
from study.terminal.command_line import DONE, IMPOSSIBLE, INTERRUPTED, Parser, carry_out
from trainers.boundaries import MAX_DISTANCE, TOLERANCE
from trainers.names import from_file_names
from trainers.printable import counted, printable

_MEAN = "; macro: the mean of the classes"

Command = Callable[[argparse.Namespace, Scores], tuple[str, int]]
"""What to print, and the exit status."""

XLSX = "xlsx"
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
    return carry_out(command_parser(), _answer, arguments)


def _answer(options: argparse.Namespace) -> int:
    if options.name == "export":
        return _export(options)
    if options.results is None:
        return _enough_of_stated(options)
    asked = {name: getattr(options, name) for name in ("select", "epsilon", "background", "metric", "tolerance")}
    scores = load(options.results, **asked)
    text, status = options.command(options, scores)
    for line in [*_warning_about_name(options.results), *lacking(scores)]:
        print(printable(line), file=sys.stderr)
    print(printable(text, keep="\n"))
    return int(status)


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
        commands, "tables", _tables, "scores by split and class, as in the paper's Tables 2-5, the worst marked"
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
    moved = _add(commands, "stability", _stability, "how far scores move over random splits, and on held-out ones")
    _add_json(moved)
    paired = _add(commands, "compare", _compare, "compare two configurations, paired by split")
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
    page = _add(commands, "report", _report, "write one self-contained HTML file, and its tables as JSON beside it")
    page.add_argument("--out", metavar="FILE", default="report.html", help="default: %(default)s")
    _add_rope(page)
    gate = _add(commands, "check", _check, "the gate: whether the scores keep within limits, decided by intervals")
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
    many = _add(commands, "enough", _enough, summary, needs_results=False)
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


def _limits(options: argparse.Namespace) -> dict[str, Any]:
    """What `_add_limits` takes, as `check` and `enough` do."""
    names = {name: getattr(options, name) for name in ("max_gap", "max_sd", "class_", "simulated")}
    names["min_dice"] = _least(options)
    return names | {name: getattr(options, f"{name}_") for name in ("model", "loss", "averaging")}


def _least(options: argparse.Namespace) -> float | None:
    """The limit of the mean, by the one of its two names that fits."""
    of_dice: float | None = options.min_dice
    of_any: float | None = options.min_score
    if of_dice is not None and of_any is not None:
        raise AnalysisError("--min-dice and --min-score set the same limit: give one of them")
    if of_dice is not None and options.metric != "dice":
        raise AnalysisError(f"--min-dice is a limit of the Dice: with --metric {options.metric} say --min-score")
    return of_any if of_dice is None else of_dice


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


def _export(options: argparse.Namespace) -> int:
    for num_new in follow(options.results, options.to) if options.follow else [export(options.results, options.to)]:
        print(printable(f"{counted(num_new, 'trial')} new: {options.to.partition(':')[2]}"), flush=True)
    return DONE


def _tables(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    if options.audit:
        marked = reference_marks(scores)
        return "\n".join([frame_text(audit(marked)), "", audit_summary(marked)]), DONE
    from analysis.commands import tables

    averagings = options.averaging.split(",") if options.averaging else None
    try:
        frames = tables(scores, averagings)
    except ValueError as error:  # an averaging that is not there
        raise AnalysisError(str(error)) from None
    if options.format == XLSX and not options.out:
        raise AnalysisError("a workbook cannot be printed: add --out FILE.xlsx")
    if options.out and options.format != XLSX:
        raise AnalysisError(f"--out is for workbooks (--format xlsx): send {options.format} to a file with > FILE")
    if options.out:
        trials = scores.facts.trials if scores.facts else None
        return str(write_workbook(options.out, frames, trials, options.decimals)), DONE
    return FORMATS[options.format](frames, options.decimals, options.exact), DONE


def _stability(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    from analysis.commands import stability

    return _shown(stability(scores), options), DONE


def _compare(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    from analysis.commands import compare

    a, b = (_configuration(text, scores) for text in (options.a, options.b))
    return _shown(compare(scores, a, b, options.rope, options.test_to_train), options), DONE


def _report(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    from analysis.report.write import report  # here, as drawing takes a second to import

    page = report(scores, options.out, options.rope)
    return f"{page}\n{page.with_suffix('.json')}", DONE


def _check(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    gated = check(scores, **_limits(options))
    if not options.json:
        return gated.text(), gated.status
    plain = {"status": gated.status, "verdict": gated.headline, "simulated": gated.simulated}
    plain |= {"metric": gated.metric.to_json()}
    plain |= {"training": gated.training or None, "how": gated.how, "checks": records(gated.checks)}
    return json.dumps(plain, indent=1, allow_nan=False), gated.status


def _enough(options: argparse.Namespace, scores: Scores | Stated) -> tuple[str, int]:
    if options.assume and isinstance(scores, Scores):
        raise AnalysisError(f"give {options.results} or --assume, not both: scores are measured or stated")
    found = enough(scores, **_limits(options))
    if not options.json:
        return found.text(), DONE
    return json.dumps(found.records(), indent=1, allow_nan=False), DONE


def _enough_of_stated(options: argparse.Namespace) -> int:
    if not options.assume:
        raise AnalysisError("give RESULTS, or --assume what you expect of the scores")
    text, status = _enough(options, Stated.of(options.assume))
    print(printable(text, keep="\n"))
    return status


def _warning_about_name(results: str) -> list[str]:
    """A line for who may have meant something else by the word `paper`."""
    if results != PAPER or not Path(PAPER).exists():
        return []
    return [f"{PAPER}: the paper's own tables; what is called so in this folder is ./{PAPER}"]


def _configuration(text: str, scores: Scores) -> tuple[str, str]:
    """The (model, loss) that MODEL-LOSS names; both may have hyphens of their own, and ~ for a colon, as files have."""
    known: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for model, loss in scores.table[CONFIGURATION].drop_duplicates().itertuples(index=False, name=None):
        known[f"{model}-{loss}"].append((model, loss))
    if text not in known:
        text = from_file_names(text)
    if text not in known:
        raise AnalysisError(f"{scores.source} has no configuration {text!r}; it has {', '.join(known)}")
    if len(known[text]) > 1:
        meanings = " and ".join(f"the model {model!r} with the loss {loss!r}" for model, loss in known[text])
        raise AnalysisError(f"{text!r} means {meanings}: give one of them another name in {scores.source}")
    return known[text][0]


def _shown(answer: Answer, options: argparse.Namespace) -> str:
    return json.dumps(answer.records(), indent=1, allow_nan=False) if options.json else answer.text()
