"""The command `study`: every subcommand is a thin shell over one public function."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from study.cells import cells
from study.definition import PRESETS, SIMULATED, Definition
from study.definition.file import load
from study.definition.point import Point
from study.errors import StudyError
from study.planning.capacity import Forecast
from study.planning.cost import Estimate, readable
from study.progress import Progress
from study.results import RUN_FILE
from study.results.place import open_place
from study.terminal.command_line import DONE, IMPOSSIBLE, INTERRUPTED, NEGATIVE, Parser, carry_out
from study.terminal.printing import PlainConsole, shell_word
from trainers.dice import AVERAGINGS

_EPILOG = f"""\
exit status: {DONE} done, {NEGATIVE} a negative finding (trials that are missing or could not be run, a trial that is
not reproduced, bad data), {IMPOSSIBLE} the command could not be carried out, {INTERRUPTED} interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    return carry_out(_parser(), lambda options: options.command(options, PlainConsole()), arguments)


def _parser() -> Parser:
    parser = Parser(
        prog="study",
        description="Train {networks} x {losses} x {splits} and keep what comes out as Parquet.\n"
        "Running a study again continues it; a larger definition adds to it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_commands()
    run = _add(commands, "run", _run, "run what is missing of a study, and show its scores")
    _takes_definition(run)
    run.add_argument("--address", help="a Ray cluster, e.g. auto or 10.0.0.1:6379 (default: this machine alone)")
    run.add_argument("--retry-failed", action="store_true", help="try only trials that could not be run before")
    run.add_argument("--simulate", action="store_true", help="draw plausible results instead of training (a tryout)")
    run.add_argument("--ray-log", action="store_true", help="show Ray's own messages, and what its workers print")
    plan = _add(commands, "plan", _plan, "list every cell and trial, done or missing, and estimate the cost")
    _takes_definition(plan)
    plan.add_argument(
        "--calibrate", action="store_true", help="train a few batches of each network here, for the estimate"
    )
    plan.add_argument("--cluster", metavar="FILE", help="check a cluster.yaml offline, and say what it takes there")
    status = _add(commands, "status", _status, "what is done, failed, missing and running at OUT")
    status.add_argument("out", metavar="OUT", help="where a study keeps its results")
    trial = _add(commands, "trial", _trial, "run one trial here, in this process, without Ray")
    trial.add_argument("trial", metavar="TRIAL", help="e.g. icnet-ce-random_3-s0-t00")
    _takes_definition(
        trial, out="keep the trial there, or, if it is there already, compare bit for bit (default: keep nothing)"
    )
    data = _add(commands, "data", _data, "check and describe a data set, and propose held-out splits")
    data.add_argument(
        "path", metavar="PATH", nargs="?", help="a folder (default: the definition's, or the set that ships with this)"
    )
    data.add_argument("--definition", help="a preset or a TOML file: check also that its splits can be made")
    data.add_argument("--sheet", metavar="FILE", help="draw a contact sheet there, as PNG")
    init = _add(commands, "init", _init, "look at a data set, and write a definition for it that runs")
    init.add_argument("path", metavar="PATH", help="the folder of a data set: photographs with label maps, or cut-outs")
    init.add_argument("--to", metavar="FILE", help="the definition's file (default: the folder's name, .toml)")
    init.add_argument("--force", action="store_true", help="overwrite the file if it exists")
    init.add_argument("--format", metavar="FORMAT", help="cut-outs, folders, coco or parquet, where several fit")
    init.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="say something of the data set, e.g. --set data.pairs.ignore=255 (study keys data.pairs lists the keys)",
    )
    keys = _add(commands, "keys", _keys, "explain every key of a definition: what it may be, and its default")
    keys.add_argument("section", metavar="SECTION", nargs="?", help="one section alone, e.g. training")
    keys.add_argument("--markdown", action="store_true", help="as the page docs/definition.md")
    for sub in (plan, status, trial, data, init, keys):
        sub.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def _add(commands: Any, name: str, function: Callable[..., int], summary: str) -> Parser:
    parser: Parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=function, parser=parser)
    return parser


_WHERE = "where the results are kept (default: results/NAME, NAME being the definition's)"


def _takes_definition(parser: Parser, out: str = _WHERE) -> None:
    parser.add_argument(
        "definition",
        metavar="DEFINITION",
        nargs="?",
        default="demo",
        help=f"a TOML file, or a preset: {', '.join(PRESETS)} (default: demo)",
    )
    parser.add_argument("--out", metavar="OUT", help=f"{out}: a directory or a URI such as s3://bucket/prefix")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="put one value into the definition, e.g. --set search.trials=20 --set grid.seeds=0,1,2 (study keys "
        "lists the keys)",
    )


