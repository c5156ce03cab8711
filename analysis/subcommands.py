"""What the subcommands of `analysis` answer: each a text to print, and an exit status."""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from analysis.answer import Answer, frame_text, records
from analysis.enough import enough
from analysis.errors import AnalysisError
from analysis.export import export, follow
from analysis.formats import FORMATS
from analysis.gate import check
from analysis.load import PAPER, load, reference_marks
from analysis.scores import CONFIGURATION, Scores
from analysis.spreadsheet import write_workbook
from analysis.stated import Stated
from analysis.tables import audit, audit_summary
from analysis.verdict import lacking
from study.terminal.command_line import DONE
from trainers.names import from_file_names
from trainers.printable import counted, printable

XLSX = "xlsx"
"""The format of tables that cannot be printed."""


def carry_out_subcommand(options: argparse.Namespace) -> int:
    if options.name == "export":
        return export_trials(options)
    if options.results is None:
        return _enough_of_stated(options)
    asked = {name: getattr(options, name) for name in ("select", "epsilon", "background", "metric", "tolerance")}
    scores = load(options.results, **asked)
    text, status = options.command(options, scores)
    for line in [*_warning_about_name(options.results), *lacking(scores)]:
        print(printable(line), file=sys.stderr)
    print(printable(text, keep="\n"))
    return int(status)


def _limits(options: argparse.Namespace) -> dict[str, Any]:
    """What a gate is asked, and narrowed to, as `check` and `enough` take it."""
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


def export_trials(options: argparse.Namespace) -> int:
    for num_new in follow(options.results, options.to) if options.follow else [export(options.results, options.to)]:
        print(printable(f"{counted(num_new, 'trial')} new: {options.to.partition(':')[2]}"), flush=True)
    return DONE


def show_tables(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
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


def show_stability(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    from analysis.commands import stability

    return _shown(stability(scores), options), DONE


def compare_two(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    from analysis.commands import compare

    a, b = (_configuration(text, scores) for text in (options.a, options.b))
    return _shown(compare(scores, a, b, options.rope, options.test_to_train), options), DONE


def write_report(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    from analysis.report.write import report  # here, as drawing takes a second to import

    page = report(scores, options.out, options.rope)
    return f"{page}\n{page.with_suffix('.json')}", DONE


def check_limits(options: argparse.Namespace, scores: Scores) -> tuple[str, int]:
    gated = check(scores, **_limits(options))
    if not options.json:
        return gated.text(), gated.status
    plain = {"status": gated.status, "verdict": gated.headline, "simulated": gated.simulated}
    plain |= {"metric": gated.metric.to_json()}
    plain |= {"training": gated.training or None, "how": gated.how, "checks": records(gated.checks)}
    return json.dumps(plain, indent=1, allow_nan=False), gated.status


def show_enough(options: argparse.Namespace, scores: Scores | Stated) -> tuple[str, int]:
    if options.assume and isinstance(scores, Scores):
        raise AnalysisError(f"give {options.results} or --assume, not both: scores are measured or stated")
    found = enough(scores, **_limits(options))
    if not options.json:
        return found.text(), DONE
    return json.dumps(found.records(), indent=1, allow_nan=False), DONE


def _enough_of_stated(options: argparse.Namespace) -> int:
    if not options.assume:
        raise AnalysisError("give RESULTS, or --assume what you expect of the scores")
    text, status = show_enough(options, Stated.of(options.assume))
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
