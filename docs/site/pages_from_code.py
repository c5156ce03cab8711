"""Writes the pages of docs/reference that the code decides, which a test compares.

`python docs/site/pages_from_code.py`
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analysis.cli import command_parser as analysis_parser
from study.definition.keys import in_markdown, keys
from study.results.columns import ABOUT, COLUMNS
from study.results.schemas import SCHEMAS
from study.terminal.cli import command_parser as study_parser

REFERENCE = Path(__file__).parent.parent / "reference"
TABLES_IN_ORDER = ("trials", "dice", "confusion", "boundary", "history", "masks")
PYTHON = {
    "Scores in a notebook": (
        "What the commands of `analysis` do, as functions. Each takes what `load` gives.",
        *(
            f"analysis.commands.{name}"
            for name in ("load", "tables", "stability", "compare", "check", "enough", "report")
        ),
        *("analysis.scores.Scores", "analysis.facts.Facts"),
        *(
            "analysis.answer.Answer",
            "analysis.answer.Finding",
            "analysis.gate_answer.GateAnswer",
            "analysis.enough.EnoughAnswer",
        ),
        *("analysis.stated.Stated", "analysis.export.export", "analysis.export.follow"),
    ),
    "Figures": (
        "Each figure of the report, as a matplotlib `Figure`.",
        *(f"analysis.report.figures.{name}" for name in ("heat_map", "dots", "slopes", "profiles", "paired", "ranks")),
        *(f"analysis.report.figures_images.{name}" for name in ("learning_curve", "gap_curve")),
    ),
    "A trained model": (
        "What `study export` wrote, in a program of your own.",
        *("study.load_model", "trainers.trained.TrainedModel"),
    ),
    "Studies": (
        "What the commands of `study` do, as functions. A definition comes from `load`.",
        *("study.definition.file.load", "study.definition.file.parse", "study.definition.keys.keys"),
        *("study.commands.plan.plan", "study.commands.status.status", "study.commands.data.describe_data"),
        *("study.commands.init.init", "study.commands.export.export", "study.commands.predict.predict"),
    ),
}
"""Section of the Python page -> what stands first in it, then what it explains, by dotted path."""


def pages() -> dict[str, str]:
    """File in docs/reference -> its text."""
    return {
        "definition.md": in_markdown(keys()) + "\n",
        "commands.md": commands_page(),
        "tables.md": tables_page(),
        "python.md": python_page(),
    }


def commands_page() -> str:
    """Every command with its arguments, as `--help` has them."""
    lines = ["# Commands", "", "`COMMAND --help` says the same. (This page is made from the code.)"]
    for parser in (study_parser(), analysis_parser()):
        lines += ["", f"## {parser.prog}", "", _in_one_line(parser.description)]
        for name, command in _commands_of(parser).items():
            lines += ["", f"### {parser.prog} {name}", "", _in_one_line(command.description), ""]
            lines += ["```text", _usage(command), "```", "", "| argument | what it says |", "|---|---|"]
            lines += [f"| {_code(_spelled(each))} | {_cell(_help(each))} |" for each in _arguments(command)]
            lines += ["", _sentence(command.epilog)] if command.epilog != parser.epilog else []
        lines += ["", _sentence(parser.epilog)]
    return "\n".join(lines) + "\n"


def _commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return dict(commands.choices)


def _arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [each for each in parser._actions if not isinstance(each, argparse._HelpAction)]


def _usage(parser: argparse.ArgumentParser) -> str:
    """Not argparse's own, which another Python writes in another way."""
    parts = []
    for each in _arguments(parser):
        optional = not each.required or each.nargs == "?"
        parts.append(f"[{_spelled(each)}]" if optional else _spelled(each))
    return textwrap.fill(" ".join([parser.prog, *parts]), 100, subsequent_indent="    ", break_on_hyphens=False)


def _spelled(action: argparse.Action) -> str:
    """An argument as it is typed."""
    if not action.option_strings:
        return str(action.metavar or action.dest)
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    return f"{action.option_strings[-1]} {value}" if action.nargs != 0 else action.option_strings[-1]


def _help(action: argparse.Action) -> str:
    return (action.help or "") % {"default": action.default}


