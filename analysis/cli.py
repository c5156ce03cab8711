"""The command `analysis`: every subcommand is a thin shell over the package's public functions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from analysis.comparison import columns_against_rotation, compare, random_against_rotation
from analysis.errors import AnalysisError
from analysis.load import Scores, load, reference_marks
from analysis.ranks import class_agreement, configuration_ranks, extreme_classes, worst_of_columns
from analysis.stability import Refusal, stability, variance_shares
from analysis.tables import audit, audit_summary, tables
from analysis.tables_output import FORMATS

Command = Callable[[argparse.Namespace, Scores], str]

DONE, IMPOSSIBLE = 0, 2
_EPILOG = f"exit status: {DONE} done, {IMPOSSIBLE} the command could not be carried out."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    try:
        scores = load(options.results, options.select, options.epsilon)
        text = command(options, scores)
    except (AnalysisError, ValueError, KeyError) as error:
        message = error.args[0] if isinstance(error, KeyError) else error
        print(f"analysis {options.name}: {message}", file=sys.stderr)
        return IMPOSSIBLE
    for line in _incomplete(scores):
        print(line, file=sys.stderr)
    print(text)
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="analysis",
        description="What a study's scores say, and what they cannot say. RESULTS is a study's directory, a tidy CSV "
        "or Parquet of Dice (columns model, loss, split, averaging, class, dice), or the word paper.",
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    shown = _add(commands, "tables", _tables, "split x class as in the paper's Tables 2-5, the worst marked")
    shown.add_argument("--averaging", help="which, in order, e.g. pw,ew,pooled (default: pw,ew)")
    shown.add_argument("--format", choices=tuple(FORMATS), default="text", help="default: %(default)s")
    shown.add_argument("--decimals", type=int, default=2, help="default: %(default)s")
    shown.add_argument("--exact", action="store_true", help="mark by full precision, not by what is printed")
    shown.add_argument("--audit", action="store_true", help="where printed marks are wrong (RESULTS: paper)")
    _add(commands, "stability", _stability, "how far scores move over random splits, and under rotation")
    paired = _add(commands, "compare", _compare, "two configurations, paired by split")
    paired.add_argument("a", metavar="A", help="a configuration, e.g. icnet-ce_dice")
    paired.add_argument("b", metavar="B", help="the other, e.g. icnet-ce")
    paired.add_argument(
        "--rope", type=float, default=0.01, help="differences within it are equal (default: %(default)s)"
    )
    return parser


def _add(commands: Any, name: str, command: Command, summary: str) -> argparse.ArgumentParser:
    about = summary[0].upper() + summary[1:] + "."
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=about, epilog=_EPILOG)
    parser.set_defaults(command=command)
    parser.add_argument("results", metavar="RESULTS", help="a study's directory, a tidy table, or the word paper")
    parser.add_argument("--select", choices=("default", "tuned"), default="default", help="tuned: best by validation")
    parser.add_argument("--epsilon", type=float, help="recompute the scores under this noise tolerance")
    return parser


def _tables(options: argparse.Namespace, scores: Scores) -> str:
    if options.audit:
        marked = reference_marks(scores)
        return "\n".join([_frame(audit(marked)), "", audit_summary(marked)])
    averagings = options.averaging.split(",") if options.averaging else None
    return FORMATS[options.format](tables(scores.table, averagings), options.decimals, options.exact)


def _stability(options: argparse.Namespace, scores: Scores) -> str:
    # The paper's two averagings: pooling a third with them in one statistic would weigh some scores twice.
    table = scores.table[scores.table["averaging"].isin(("pw", "ew"))]
    worst = worst_of_columns(table)
    p = worst.p.reason if isinstance(worst.p, Refusal) else f"exact p {worst.p:.4f}"
    headline = (
        f"The worst of {worst.rotation_columns:g} of {worst.num_columns} columns ({worst.column_share:.1%}) is on a "
        f"rotation split; by chance {worst.chance:.1%} would be ({p})."
    )
    parts = {
        "Is rotation harder? Mean over object classes, random minus rotation": random_against_rotation(table),
        "The same by column: exploratory": columns_against_rotation(table),
        "Scores over random splits, and on each rotation split": stability(table),
        "What moves the scores on random splits": variance_shares(table),
        "Do splits agree on the order of the classes?": class_agreement(table),
        "The order of the configurations": configuration_ranks(table),
        "Share of runs in which a class is the hardest, and the easiest": extreme_classes(table),
    }
    return "\n\n".join([headline, *(f"{title}\n{_frame(frame)}" for title, frame in parts.items())])


def _compare(options: argparse.Namespace, scores: Scores) -> str:
    a, b = (_configuration(text) for text in (options.a, options.b))
    random = [split for split in scores.num_test if split.startswith("random_")]
    if not random:
        raise AnalysisError(
            f"{scores.source} does not say how many images its splits train on and test, which the interval needs: "
            "compare on a study's directory"
        )
    ratio = sum(scores.num_test[split] for split in random) / sum(scores.num_train[split] for split in random)
    frame = compare(scores.table, a, b, test_to_train=ratio, rope=options.rope)
    return f"{options.a} - {options.b}, test/train ratio {ratio:.3f}, equal within {options.rope:g}\n{_frame(frame)}"


def _configuration(text: str) -> tuple[str, str]:
    model, hyphen, loss = text.partition("-")
    if not hyphen:
        raise AnalysisError(f"{text!r} is no configuration; one looks like icnet-ce_dice")
    return model, loss


def _incomplete(scores: Scores) -> list[str]:
    """What is missing or failed, which no number above makes up for."""
    missing = [f"missing: {name}" for name in scores.missing]
    return [*missing, *(f"failed: {trial}: {reason}" for trial, reason in scores.failed.items())]


def _frame(frame: pd.DataFrame) -> str:
    """A frame as text; what stands in every `note` alike is said once, below."""
    notes = list(dict.fromkeys(note for note in frame.get("note", ()) if note))
    shown = frame.drop(columns="note", errors="ignore")
    text = shown.to_string(index=False, float_format=lambda value: f"{value:.3f}", na_rep="-")
    return "\n".join([text, *(f"note: {note}" for note in notes)])
