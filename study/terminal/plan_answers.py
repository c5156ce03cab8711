"""What `study plan` says, to a person or, with --json, to a program."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from study.cells import cells
from study.definition import SIMULATED, Definition
from study.errors import StudyError
from study.halving import halving_in_words, num_trials
from study.planning.capacity import Forecast
from study.planning.cost import Estimate, readable
from study.terminal.answers import asked_definition, asked_out, shown_out
from study.terminal.command_line import DONE
from study.terminal.printing import PlainConsole
from trainers.printable import counted


def plan(options: argparse.Namespace, console: PlainConsole) -> int:
    from study.commands.plan import plan, plan_cluster, plan_here
    from study.planning.calibration import calibrate, factors_of

    definition = asked_definition(options)
    out = asked_out(options, definition)
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
        f"{len(planned.missing) + planned.num_undecided:,} missing in {shown_out(out)}.",
        *filter(None, [halving_in_words(definition)]),
    )
    takes_time = bool(planned.missing) and not definition.simulate
    if takes_time:
        seconds, by = readable(planned.estimate.seconds), planned.estimate.in_words
        console.say(f"The missing ones take {seconds} of one worker ({by}).")
    if definition.simulate:
        console.say("It is simulated: no network is trained, so no time is estimated.")
    if options.cluster:
        console.say(_on_cluster(options.cluster, on_cluster))
    elif takes_time:
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