def _definition(options: argparse.Namespace) -> Definition:
    return load(options.definition, options.set)


def _out(options: argparse.Namespace, definition: Definition) -> str:
    return f"results/{definition.name}{'-simulated' * definition.simulate}" if options.out is None else str(options.out)


def _shown(out: str) -> str:
    """OUT as people see it, without credentials."""
    return open_place(out).shown


def _as_results(out: str) -> str:
    """OUT as `analysis` takes it: the word paper means the paper's own tables."""
    return "./paper" if out == "paper" else _shown(out)


def _run(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.run import run
    from study.prepare import prepare
    from study.terminal.view import RunView, scores_table

    definition = load(options.definition, [*options.set, *(["simulate=true"] if options.simulate else [])])
    out = _out(options, definition)
    try:
        with RunView(console) as view:
            how = {"ray_log": options.ray_log, "retry_failed": options.retry_failed}
            done = run(prepare(definition), out, view, options.address, **how)
    except KeyboardInterrupt:
        from study.results import Results

        kept = len(Results(out).audit().rows)
        console.say(f"Interrupted. {kept} trials are committed in {_shown(out)}; the same command goes on from there.")
        return INTERRUPTED
    console.say(*[SIMULATED] * definition.simulate, "Mean example-wise Dice over the object classes, test images:")
    console.print(scores_table(done.scores))
    for trial, reason in done.failed.items():
        console.say(f"failed: {trial}: {reason}")
    for trial, reason in done.unfinished.items():
        console.say(f"not run: {trial}: {reason}")
    if done.progress and done.progress.verdict_on_the_estimate:
        console.say(done.progress.verdict_on_the_estimate)
    console.say(f"Results: {_shown(out)}", f"Next:    analysis tables {shell_word(_as_results(out))}")
    if done.unfinished:
        console.say("Run the same command again, or with --retry-failed, to try what could not be run.")
    return NEGATIVE if done.unfinished else DONE


def _plan(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.plan import plan, plan_cluster, plan_here
    from study.planning.calibration import calibrate, factors_of

    definition = _definition(options)
    out = _out(options, definition)
    speeds = calibrate(definition) if options.calibrate else []
    planned = plan(definition, out, factors_of(speeds))
    on_cluster = plan_cluster(planned, options.cluster) if options.cluster else None
    try:
        here, why_not_here = plan_here(planned), ""
    except StudyError as error:  # the plan may be meant for a cluster
        here, why_not_here = None, str(error)
    if options.json:
        answer = {"out": out, **planned.to_json()}
        answer |= {"speeds": [asdict(speed) | {"point": dict(speed.point)} for speed in speeds]}
        unknown = {"hours": None, "gpu_hours": None} if planned.estimate.basis == "constants" else {}
        answer |= {"here": {**asdict(here), **unknown} if here else None}
        print(json.dumps(answer | ({"cluster": asdict(on_cluster)} if on_cluster else {})))
        return DONE
    console.say(*planned.in_lines(), *planned.notes)
    for speed in speeds:
        console.say(f"{speed.model} at {speed.point}: {speed.images_per_second:.1f} images/s here")
    console.say(
        f"{len(cells(definition))} cells, {len(planned.trials)} trials: {len(planned.trials) - len(planned.missing)} "
        f"done, {len(planned.missing)} missing in {_shown(out)}.",
        f"The missing ones take {readable(planned.estimate.seconds)} of one worker ({planned.estimate.in_words}).",
    )
    if options.cluster:
        console.say(_on_cluster(options.cluster, on_cluster))
    elif planned.missing:
        text = _here_in_words(planned.estimate, here) if here else f"Not on this machine: {why_not_here}"
        console.say(*text.split("\n"))
    return DONE


def _on_cluster(file: str, found: Forecast | None) -> str:
    if found is None:
        return f"{file}: sound. What its machines hold, Ray will find out when it starts there."
    return f"{file}: sound. {_forecast_in_words(found)}"


def _here_in_words(cost: Estimate, here: Forecast) -> str:
    if cost.basis == "constants":
        how_to_know = "To know how long that takes here, add --calibrate, which trains a few batches of each network."
        return f"This machine: {here.at_once} trials at once. {how_to_know}"
    return f"This machine: {_forecast_in_words(here)}"


def _forecast_in_words(found: Forecast) -> str:
    gpus = f", {found.gpu_hours:.1f} GPU hours" if found.gpu_hours else ""
    return f"{found.at_once} trials at once, about {readable(3600 * found.hours)}{gpus}, at that speed."


def _status(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.status import status
    from study.terminal.view import live_picture

    now = status(options.out)
    progress = now.progress
    done = len(now.trials) - len(now.missing)
    if options.json:
        print(json.dumps(now.to_json()))
        return DONE if not now.missing else NEGATIVE
    console.say(*[SIMULATED] * now.definition.simulate)
    console.say(f"{_shown(options.out)}: {done} of {len(now.trials)} trials done, {len(now.failed)} of them failed.")
    for trial, reason in now.failed.items():
        console.say(f"failed: {trial.id}: {reason}")
    for name, unfinished in now.unfinished.items():
        console.say(f"not run: {name}: {unfinished.in_words}")
    for trial, what in now.damaged.items():
        console.say(f"damaged: {trial.id}: {what}; the next run makes the trial again")
    running = progress.running if progress and now.alive else {}
    if waiting := [trial.id for trial in now.missing if trial.id not in running]:
        console.say("missing: " + ", ".join(waiting[:6]) + (" ..." * (len(waiting) > 6)))
    if not progress:
        console.say(
            "A run is at work." if now.alive else f"Nothing is running, and {RUN_FILE} says nothing of a last run."
        )
    elif now.alive:
        console.say(f"Running on {progress.host} (pid {progress.pid}):")
        console.print(live_picture(progress))
    else:
        when = datetime.fromtimestamp(progress.updated, UTC).strftime("%Y-%m-%d %H:%M UTC")
        console.say(
            f"Nothing is running. The last run, on {progress.host}, {_how_it_ended(progress)} ({when}, by its clock)."
        )
    return DONE if not now.missing else NEGATIVE


def _how_it_ended(progress: Progress) -> str:
    if progress.state == "stopped":
        return f"was stopped: {progress.reason}"
    return "was killed" if progress.state == "running" else f"ended {progress.state}"


def _trial(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.trial import trial

    definition = _definition(options)

    def show(epoch: Any) -> None:
        objective = "undefined" if epoch.objective is None else f"{epoch.objective:.3f}"
        console.say(
            f"epoch {epoch.epoch} of {definition.training.epochs}: training loss {epoch.train_loss:.4f}, "
            f"validation loss {epoch.val_loss:.4f}, validation Dice {objective}, {epoch.seconds:.1f} s"
        )

    done = trial(options.trial, definition, options.out, (lambda epoch: None) if options.json else show)
    row = done.row
    if options.json:
        print(json.dumps(done.to_json(), default=str))
    else:
        console.say(*[SIMULATED] * definition.simulate)
        _print_trial(console, row, done.test_scores)
        out = "" if options.out is None else _shown(options.out)
        console.say(
            {
                "committed": f"Committed to {out}.",
                "not kept": "Nothing was written (no --out).",
                "reproduced": f"{out} holds this trial already; this run gave the same tables, bit for bit.",
                "differs": f"{out} holds this trial already, and it DIFFERS in {', '.join(done.differing)}.",
            }[done.outcome],
        )
    return NEGATIVE if done.outcome == "differs" or row["status"] == "failed" else DONE


def _print_trial(console: PlainConsole, row: dict[str, Any], test: list[dict[str, Any]]) -> None:
    if row["status"] == "failed":
        console.say(f"{row['trial']} failed: {row['error']}")
        return
    point, table = Point.from_json(row["point"]), Table(box=None, pad_edge=False)
    for column in ("test Dice", *(score["class"] for score in test)):
        table.add_column(column)
    for name in AVERAGINGS:
        values = [score[f"dice_{name}"] for score in test]
        table.add_row(name, *("-" if value is None else f"{value:.3f}" for value in values))
    console.say(
        f"{row['trial']}: {f'{point}, ' if point else ''}{row['parameters']:,} parameters, "
        f"{row['gflops']:.2f} GFLOP an image, {row['latency_ms_median']:.1f} ms an image; weights of epoch "
        f"{row['selected_epoch']}, the lowest validation loss; {row['train_seconds']:.0f} s."
    )
    console.print(table)


def _data(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.data import describe_data

    definition = load(options.definition) if options.definition else None
    report = describe_data(options.path, definition, options.sheet)
    if options.json:
        print(json.dumps(report.to_json()))
    else:
        console.say(*report.text.split("\n"))
    return NEGATIVE if report.problems else DONE


def _init(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.init import init

    look = init(options.path, options.to, force=options.force, format=options.format, settings=options.set)
    if options.json:
        print(json.dumps(look.to_json()))
        return DONE
    console.say(*look.text.split("\n"))
    console.say(f"Written: {look.written}", f"Next:    study plan {shell_word(look.written)}, then study run")
    return DONE


def _keys(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.definition.keys import in_json, in_markdown, in_text, keys

    show = in_json if options.json else in_markdown if options.markdown else in_text
    print(show(keys(options.section)))
    return DONE
