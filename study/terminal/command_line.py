"""What both command lines share: how arguments are read, what a command's end says, and streams that take any text."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, TextIO

from study.errors import StudyError, did_you_mean
from study.terminal.completion import SHELLS, completion
from trainers.printable import printable

DONE, NEGATIVE, IMPOSSIBLE, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: done; a negative finding; could not be carried out; interrupted."""
_COMPLETION = "completion"


class Parser(argparse.ArgumentParser):
    """argparse's, but that a command left out is answered with the help, and a misspelt word with a guess."""

    def add_commands(self) -> Any:
        """Where commands are added; also gives the program its `--version`."""
        name = version("segmentation-stability")
        self.add_argument("--version", action="version", version=f"{self.prog} {name} (segmentation-stability)")
        return self.add_subparsers(dest="name", metavar="COMMAND")

    def add_completion(self, commands: Any) -> None:
        """The command that `carry_out` does itself, as it is the same for both programs."""
        summary = "a script with which a shell completes this command at Tab (docs/how-to/install.md)"
        epilog = f"exit status: {DONE} done, {IMPOSSIBLE} the command could not be carried out."
        parser = commands.add_parser(_COMPLETION, help=summary, description=f"Print {summary}.", epilog=epilog)
        parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))
        parser.set_defaults(parser=parser)

    def read(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """The command and its options. Exits with status 0 after help that was asked for, else with IMPOSSIBLE."""
        options, unknown = self.parse_known_args(arguments)
        if options.name is None and not unknown:
            self.print_help(sys.stderr)
            self.exit(IMPOSSIBLE)
        if unknown:
            asked = getattr(options, "parser", self)
            known = re.findall(r"(?<![\w-])--[a-z-]+", asked.format_help())
            asked.error(f"no such argument: {' '.join(unknown)}{did_you_mean(unknown[0].partition('=')[0], known)}")
        return options

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(action.choices)
            raise argparse.ArgumentError(action, f"{value!r} is none of {', '.join(known)}{did_you_mean(value, known)}")


def carry_out(parser: Parser, act: Callable[[argparse.Namespace], int], arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask for; its exit status. Whatever goes wrong is printed on stderr, and is IMPOSSIBLE.

    :param act: does it, and returns its status: a reader of its output that leaves early (`| head`) changes nothing.
    """
    asked = parser.prog
    with _steady_streams():
        try:
            try:
                options = parser.read(arguments)
                asked = f"{parser.prog} {options.name}"
                if options.name == _COMPLETION:
                    print(completion(parser, options.shell))
                    return DONE
                return act(options)
            finally:
                sys.stdout.flush()
        except KeyboardInterrupt:
            return INTERRUPTED
        except (StudyError, OSError) as error:  # the latter: a disk or server that cannot be read or written
            message = f"{asked}: {error}"
        except Exception:
            message = f"{asked}: failed by a defect of this program. Please report it, with these lines:\n"
            message += traceback.format_exc()
        print(printable(message, keep="\n").rstrip(), file=sys.stderr)
        return IMPOSSIBLE


class _Descriptor(io.FileIO):
    """Where a stream ends. When its reader has left, the rest goes nowhere, and is no error."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())  # so that no later flush fails again
            if not isinstance(error, BrokenPipeError) and self.fileno() != _STDERR:
                raise  # on stderr there is nowhere left to tell it
            return len(content)


_STDERR = 2


@contextlib.contextmanager
def _steady_streams() -> Iterator[None]:
    """stdout and stderr that outlive their readers, and take any text: what they cannot encode is spelled out."""
    for number in (0, 1, _STDERR):
        try:
            os.fstat(number)
        except OSError:  # closed by `>&-`: the next file that is opened would take its place, and what is printed
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _steady(sys.stdout), _steady(sys.stderr)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _steady(stream: TextIO | None) -> TextIO:
    """The stream, if it writes to a descriptor, anew. (Those of notebooks and tests take any text already.)"""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        descriptor = stream.fileno()
    except OSError:
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(descriptor, "w", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