def tables_page() -> str:
    """Every column of every table."""
    lines = ["# Columns of the tables", ""]
    lines += ["What lies where in OUT, and how to read it: [What a study leaves on disk](out.md)."]
    for table in TABLES_IN_ORDER:
        lines += ["", f"## {table}", "", f"`OUT/{table}/`. {ABOUT[table]}", ""]
        lines += ["| column | type | what it says |", "|---|---|---|"]
        lines += [f"| `{each.name}` | {each.type} | {_cell(COLUMNS[table][each.name])} |" for each in SCHEMAS[table]]
    return "\n".join(lines) + "\n"


def python_page() -> str:
    """The public functions and classes, by their docstrings."""
    lines = ["# Python", "", "From the docstrings of the code."]
    for section, (about, *paths) in PYTHON.items():
        lines += ["", f"## {section}", "", about]
        for path in paths:
            lines += ["", f"### {path}", "", *_explained(path)]
    return "\n".join(lines) + "\n"


def _explained(path: str) -> Iterator[str]:
    """A function with its signature, or a class with its attributes and methods."""
    module, _, name = path.rpartition(".")
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing):
        yield from _docstring(thing)
        yield from ("", "| attribute | what it says |", "|---|---|", *_attributes(thing))
        for method, function in vars(thing).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                yield from ("", f"**{method}**", "", *_function(method, function))
    else:
        yield from _function(name, thing)


def _function(name: str, function: Callable[..., Any]) -> list[str]:
    return ["```text", _signature(name, function), "```", "", *_docstring(function)]


def _signature(name: str, function: Callable[..., Any]) -> str:
    """As it stands in the source; a parameter a line, where one line is too short."""
    written = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(written, ast.FunctionDef)
    assert written.returns is not None
    parameters, returned = list(_parameters(written.args)), ast.unparse(written.returns)
    short = f"{name}({', '.join(parameters)}) -> {returned}"
    return (
        short
        if len(short) <= 100
        else "\n".join([f"{name}(", *(f"    {each}," for each in parameters), f") -> {returned}"])
    )


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    lacking: list[ast.expr | None] = [None] * (len(arguments.args) - len(arguments.defaults))
    for each, default in zip(arguments.args, [*lacking, *arguments.defaults], strict=True):
        if each.arg != "self":
            yield _parameter(each, default)
    yield from ["*"] * bool(arguments.kwonlyargs)
    yield from map(_parameter, arguments.kwonlyargs, arguments.kw_defaults)


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    annotated = f"{argument.arg}: {ast.unparse(argument.annotation)}" if argument.annotation else argument.arg
    return annotated if default is None else f"{annotated} = {ast.unparse(default)}"


def _docstring(thing: Any) -> list[str]:
    """As Markdown: what stands after `:param x:` and the like becomes a list."""
    text = inspect.getdoc(thing) or ""
    text = re.sub(r"\n +(?=\S)", " ", text)  # a field goes on in indented lines
    text = re.sub(r"^:param ([\w, ]+): ", lambda found: f"* `{found[1]}`: ", text, flags=re.MULTILINE)
    return re.sub(r"^:raises (\w+): ", r"* raises `\1`: ", text, flags=re.MULTILINE).replace("<", "&lt;").splitlines()


def _attributes(made: type) -> list[str]:
    """Of a dataclass its fields and properties, with the text below each."""
    body = ast.parse(textwrap.dedent(inspect.getsource(made))).body[0].body  # type: ignore[attr-defined]
    below = {
        each.target.id: after.value.value
        for each, after in zip(body, [*body[1:], None], strict=True)
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
    rows = [(each.name, below.get(each.name, "")) for each in dataclasses.fields(made)]
    properties = {name: each for name, each in vars(made).items() if hasattr(each, "fget") or hasattr(each, "func")}
    rows += [(name, inspect.getdoc(each) or "") for name, each in properties.items() if not name.startswith("_")]
    return [f"| `{name}` | {_cell(_in_one_line(text))} |" for name, text in rows]


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _in_one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _sentence(text: str | None) -> str:
    line = _in_one_line(text)
    return line[:1].upper() + line[1:]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def main() -> None:
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
