"""The searcher that Tune asks, and what is read of Ray's messages; without a cluster."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from study.cells import Trial, cells, parse_trial
from study.definition.file import load
from study.planning.capacity import Machine
from study.progress import Progress
from study.results.weights import Best
from study.schedule import Schedule
from trainers.environment import MEMORY

pytestmark = pytest.mark.slow  # importing Ray takes seconds
DEFINITION = load("paper", ["grid.models=icnet", "grid.losses=ce", "grid.splits=random_0,rot_0", "search.trials=2"])
FIRST = Trial(cells(DEFINITION)[0], 0)


def searcher(attempts: int = 1) -> Any:
    from study.cluster.driver import CellSearcher

    return CellSearcher(Schedule(DEFINITION, {}), Best(DEFINITION, {}), {}, Counter(), attempts)


def test_it_hands_out_every_trial_once_and_ends() -> None:
    search, found = searcher(), []
    while isinstance(config := search.suggest(f"tune_{len(found)}"), dict):
        found.append(config["trial"])
        search.on_trial_complete(f"tune_{len(found) - 1}", {"committed": True, "objective": 0.5, "diverged": False})
    assert sorted(found) == sorted(Trial(cell, index).id for cell in cells(DEFINITION) for index in range(2))
    assert config == "FINISHED"


def test_it_does_not_end_while_a_trial_may_come_back() -> None:
    search = searcher()
    configs = {f"tune_{i}": search.suggest(f"tune_{i}") for i in range(4)}
    assert search.suggest("another") is None
    for name in list(configs)[1:]:
        search.on_trial_complete(name, {"committed": True, "objective": 0.5, "diverged": False})
    assert search.suggest("another") is None
    search.on_trial_complete("tune_0", {"out_of_memory": "too small"})
    again = search.suggest("another")
    assert again == configs["tune_0"] | {"alone": True, "to_beat": 0.5}
    search.on_trial_complete("another", {"out_of_memory": "too small"})
    assert search.suggest("one more") == "FINISHED", (
        "with a whole GPU, too, it was too small: its cell waits for the next run"
    )


def test_an_error_or_nothing_lets_the_cell_rest() -> None:
    for result, error in (
        (None, True),
        ({"epoch": 1}, False),
        ({"committed": True, "objective": 1.0, "diverged": False}, True),
    ):
        search = searcher()
        config = search.suggest("tune")
        search.on_trial_complete("tune", result, error=error)
        rest = [search.suggest(f"tune_{i}") for i in range(2)]
        assert all(parse_trial(each["trial"]).cell != parse_trial(config["trial"]).cell for each in rest)


def test_a_trial_that_failed_is_handed_out_again_until_its_attempts_are_used_up() -> None:
    search = searcher(attempts=3)
    first = search.suggest("tune_0")
    for attempt in range(1, 3):
        search.on_trial_complete(f"tune_{attempt - 1}", None, error=True)
        assert search.suggest(f"tune_{attempt}") == first
    search.on_trial_complete("tune_2", None, error=True)
    assert search.suggest("tune_3")["trial"] != first["trial"]


def test_the_first_estimate_is_by_an_epoch_that_is_not_the_first_of_its_worker() -> None:
    """A trial of one epoch has no other; a worker's second trial tells."""
    from study.cluster.reporter import Reporter

    progress, said = Progress.of(DEFINITION, {}, {"random_0": 100, "rot_0": 100}), list[str | None]()
    study = SimpleNamespace(splits={FIRST.cell.split: SimpleNamespace(train=range(100))})
    work: Any = SimpleNamespace(study=study, results=None, progress=progress, watch=lambda now, line: said.append(line))
    reporter = Reporter(work, {}, lambda: None)
    for worker, seconds, expected in ((b"a", 51.0, 0), (b"b", 49.0, 0), (b"a", 9.0, 1)):
        progress.start(FIRST, 1, 10.0)
        state = SimpleNamespace(ray_actor=SimpleNamespace(_actor_id=worker))
        trial: Any = SimpleNamespace(trial_id="tune", config={"trial": FIRST.id}, temporary_state=state)
        reporter.on_trial_result(0, [], trial, {"epoch": 1, "seconds": seconds, "hostname": "here"})
        assert len(said) == expected
    assert str(said[0]).startswith("By the first epochs here this run takes about")
    assert progress.work["icnet"].took == 9.0
    assert progress.images_per_second == pytest.approx(100 / 9)
    reporter.on_trial_result(0, [], trial, {"epoch": 1, "seconds": 0.0, "hostname": "here"})
    assert progress.running[FIRST.id].images_per_second is None, "of what takes no time, as when it is drawn"


