"""The command `study`: every subcommand is a thin shell over one public function."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from study.definition import PRESETS
from study.terminal import answers, model_answers, plan_answers
from study.terminal.command_line import DONE, IMPOSSIBLE, INTERRUPTED, NEGATIVE, Parser, carry_out
from study.terminal.printing import PlainConsole

_EPILOG = f"""\
exit status: {DONE} done, {NEGATIVE} a negative finding (trials that are missing or could not be run, a trial that is
not reproduced, bad data, an image that cannot be read), {IMPOSSIBLE} the command could not be carried out,
{INTERRUPTED} interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    return carry_out(command_parser(), lambda options: options.command(options, PlainConsole()), arguments)


def command_parser() -> Parser:
    """All commands and their arguments."""
    parser = Parser(
        prog="study",
        description="Train {networks} x {losses} x {splits} and keep what comes out as Parquet.\n"
        "Running a study again continues it; a larger definition adds to it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_commands()
    run = _add(commands, "run", answers.run, "run what is missing of a study, and show its scores")
    _takes_definition(run)
    run.add_argument("--address", help="a Ray cluster, e.g. auto or 10.0.0.1:6379 (default: this machine alone)")
    run.add_argument("--retry-failed", action="store_true", help="try only trials that could not be run before")
    run.add_argument("--simulate", action="store_true", help="draw plausible results instead of training (a tryout)")
    run.add_argument("--ray-log", action="store_true", help="show Ray's own messages, and what its workers print")
    run.add_argument(
        "--until-decided",
        metavar="LIMIT=X,...",
        help="begin with 4 of the random splits, add more only while the gate cannot tell, and stop when it can: "
        "the limits max-gap, max-sd and min-dice of analysis check; class, averaging, model and loss narrow them; all "
        "looks together are wrong as rarely as a single one",
    )
    plan = _add(
        commands, "plan", plan_answers.plan, "list every cell and trial, done or missing, and estimate the cost"
    )
    _takes_definition(plan)
    plan.add_argument(
        "--calibrate", action="store_true", help="train a few batches of each network here, for the estimate"
    )
    plan.add_argument(
        "--cluster", metavar="FILE", help="check a cluster.yaml offline, and say what a study takes there"
    )
    plan.add_argument(
        "--gate",
        metavar="LIMIT=X,...",
        help="say instead how many random splits and seeds let the gate decide with a probability of 80 %%, and what "
        "they take; limits as for study run --until-decided",
    )
    plan.add_argument(
        "--pilot", metavar="RESULTS", help="for --gate: a study whose scores are like those to come (default: OUT)"
    )
    plan.add_argument(
        "--assume",
        metavar="NAME=X,...",
        help="for --gate, in place of a pilot: what you expect of one check, e.g. "
        "mean=0.8,sd=0.05,seed-sd=0.02,gap=0.05 (analysis enough --help)",
    )
    status = _add(commands, "status", answers.status, "what is done, failed, missing and running at OUT")
    status.add_argument("out", metavar="OUT", help="where a study keeps its results")
    trial = _add(commands, "trial", answers.trial, "run one trial here, in this process, without Ray")
    trial.add_argument("trial", metavar="TRIAL", help="e.g. icnet-ce-random_3-s0-t00")
    _takes_definition(
        trial, out="keep the trial there, or, if it is there already, compare bit for bit (default: keep nothing)"
    )
    data = _add(commands, "data", answers.data, "check and describe a data set, and propose held-out splits")
    data.add_argument(
        "path",
        metavar="PATH",
        nargs="?",
        help="a folder (default: the definition's, or the set that ships with the project)",
    )
    data.add_argument(
        "--definition",
        metavar="DEFINITION",
        help="a preset or a TOML file: check also that its splits can be made (from PATH, if given)",
    )
    data.add_argument("--sheet", metavar="FILE", help="write a contact sheet there: samples with their labels, as PNG")
    init = _add(commands, "init", answers.init, "look at a data set, and write a definition for it that can be run")
    init.add_argument("path", metavar="PATH", help="the folder of a data set: photographs with label maps, or cut-outs")
    init.add_argument("--to", metavar="FILE", help="the file to write (default: NAME.toml, NAME being the folder's)")
    init.add_argument("--force", action="store_true", help="overwrite the file if it exists")
    for sub, more in ((data, "; with --definition any key, as of study run"), (init, "")):
        sub.add_argument("--format", metavar="FORMAT", help="cut-outs, folders, coco or parquet, if several fit")
        sub.add_argument(
            "--set",
            metavar="KEY=VALUE",
            action="append",
            default=[],
            help="say something about the data set, e.g. --set data.pairs.ignore=255 (study keys data.pairs lists the "
            "keys), or --set training.image_size=512" + more,
        )
    export = _add(
        commands, "export", model_answers.export, "export a trained network, with what is known about its stability"
    )
    export.add_argument("out", metavar="OUT", help="where a study keeps its results")
    export.add_argument("--to", metavar="FOLDER", required=True, help="a new folder for the model and its card")
    export.add_argument("--model", help="the configuration's model; can be left out if there is only one")
    export.add_argument("--loss", help="the configuration's loss; likewise")
    export.add_argument("--trial", metavar="TRIAL", help="export this trial's network, not the best by validation")
    export.add_argument(
        "--ensemble", action="store_true", help="export the networks of all random splits; their answers are averaged"
    )
    export.add_argument(
        "--refit",
        action="store_true",
        help="train a new network on all images, with the point and epochs that the configuration's trials suggest; "
        "the scores on its card are the study's",
    )
    export.add_argument("--onnx", action="store_true", help="also as ONNX, checked on the study's test images")
    export.add_argument("--torch", action="store_true", help="also for torch.export.load, checked likewise")
    predict = _add(commands, "predict", model_answers.predict, "predict label maps of new images, and draw overlays")
    predict.add_argument("model", metavar="MODEL", help="a folder that study export wrote")
    predict.add_argument("images", metavar="IMAGES", help="an image, or a folder of images")
    predict.add_argument("--out", metavar="FOLDER", required=True, help="a new folder for what is predicted")
    packs = _add(commands, "compact", answers.compact, "put the trials at OUT into few large files; they stay the same")
    packs.add_argument("out", metavar="OUT", help="where a study keeps its results")
    keys = _add(commands, "keys", answers.keys, "explain every key of a definition: what it may be, and its default")
    keys.add_argument("section", metavar="SECTION", nargs="?", help="one section alone, e.g. training")
    keys.add_argument("--markdown", action="store_true", help="print the page docs/reference/definition.md")
    for sub in (plan, status, trial, data, init, export, predict, packs, keys):
        sub.add_argument("--json", action="store_true", help="answer in JSON")
    parser.add_completion(commands)
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
        help="set one value of the definition, e.g. --set search.trials=20 --set grid.seeds=0,1,2 (study keys "
        "lists the keys)",
    )
