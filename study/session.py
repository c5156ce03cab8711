"""One run of a study: from the last check before anything is written to the last sign of life."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache

from study.cells import Trial, parse_trial, trials
from study.errors import StudyError
from study.patience import FULL_DISK
from study.planning.capacity import forecast
from study.planning.cost import Estimate
from study.progress import SECONDS_BETWEEN_HEARTBEATS, Progress
from study.results import CHECKPOINTS, DEFINITION_FILE, RUN_FILE, Results
from study.results.claim import Claim
from study.results.committed import objectives, outcomes
from study.results.digests import Row
from study.results.kept import read_committed
from study.results.unfinished import Unfinished, forget_finished
from study.results.weights import Best
from study.terminal.interrupts import with_last_words
from study.work import Watch, Work


def run_all(
    work: Work,
    claim: Claim,
    committed: Mapping[Trial, Row],
    only: Collection[Trial] | None,
    cost: Estimate,
    address: str | None,
    *,
    ray_log: bool,
) -> None:
    """Run what is missing on Ray; on another Ray again when its memory monitor has ended the first.

    :param only: of what is missing, if given.
    """
    if address is None:
        _close_to_others()
    from study import cluster  # ray takes seconds to import: not before it is needed
    from study.schedule import Schedule

    work = replace(work, watch=_with_heartbeat(work, claim))
    definition, results, progress = work.study.definition, work.results, work.progress
    memory_kills, checked = Counter[Trial](), False

    def note_interruption() -> None:
        progress.state = "interrupted"
        if checked:
            _write_heartbeat(results, replace(progress, running={}))

    until_the_end = contextlib.ExitStack()
    until_the_end.enter_context(with_last_words(note_interruption))
    try:
        if (
            address is None
            and not definition.simulate
            and (remark := until_the_end.enter_context(cluster.sharing_gpus()))
        ):
            work.watch(progress, remark)
        while True:
            schedule = Schedule(definition, outcomes(definition, committed), only)
            best = Best(definition, objectives(committed))
            for trial in [trial for trial, kills in memory_kills.items() if kills >= definition.resources.attempts]:
                schedule.rest(trial.cell)
            with cluster.connected(address, ray_log):
                machines = cluster.machines()
                if not checked:
                    hours = forecast(definition, machines, cost.seconds_of).hours  # also: does every trial fit?
                    if not definition.simulate and cost.basis != "constants":
                        progress.expect(3600 * hours, cost.in_words)
                    if address is not None:
                        cluster.check_nodes(results, work.study)
                    results.write_text(DEFINITION_FILE, definition.to_toml())
                    results.sweep()
                    forget_finished(results, {trial.id for trial in committed})
                    checked = True
                try:
                    cluster.run_schedule(work, schedule, best, machines, memory_kills)
                    break
                except cluster.KilledForMemory as error:
                    committed = read_committed(results, definition).rows
                    _note_memory_kill(error.used, memory_kills, work)
    except StudyError as error:
        progress.state, progress.reason = "stopped", str(error)
        raise
    except BaseException:
        progress.state = "interrupted"
        raise
    else:
        progress.state = "incomplete" if progress.resting else "finished"
        if definition.search.halving and not progress.resting and only is None:  # who has ended will not go on
            progress.end()
            for name in {f"{trial.id}.pt" for trial in trials(definition)} & set(results.names(CHECKPOINTS, ".pt")):
                results.remove(f"{CHECKPOINTS}/{name}")
    finally:
        until_the_end.close()
        progress.running.clear()
        if checked:
            _write_heartbeat(results, progress)


def _note_memory_kill(used: Mapping[Trial, str], memory_kills: Counter[Trial], work: Work) -> None:
    """Count it; past its last attempt a trial waits for the next run, and its cell with it.

    :param used: trial -> the memory that it had taken; if Ray does not say which trials it ended, all that ran were.
    """
    progress = work.progress
    ended = used or dict.fromkeys(map(parse_trial, progress.running), "an unknown amount")
    memory_kills.update(ended.keys())
    for name in list(progress.running):
        progress.drop(parse_trial(name))
    for trial, amount in ended.items():
        unfinished = Unfinished(trial.id, f"ended by Ray's memory monitor, at {amount}", memory_kills[trial])
        if memory_kills[trial] >= work.study.definition.resources.attempts:
            progress.give_up(trial, unfinished.in_words)
            unfinished.keep(work.results)
        work.watch(progress, f"{trial.id}: {unfinished.in_words}; the study goes on with a new Ray")


def _with_heartbeat(work: Work, claim: Claim) -> Watch:
    """Also keep OUT/run.json fresh, for `study status` from elsewhere, and end when another driver has OUT."""
    written = 0.0

    def watch_and_write(progress: Progress, line: str | None) -> None:
        nonlocal written
        if line is None:  # between two of Tune's steps, where an error ends the run
            claim.check()
        if progress.updated - written >= SECONDS_BETWEEN_HEARTBEATS:
            written = progress.updated
            _write_heartbeat(work.results, progress)
        work.watch(progress, line)

    return watch_and_write


def _write_heartbeat(results: Results, progress: Progress) -> None:
    """A heartbeat. That it fails is no reason to end a run: trials that cannot be committed say so themselves."""
    with contextlib.suppress(StudyError, OSError):
        try:
            results.write_text(RUN_FILE, progress.to_json())
        except StudyError as error:
            if getattr(error.__cause__, "errno", None) not in FULL_DISK:
                raise
            results.remove(RUN_FILE)  # the room that the last one took
            results.write_text(RUN_FILE, progress.to_json())


def last_progress(results: Results) -> Progress | None:
    """What the newest run's driver last said of itself; None if it said nothing, or the file is none of ours: no result
    and no decision depends on it."""
    content = results.read_bytes(RUN_FILE)
    try:
        return Progress.from_json(content) if content else None
    except ValueError:
        return None


def _close_to_others() -> None:
    """A Ray of our own listens on loopback, and serves who has this run's token. Ray reads these on import."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # its only way to listen on loopback alone
    os.environ["RAY_AUTH_MODE"] = "token"  # other users of the machine are not to run code as us
    os.environ["RAY_AUTH_TOKEN"] = _token()


@cache
def _token() -> str:
    """One for all sessions of a process: Ray reads it but once."""
    return secrets.token_hex(32)