def test_a_clock_that_is_set_back_stops_no_look_around(monkeypatch: pytest.MonkeyPatch) -> None:
    from study.cluster.reporter import Reporter

    progress, seconds, looks = Progress.of(DEFINITION, {}, {"random_0": 100, "rot_0": 100}), [0.0], list[float]()
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + seconds[0])
    monkeypatch.setattr(time, "time", lambda: 0.0)
    work: Any = SimpleNamespace(study=None, results=None, progress=progress, watch=lambda now, line: None)
    reporter = Reporter(work, {}, lambda: None)
    monkeypatch.setattr(reporter, "_refuse_without_nodes", lambda: looks.append(seconds[0]))
    monkeypatch.setattr(reporter, "_end_what_hangs", lambda trials: None)
    for seconds[0] in (0.0, 6.0, 7.0, 12.0):
        reporter.on_step_end(0, [])
    assert looks == [6.0, 12.0]
    assert progress.updated - progress.started == pytest.approx(12, abs=1)


MESSAGE = """2 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 127.0.0.1) was 2.85GB
Considered workers: [
Selected to kill: (Actor(2fc7cb912c6f7b027d81de4801000000): job ID=01000000, required resources={memory: 2.1e+09, CPU: 1}, pid=23338, actual memory used=1.00GB, worker ID=47a24b)
Selected to kill: (Actor(9b3e1166a11bd0b3431bbd5c01000000): job ID=01000000, required resources={CPU: 1}, pid=23337, actual memory used=1.03GB, worker ID=b8e582)
Not selected: (Actor(aaaaaaaaaaaaaaaaaaaaaaaa01000000): job ID=01000000, pid=23339, actual memory used=0.50GB, worker ID=b8e583)
]
"""  # noqa: E501


def test_whom_the_memory_monitor_ended() -> None:
    """As Ray 2.60 words it; of an actor that is none of ours nothing is said."""
    from study.cluster.driver import _killed_for_memory

    class Heard:
        def trial_of_actor(self, actor: str) -> Trial | None:
            return FIRST if actor.startswith(("2fc7", "aaaa")) else None

    assert _killed_for_memory(MESSAGE, Heard()).used == {FIRST: "1.00GB"}  # type: ignore[arg-type]
    assert _killed_for_memory("another wording", Heard()).used == {}  # type: ignore[arg-type]


def test_each_kill_doubles_the_memory_up_to_what_there_is() -> None:
    from study.cluster.driver import _resources_of

    machines = [Machine("a", 4, 0, 10.0), Machine("b", 4, 0, 4.0)]
    of_trial = _resources_of(DEFINITION, machines)
    found = [of_trial({"trial": FIRST.id, "alone": False, "memory_kills": n}).required_resources for n in range(4)]
    assert [each["memory"] / 2**30 for each in found] == [1.5, 3.0, 6.0, 10.0]
    unknown = _resources_of(DEFINITION, [dataclasses.replace(machines[0], memory=math.inf)])
    assert unknown({"trial": FIRST.id, "alone": False, "memory_kills": 3}).required_resources["memory"] == 12 * 2**30


def test_ray_client_is_refused_with_the_remedy() -> None:
    from study.cluster.connection import connected
    from study.errors import StudyError

    with (
        pytest.raises(StudyError, match=r"Ray Client cannot carry a study\. Start it on the cluster"),
        connected("ray://h:1"),
    ):
        pass


def test_workers_of_a_local_session_keep_their_memory() -> None:
    """Asked of the worker itself: the title that Ray gives a process lies where others read its environment."""
    asks = """if True:
        import json, os, ray
        from study.cluster.connection import connected
        with connected(None):
            print(json.dumps(ray.get(ray.remote(lambda: dict(os.environ)).remote())))
    """
    asked = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, timeout=120)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout).items() >= MEMORY.items()
