"""What Tab makes of a line, in the shells themselves, on a terminal of their own."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import select
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import analysis.cli
import study.terminal.cli
from study.definition import PRESETS
from study.definition.keys import keys

MAINS = {"study": study.terminal.cli.main, "analysis": analysis.cli.main}
CONTROL_T, CONTROL_U = "\x14", "\x15"
SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        'bind \'set bell-style none\'; bind -x \'"\\C-t": printf "<%s>\\n" "$READLINE_LINE"\'',
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -D; show() { print -r \"<$BUFFER>\" }; zle -N show; bindkey '^T' show",
    ),
    "fish": (["fish", "--no-config", "--interactive"], 'bind \\ct \'echo "<"(commandline)">"\''),
}
"""Shell -> its command, and what has it print the line that was typed, at Control-T."""
SOURCED = {"bash": "source {0}", "zsh": 'eval "$(cat {0})"', "fish": "source {0}"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a definition, a folder of results, and the scripts of both programs for every shell."""
    folder = tmp_path_factory.mktemp("completion")
    for name, main in MAINS.items():
        for shell in SHELLS:
            with contextlib.redirect_stdout(io.StringIO()) as script:
                assert main(["completion", shell]) == 0
            (folder / f".{name}.{shell}").write_text(script.getvalue(), encoding="utf-8")
    for name in ("mine.toml", "mine.txt", "photos with blanks/one.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def after_tab(shell: str, lines: Iterable[str], place: Path) -> Iterator[str]:
    """Each line as it is after a Tab at its end."""
    words, shown = SHELLS[shell]
    setup = "; ".join([shown, *(SOURCED[shell].format(f".{name}.{shell}") for name in MAINS)])
    with _terminal(words, place) as typed:
        _said(typed, f"{setup}\necho re''ady\n", r"\bready\b")
        for line in lines:
            yield _said(typed, f"{line}\t{CONTROL_T}", r"<([^<>]*)>")
            os.write(typed, CONTROL_U.encode())


@contextlib.contextmanager
def _terminal(words: list[str], place: Path) -> Iterator[int]:
    process, descriptor = pty.fork()
    if process == 0:
        os.chdir(place)
        os.execvpe(words[0], words, {"PATH": os.environ["PATH"], "HOME": str(place), "TERM": "dumb", "PS1": "$ "})
    try:
        yield descriptor
    finally:
        os.kill(process, 9)
        os.close(descriptor)
        os.waitpid(process, 0)


def _said(descriptor: int, typed: str, pattern: str, seconds: float = 30) -> str:
    os.write(descriptor, typed.encode())
    said, deadline = "", time.monotonic() + seconds
    while not (found := re.search(pattern, said)):
        assert select.select([descriptor], [], [], max(0, deadline - time.monotonic()))[0], said
        said += os.read(descriptor, 65536).decode(errors="replace")
    return found[found.lastindex or 0]


LINES = {
    "study pl": "study plan ",
    "study plan rel": "study plan related ",
    "study run mi": "study run mine.toml ",
    "study plan --calib": "study plan --calibrate ",
    "study run --set training.epo": "study run --set training.epochs=",
    "study run --set training.epochs=3 pap": "study run --set training.epochs=3 paper ",
    "study run demo --set training.epochs=3 --set search.tri": (
        "study run demo --set training.epochs=3 --set search.trials="
    ),
    "study data --definition de": "study data --definition demo ",
    "study keys data.pa": "study keys data.pairs ",
    "study completion zs": "study completion zsh ",
    "analysis report pho": "analysis report photos\\ with\\ blanks/",
    "study run --out pho": "study run --out photos\\ with\\ blanks/",
    "analysis sta": "analysis stability ",
    "analysis tables x --format mark": "analysis tables x --format markdown ",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_tab(shell: str, place: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    assert dict(zip(LINES, after_tab(shell, LINES, place), strict=True)) == LINES


def test_no_name_needs_quotes_in_a_shell() -> None:
    """Scripts hold them as they are."""
    names = [*PRESETS, *(key.name for section in keys() for key in section.keys)]
    assert [name for name in names if not re.fullmatch(r"[\w.-]+", name)] == []


@pytest.mark.parametrize("name", MAINS)
def test_a_shell_that_is_not_known(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        MAINS[name](["completion", "bsh"])
    assert caught.value.code == 2
    assert "did you mean bash?" in capsys.readouterr().err
