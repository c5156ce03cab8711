"""OUT belongs to one driver at a time: it is claimed before anything is started. A dead driver's claim does not block.

A claim is a small file of the driver's own in OUT/claims. Who has written one, and then sees no other, holds OUT: of
two drivers at least one sees the other, as the one that lists last does so after both files are there. This needs
nothing of a file system or an object store but that what was written is listed. No clock is compared with another
machine's: a driver of this machine is dead when its process is gone, any other when its file does not change for
`SILENCE_SECONDS`.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from study.errors import StudyError
from study.results import CLAIMS, Results
from trainers.printable import printable

SECONDS_BETWEEN_BEATS = 5.0
SECONDS_OF_A_WRITE = 10.0
SILENCE_SECONDS = 60.0
_SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Driver:
    """A process that runs a study, as its claim describes it."""

    host: str
    pid: int
    machine: str
    """Boot and process namespace: where these are ours, `pid` is a process that we can see."""
    process_started: str
    """By the kernel's count, as a number of a process that has ended is given to another one."""
    holds: bool = False
    """It has seen that it is alone; before, it only asks."""
    beat: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def in_words(self) -> str:
        return f"a run on {printable(self.host)} (pid {self.pid})"


class Claim:
    """This process's claim on OUT, kept alive by a thread until it is given up."""

    def __init__(self, results: Results) -> None:
        self._results, self._driver = results, this_process()
        self._writing, self._given_up, self._lost = threading.Lock(), threading.Event(), False
        self._beats = threading.Thread(target=self._keep_alive, name="claim", daemon=True)

    def ask(self, say: Callable[[str], None]) -> None:
        """Claim OUT. Raises StudyError if another driver holds it, or asks for it at the same time and goes first."""
        try:
            self._write()
        except StudyError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            self._write()  # a driver that has just left took the empty folder away meanwhile
        self._beats.start()
        for other in _drivers(self._results):
            if other.id == self._driver.id:
                continue
            if _stays(other, self._results, say, goes_first=other.holds or other.id < self._driver.id):
                raise StudyError(
                    f"{self._results.out}: {other.in_words} is at work already. Wait until it has ended, or stop it."
                )
            self._results.remove(_file(other.id))
        self._write(holds=True)
        self.check()

    def check(self) -> None:
        """Raises StudyError if this process was silent for so long that another one has taken OUT over."""
        if self._lost:
            raise StudyError(
                f"{self._results.out}: this run gave no sign of life for {SILENCE_SECONDS:.0f} s, and another run has "
                "gone on with the study. What is committed stays."
            )

    def give_up(self) -> None:
        self._given_up.set()
        # A beat that is being written comes first, or the claim would be back: longer only where a server is silent.
        if self._writing.acquire(timeout=SECONDS_OF_A_WRITE):
            self._writing.release()
        self._results.remove(_file(self._driver.id))

    def _keep_alive(self) -> None:
        while not self._given_up.wait(SECONDS_BETWEEN_BEATS):
            # A beat that fails is made good by the next one: results that cannot be committed say so themselves.
            with contextlib.suppress(StudyError, OSError):
                if _read(self._results, self._driver.id) is None:
                    self._lost = True
                    return
                self._write()

    def _write(self, *, holds: bool = False) -> None:
        with self._writing:
            if self._given_up.is_set():
                return
            self._driver = replace(self._driver, beat=self._driver.beat + 1, holds=holds or self._driver.holds)
            self._results.write_bytes(_file(self._driver.id), TypeAdapter(Driver).dump_json(self._driver, indent=1))


@contextlib.contextmanager
def claimed(results: Results, say: Callable[[str], None]) -> Iterator[Claim]:
    """OUT, for this process alone, as long as the block takes. Leaves no trace where the block wrote nothing.

    :param say: is given what is waited for.
    :raises StudyError: another driver has OUT, or nothing can be written there.
    """
    claim, was_there = Claim(results), results.is_there
    try:
        claim.ask(say)
        yield claim
    finally:
        with contextlib.suppress(StudyError, OSError):  # a server that is away: the claim is silent from now on
            claim.give_up()
            results.remove_if_empty(CLAIMS)
            if not was_there:
                results.remove_if_empty()


def living_driver(results: Results) -> Driver | None:
    """The driver that holds OUT, if it lives. Another machine's is watched for a moment: does its claim change?"""
    holding = [driver for driver in _drivers(results) if driver.holds]
    return next(filter(None, (_newest(driver, results, 2.5 * SECONDS_BETWEEN_BEATS) for driver in holding)), None)


def this_process() -> Driver:
    """This process as a driver that asks for OUT."""
    return Driver(platform.node(), os.getpid(), _machine(), _process_started(os.getpid()) or "")


def _stays(other: Driver, results: Results, say: Callable[[str], None], *, goes_first: bool) -> bool:
    """Whether another driver lives and is to have OUT. One that only asks, and goes after us, is waited for: it gives
    its claim up, unless it has already seen that it was alone."""
    if other.machine != _machine():
        say(f"{other.in_words} has claimed {results.out}: waiting up to {SILENCE_SECONDS:.0f} s for a sign of its life")
    while (newest := _newest(other, results, SILENCE_SECONDS)) is not None:
        if goes_first or newest.holds:
            return True
        other = newest
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return False


def _newest(driver: Driver, results: Results, seconds: float) -> Driver | None:
    """A driver's claim as it is now; None if it has been given up, or its driver is dead: its process is gone, if it is
    one of this machine; else its claim does not change for so many seconds."""
    if driver.machine == _machine():
        return _read(results, driver.id) if _process_started(driver.pid) == driver.process_started else None
    deadline = time.monotonic() + seconds
    while (now := _read(results, driver.id)) == driver:
        if time.monotonic() > deadline:
            return None
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return now


def _drivers(results: Results) -> list[Driver]:
    names = results.names(CLAIMS, ".json")
    return [driver for driver in (_read(results, name.removesuffix(".json")) for name in names) if driver is not None]


def _read(results: Results, driver_id: str) -> Driver | None:
    """A driver's claim as it is now; None if it has been given up. Raises StudyError for a file that is none."""
    content = results.read_bytes(_file(driver_id))
    if content is None:
        return None
    try:
        driver = TypeAdapter(Driver).validate_json(content)
    except ValueError:
        raise StudyError(f"{results.out}/{_file(driver_id)}: not written by a run of a study; remove it") from None
    return replace(driver, id=driver_id)  # the file's name, whatever stands in it: files are removed by it


def _file(driver_id: str) -> str:
    return f"{CLAIMS}/{driver_id}.json"


def _machine() -> str:
    """What two processes share that see each other's numbers: one boot of one kernel, one process namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux: other processes are known by their signs of life alone
        return f"unknown {uuid.uuid4().hex}"


def _process_started(pid: int) -> str | None:
    """When a process of this machine started, in the kernel's ticks since boot; None if there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = status.rpartition(")")[2].split()  # a process's name may hold blanks and brackets
    return None if fields[0] in "ZX" else fields[19]
