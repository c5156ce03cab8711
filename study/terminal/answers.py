"""What each subcommand of `study` says to a person or, with --json, to a program; and its exit status."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from study.cells import cells
from study.definition import SIMULATED, Definition
from study.definition.file import load
from study.definition.point import Point
from study.errors import StudyError
from study.halving import halving_in_words, num_trials
from study.outside import outside_of
from study.planning.capacity import Forecast
from study.planning.cost import Estimate, readable
from study.progress import Progress
from study.results import RUN_FILE
from study.results.place import open_place
from study.terminal.command_line import DONE, INTERRUPTED, NEGATIVE
from study.terminal.printing import PlainConsole, shell_word
from trainers.dice import AVERAGINGS
from trainers.printable import counted


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


def run(options: argparse.Namespace, console: PlainConsole) -> int:
    definition = load(options.definition, [*options.set, *(["simulate=true"] if options.simulate else [])])
    out = _out(options, definition)
    if options.until_decided:
        return _run_until_decided(definition, out, options, console)
    return _run_once(definition, out, options, console)


def _run_until_decided(definition: Definition, out: str, options: argparse.Namespace, console: PlainConsole) -> int:
    """With the random splits of one look after another, until the gate has decided."""
    from study.commands.until_decided import take_look
    from study.looks import Looks, parsed_gate, refuse_other_looks, with_first
    from study.results import Results

    looks = Looks.of(definition, parsed_gate(options.until_decided))
    refuse_other_looks(Results(out), looks)
    for taken, look in enumerate(looks.planned, start=1):
        console.say(f"Look {taken} of {len(looks.planned)} at most, at {look.num_random} random splits.")
        status = _run_once(with_first(definition, look.num_random), out, options, console)
        if status != DONE:
            return status
        decided, said = take_look(out, looks, taken, simulated=definition.simulate)
        console.say("", *said.split("\n"), "")
        if decided:
            break
    return DONE


def _run_once(definition: Definition, out: str, options: argparse.Namespace, console: PlainConsole) -> int:
    planned = counted(num_trials(definition), "trial")
    outside_of(definition)  # whose code is not there is told so at once
    console.say(f"Study {definition.name}: {planned}, to be kept in {_shown(out)} ...")
    from study.commands.run import run  # takes seconds, after which the data set is read
    from study.prepare import prepare
    from study.summary import trade_in_words
    from study.terminal.view import RunView, scores_table

    try:
        study = prepare(definition)
        console.say(*(f"Note: {note}" for note in study.notes))
        with RunView(console) as view:
            how = {"ray_log": options.ray_log, "retry_failed": options.retry_failed}
            done = run(study, out, view, options.address, **how)
    except KeyboardInterrupt:
        from study.results import Results

        kept = len(Results(out).audit().rows)
        committed = f"{counted(kept, 'trial')} {'is' if kept == 1 else 'are'} committed in {_shown(out)}"
        console.say(f"Interrupted. {committed}; the same command goes on from there.")
        return INTERRUPTED
    console.say(*[SIMULATED] * definition.simulate, "Mean example-wise Dice over the classes, test images:")
    console.print(scores_table(done.scores))
    console.say(*trade_in_words(done.scores, definition.search))
    for trial, reason in done.failed.items():
        console.say(f"failed: {trial}: {reason}")
    for trial, reason in done.unfinished.items():
        console.say(f"not run: {trial}: {reason}")
    if done.progress and done.progress.verdict_on_the_estimate:
        console.say(done.progress.verdict_on_the_estimate)
    console.say(f"Results: {_shown(out)}", f"Next:    {_next(out, definition)}")
    if done.unfinished:
        console.say("Run the same command again, or with --retry-failed, to try what could not be run.")
    return NEGATIVE if done.unfinished else DONE


def _next(out: str, definition: Definition) -> str:
    return f"analysis report {shell_word(_as_results(out))} --out {shell_word(f'{definition.name}.html')}"


def plan(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.plan import plan, plan_cluster, plan_here
    from study.planning.calibration import calibrate, factors_of

    definition = _definition(options)
    out = _out(options, definition)
    if options.gate or options.pilot or options.assume:
        return _plan_gate(definition, out, options, console)
    planned, speeds = plan(definition, out), []
    if options.calibrate and planned.missing:
        speeds = calibrate(definition)
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
    if options.calibrate and not planned.missing:
        console.say("Nothing is missing, so nothing was trained to estimate it (--calibrate).")
    for speed in speeds:
        console.say(speed.in_words)
    console.say(
        f"{counted(len(cells(definition)), 'cell')}, {counted(num_trials(definition), 'trial')}: "
        f"{len(planned.trials) - len(planned.missing):,} done, "
        f"{len(planned.missing) + planned.num_undecided:,} missing in {_shown(out)}.",
        *filter(None, [halving_in_words(definition)]),
        f"The missing ones take {readable(planned.estimate.seconds)} of one worker ({planned.estimate.in_words}).",
    )
    if options.cluster:
        console.say(_on_cluster(options.cluster, on_cluster))
    elif planned.missing:
        text = _here_in_words(planned.estimate, here) if here else f"Not on this machine: {why_not_here}"
        console.say(*text.split("\n"))
    return DONE


def _plan_gate(definition: Definition, out: str, options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.plan_gate import plan_gate
    from study.looks import parsed_gate
    from study.planning.calibration import calibrate, factors_of
    from study.terminal.gate_plan import gate_plan_in_lines

    if not options.gate:
        raise StudyError("--pilot and --assume are for --gate: say which limits, e.g. --gate max-gap=0.1,max-sd=0.05")
    if options.pilot and options.assume:
        raise StudyError("give --pilot or --assume, not both: scores are measured or stated")
    gate = parsed_gate(options.gate, "--gate")
    calibrated = factors_of(calibrate(definition)) if options.calibrate else {}
    found = plan_gate(definition, out, gate, options.pilot, options.assume, calibrated)
    if options.json:
        print(json.dumps({"out": out, **found.to_json()}))
    else:
        console.say(*[SIMULATED] * definition.simulate, *gate_plan_in_lines(found, options.cluster))
    return DONE


def _on_cluster(file: str, found: Forecast | None) -> str:
    if found is None:
        return f"{file}: sound. What its machines hold, Ray will find out when it starts there."
    return f"{file}: sound. {_forecast_in_words(found)}"


def _here_in_words(cost: Estimate, here: Forecast) -> str:
    if cost.basis == "constants":
        how_to_know = "To know how long that takes here, add --calibrate, which trains a few batches of each network."
        return f"This machine: {counted(here.at_once, 'trial')} at once. {how_to_know}"
    return f"This machine: {_forecast_in_words(here)}"


def _forecast_in_words(found: Forecast) -> str:
    gpus = f", {found.gpu_hours:.1f} GPU hours" if found.gpu_hours else ""
    return f"{counted(found.at_once, 'trial')} at once, about {readable(3600 * found.hours)}{gpus}, at that speed."


def status(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.status import status
    from study.terminal.view import live_picture

    now = status(options.out)
    progress = now.progress
    done = len(now.trials) - len(now.missing)
    if options.json:
        print(json.dumps(now.to_json()))
        return DONE if not now.missing else NEGATIVE
    console.say(*[SIMULATED] * now.definition.simulate)
    done_of_all = f"{done:,} of {counted(now.total, 'trial')} done"
    console.say(f"{_shown(options.out)}: {done_of_all}: {now.num_completed:,} completed, {now.num_failed:,} failed.")
    for trial, reason in now.failed.items():
        console.say(f"failed: {trial.id}: {reason}")
    for name, unfinished in now.unfinished.items():
        console.say(f"not run: {name}: {unfinished.in_words}")
    for trial, what in now.damaged.items():
        console.say(f"damaged: {trial.id}: {what}; the next run makes the trial again")
    running = progress.running if progress and now.alive else {}
    if waiting := [trial.id for trial in now.missing if trial.id not in running]:
        console.say("missing: " + ", ".join(waiting[:6]) + (" ..." * (len(waiting) > 6)))
    if now.refits:
        refits = ", ".join(trial.id for trial in now.refits)
        console.say(f"trained on all images, and none of these trials: {refits}")
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
    return {
        "running": "was killed",
        "interrupted": "was interrupted",
        "incomplete": "ended, and could not run all trials",
    }.get(progress.state, progress.state)


def trial(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.cells import parse_trial
    from study.commands.trial import trial

    definition = _definition(options)
    epochs = parse_trial(options.trial).epochs or definition.training.epochs

    def show(epoch: Any) -> None:
        losses = f"training loss {epoch.train_loss:.4f}"
        if epoch.val_loss is not None:
            objective = "undefined" if epoch.objective is None else f"{epoch.objective:.3f}"
            losses += f", validation loss {epoch.val_loss:.4f}, validation Dice {objective}"
        console.say(f"epoch {epoch.epoch} of {epochs}: {losses}, {epoch.seconds:.1f} s")

    done = trial(options.trial, definition, options.out, (lambda epoch: None) if options.json else show)
    row = done.row
    if options.json:
        print(json.dumps(done.to_json(), default=str))
    else:
        console.say(*[SIMULATED] * definition.simulate)
        _print_trial(console, row, done.test_scores)
        out = "" if options.out is None else _shown(options.out)
        console.say(*["The definition has no such trial: no run of it makes this one."] * (not done.in_definition))
        console.say(
            {
                "committed": f"Committed to {out}.",
                "not kept": "Nothing was written (no --out).",
                "reproduced": f"{out} holds this trial already; this run gave the same tables, bit for bit.",
                "differs": f"{out} holds this trial already, and it DIFFERS in {', '.join(done.differing)}.",
            }[done.outcome],
            *["That is not a defect: training.deterministic is false."]
            * (done.outcome == "differs" and not definition.training.deterministic),
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
    chosen = "the lowest validation loss" if test else "the last: no image is left to validate with, or to test"
    console.say(
        f"{row['trial']}: {f'{point}, ' if point else ''}{counted(row['parameters'], 'parameter')}, "
        f"{row['gflops']:.2f} GFLOP an image, {row['latency_ms_median']:.1f} ms an image; weights of epoch "
        f"{row['selected_epoch']}, {chosen}; {row['train_seconds']:.0f} s."
    )
    if test:
        console.print(table)


def data(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.data import describe_data

    definition = _definition(options) if options.definition else None
    settings = [] if options.definition else options.set
    report = describe_data(options.path, definition, options.sheet, format=options.format, settings=settings)
    if options.json:
        print(json.dumps(report.to_json()))
    else:
        console.say(*report.text.split("\n"))
    return NEGATIVE if report.problems else DONE


def init(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.init import init

    how = {"force": options.force, "format": options.format, "settings": options.set}
    look = init(options.path, options.to, **how, tell=PlainConsole(stderr=True).say)
    if options.json:
        print(json.dumps(look.to_json()))
        return DONE
    console.say(*look.text.split("\n"))
    console.say(f"Written: {look.written}", f"Next:    {_plan_and_run(look.written)}")
    return DONE


def _plan_and_run(file: str) -> str:
    return f"study plan {shell_word(file)}, then study run {shell_word(file)}"


def keys(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.definition.keys import in_json, in_markdown, in_text, keys

    show = in_json if options.json else in_markdown if options.markdown else in_text
    print(show(keys(options.section)))
    return DONE
