"""What each subcommand of `study` says to a person or, with --json, to a program; and its exit status."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from study.definition import SIMULATED, Definition
from study.definition.file import load
from study.definition.point import Point
from study.halving import num_trials
from study.outside import outside_of
from study.progress import Progress
from study.results import RUN_FILE
from study.results.place import open_place
from study.terminal.command_line import DONE, INTERRUPTED, NEGATIVE
from study.terminal.printing import PlainConsole, shell_word
from trainers.dice import AVERAGINGS
from trainers.printable import counted


def asked_definition(options: argparse.Namespace) -> Definition:
    return load(options.definition, options.set)


def asked_out(options: argparse.Namespace, definition: Definition) -> str:
    return f"results/{definition.name}{'-simulated' * definition.simulate}" if options.out is None else str(options.out)


def shown_out(out: str) -> str:
    """OUT as people see it, without credentials."""
    return open_place(out).shown


def _as_results(out: str) -> str:
    """OUT as `analysis` takes it: the word paper means the paper's own tables."""
    return "./paper" if out == "paper" else shown_out(out)


def run(options: argparse.Namespace, console: PlainConsole) -> int:
    definition = load(options.definition, [*options.set, *(["simulate=true"] if options.simulate else [])])
    out = asked_out(options, definition)
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
    console.say(f"Study {definition.name}: {planned}, to be kept in {shown_out(out)} ...")
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
        committed = f"{counted(kept, 'trial')} {'is' if kept == 1 else 'are'} committed in {shown_out(out)}"
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
    console.say(f"Results: {shown_out(out)}", f"Next:    {_next(out, definition)}")
    if done.unfinished:
        console.say("Run the same command again, or with --retry-failed, to try what could not be run.")
    return NEGATIVE if done.unfinished else DONE


def _next(out: str, definition: Definition) -> str:
    return f"analysis report {shell_word(_as_results(out))} --out {shell_word(f'{definition.name}.html')}"


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
    console.say(f"{shown_out(options.out)}: {done_of_all}: {now.num_completed:,} completed, {now.num_failed:,} failed.")
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

    definition = asked_definition(options)
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
        out = "" if options.out is None else shown_out(options.out)
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

    definition = asked_definition(options) if options.definition else None
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


def compact(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.compact import compact

    done = compact(options.out, PlainConsole(stderr=True).say)
    if options.json:
        print(json.dumps(asdict(done)))
    else:
        console.say(
            f"{shown_out(options.out)}: {counted(done.trials, 'trial')} in {counted(done.packs, 'pack')}; "
            f"{counted(done.removed, 'file')} removed."
        )
    return DONE


def keys(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.definition.keys import in_json, in_markdown, in_text, keys

    show = in_json if options.json else in_markdown if options.markdown else in_text
    print(show(keys(options.section)))
    return DONE
