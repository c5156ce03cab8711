"""Ctrl-C and SIGTERM at any moment, once and in quick succession, in a pseudo-terminal: the status, what is said, and
what lives on."""

from __future__ import annotations

import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from small_study import ROOT, assert_gone, environment, study

from study.terminal.interrupts import stopping_between_steps

INTERRUPTED = 130
CTRL_C = b"\x03"
FULL_SCREEN_LEFT = (b"\x1b[?25l", b"\x1b[?25h")  # the cursor is hidden, and shown again


def pressed_in_a_terminal(
    command: list[str], press_at: list[float], press: bytes | signal.Signals
) -> tuple[int, bytes]:
    """The command's status and what it wrote, when a key was pressed (or a signal sent) so many seconds after its
    start. All processes that it had by then have ended, too."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execvpe(command[0], command, environment() | {"TERM": "xterm-256color"})
    written, began, others = b"", time.monotonic(), set[psutil.Process]()
    while True:
        if press_at and time.monotonic() - began > press_at[0]:
            del press_at[0]
            others |= set(psutil.Process(child).children(recursive=True))
            os.write(terminal, press) if isinstance(press, bytes) else os.kill(child, press)
        try:
            if select.select([terminal], [], [], 0.01)[0]:
                written += os.read(terminal, 65536)
        except OSError:  # the child has closed its side
            break
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert_gone(others)
    return status, written


@pytest.mark.slow
@pytest.mark.parametrize("press", [CTRL_C, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("draw", [*range(3), *(pytest.param(n, marks=pytest.mark.long) for n in range(3, 23))])
def test_a_run_is_interrupted_at_a_random_moment(
    draw: int, press: bytes | signal.Signals, definition: Path, tmp_path: Path
) -> None:
    """While modules are imported, Ray starts, trials run, or Ray ends; once, twice or thrice."""
    chance, out = random.Random(draw), tmp_path / "out"
    first, gap = chance.uniform(0.3, 14), chance.choice([0.01, 0.1, 0.5, 1.0])
    moments = [first + gap * number for number in range(chance.choice([1, 2, 3]))]
    long = ("--simulate", "--set", "resources.simulated_seconds=2")
    command = [sys.executable, "-m", "study", "run", str(definition), "--out", str(out), *long]
    status, written = pressed_in_a_terminal(command, moments, press)
    assert status == INTERRUPTED, written.decode()
    assert b"Interrupted." in written
    for word in (b"Traceback", b"Error", b"Exception", b"SIG", b"atal"):
        assert word not in written, written.decode()
    hidden, shown = (written.rfind(code) for code in FULL_SCREEN_LEFT)
    assert shown >= hidden, "the cursor is there again"
    if (out / "study.toml").exists():
        assert study("status", out).returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", ["study plan paper", "analysis tables paper"])
def test_a_command_is_interrupted_while_it_imports(command: str) -> None:
    answers = 0
    for moment in (0.2, 0.35, 0.5, 1.0, 2.0):
        with subprocess.Popen(
            [sys.executable, "-m", *command.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd=ROOT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            time.sleep(moment)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        if b"init_import_site" in said:  # on a busy machine Python itself had not started yet
            continue
        assert (process.returncode, said) in ((INTERRUPTED, b"Interrupted.\n"), (0, b""))
        answers += 1
    assert answers


@pytest.mark.slow
def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As in a shell's background, or by nohup."""
    code = (
        "import os, signal; from study.terminal.interrupts import hear_interrupts; hear_interrupts(); "
        "os.kill(os.getpid(), 2); print(7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert (done.returncode, done.stdout) == (0, "7\n")


def test_without_a_signal_nothing_stops() -> None:
    with stopping_between_steps() as stop_if_asked:
        stop_if_asked()
