"""What others wrote is shown as text: in messages, in lines, in tables, and in the terminal's own hands."""

import io
import re
import shlex
import subprocess

import pytest
from rich.table import Table
from small_study import ROOT

from analysis.errors import AnalysisError
from study.errors import StudyError
from study.terminal.printing import PlainConsole, shell_word
from trainers.printable import counted, printable

HOSTILE = {
    "title": ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
    "C1": ("\x9b2J", "\\x9b2J"),
    "delete": ("a\x7f", "a\\x7f"),
    "line": ("a\nfailed: b", "a\\nfailed: b"),
    "carriage": ("a\rb", "a\\rb"),
    "direction": ("\u202egnp", "\\u202egnp"),
    "isolate": ("\u2066x\u2069", "\\u2066x\\u2069"),
    "broken": ("\udcff", "\\udcff"),
    "separator": ("a\u2028b", "a\\u2028b"),
    "tag": ("[bold]x[/y]", "[bold]x[/y]"),
    "emoji code": (":smile:", ":smile:"),
    "umlaut": ("Becher_ä 犬", "Becher_ä 犬"),
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
def test_one_function_spells_out_what_is_no_text(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(f"{text}\nours", keep="\n").endswith("\nours")


@pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("terminal", [True, False])
def test_lines_and_tables_show_text(text: str, shown: str, terminal: bool) -> None:
    console = PlainConsole(file=io.StringIO(), width=60, force_terminal=terminal)
    table = Table(text, box=None)
    table.add_row(text)
    console.say(text, "")
    console.print(table)
    printed = console.file.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")  # a heading is bold
    assert printed.count(shown) == 3
    assert all(character.isprintable() or character == "\n" for character in printed)


@pytest.mark.parametrize("kind", [StudyError, AnalysisError])
def test_a_message_has_lines_but_no_controls(kind: type[Exception]) -> None:
    assert str(kind("one\x1b[2J:\n  two\u202e")) == "one\\x1b[2J:\n  two\\u202e"


@pytest.mark.parametrize(
    "name", ["plain", "a b", "r/[v2]", "it's", "$(id)", "-x", "a\nb", "\x1b]0;x\x07", "ä", "\u202eä", "\\'\x01"]
)
def test_a_name_is_a_word_that_a_shell_reads_as_that_name(name: str) -> None:
    word = shell_word(name)
    assert word.isprintable()
    read = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout.decode()
    assert read.removeprefix("./") == name
    if name.isprintable():
        assert shlex.split(word)[0].removeprefix("./") == name


def test_things_are_counted_in_words() -> None:
    one_and_many = [counted(n, "trial") for n in (0, 1, 2, 1_234_567)]
    assert one_and_many == ["0 trials", "1 trial", "2 trials", "1,234,567 trials"]
    assert [counted(n, "CPU") for n in (0.5, 1.0, 1.5)] == ["0.5 CPUs", "1 CPU", "1.5 CPUs"]
    assert [counted(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]


UNCOUNTED = re.compile(r"""f["'][^"'\n]*\{(len\([^{}]*\)|[^{}]*(num_|count|total|at_once)[^{}()]*)(:,)?\} [a-z]+s\b""")


def test_every_count_of_a_message_is_said_in_words_that_fit_it() -> None:
    """One rule for one and for many: `counted`."""
    assert UNCOUNTED.search('f"{len(cells)} cells, done"')
    assert UNCOUNTED.search('f"about {num_cells:,} trials"')
    plural = {
        f"{path.name}: {found[0]}"
        for folder in ("study", "trainers")
        for path in (ROOT / folder).rglob("*.py")
        for found in UNCOUNTED.finditer(path.read_text())
    }
    always_many = {"class_names.py", "dice.py", "space.py"}
    assert {each for each in plural if each.partition(":")[0] not in always_many} == set()
