"""Before anything is trained: what the nodes are, whether each reaches OUT, and whether it runs the same code."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import ray
import ray.exceptions
from ray._private.state import state
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.cluster import private
from study.errors import StudyError
from study.planning.capacity import GIB, Machine
from study.prepare import Prepared, differing_versions, provenance, source_digest
from study.results import Results
from study.terminal.interrupts import stopping_between_steps

SECONDS_TO_LOOK = 120.0
MOST_NODES = 1000  # of a type that the cluster does not limit


def machines() -> list[Machine]:
    """The nodes that are there, and those that the cluster's autoscaler may add."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    there = [_machine(str(node["NodeManagerHostname"]), node["Resources"]) for node in alive]
    config = state.get_cluster_config()
    groups = config.node_group_configs if config else ()
    return there + [_machine(group.name, group.resources, _may_be_added(group, alive)) for group in groups]


def _machine(name: str, resources: Mapping[str, float], count: int = 1) -> Machine:
    memory = resources.get("memory", math.inf)
    return Machine(name, resources.get("CPU", 0.0), resources.get("GPU", 0.0), memory / GIB, count)


def _may_be_added(group: Any, alive: list[dict[str, Any]]) -> int:
    """How many more of a node type the autoscaler may start: its limit (-1: none) less those that are there."""
    there = [node for node in alive if node.get("Labels", {}).get("ray.io/node-group") == group.name]
    limit = int(group.max_count)
    return max(0, (limit if limit >= 0 else MOST_NODES) - len(there))


class Look(NamedTuple):
    """What a node is like before our code is there."""

    host: str
    is_private: bool
    """Whether no other user of it can enter Ray's session folder."""
    has_code: bool
    """Whether this project is installed there."""


def look_at_nodes() -> list[Look]:
    """All nodes that are there. Raises StudyError if one does not answer."""
    ray.cloudpickle.register_pickle_by_value(private)  # the nodes need not have it
    try:
        looks = _ask_each(ray.remote(num_cpus=0, max_retries=0)(private.look_around))
        return [Look(host, *ray.get(look, timeout=0)) for host, look in looks.values()]
    except ray.exceptions.RayError as error:
        raise StudyError(f"not every node of the cluster can be looked at: {_in_a_line(error)}") from None
    finally:
        ray.cloudpickle.unregister_pickle_by_value(private)


def check_nodes(results: Results, study: Prepared) -> None:
    """Every node reads what we write at OUT, writes what we read, and has our code and our versions.

    Raises StudyError that names each node and what it lacks. Leaves nothing at OUT.
    """
    mixed = study.definition.resources.mixed_versions
    nonce = uuid.uuid4().hex[:12]
    name, written = f".check-{nonce}", {node: f".check-{nonce}-{node}" for node in _alive()}
    results.write_text(name, nonce)
    try:
        problems = [
            f"  {host}: {problem}"
            for node, (host, look) in _ask_each(_look, results.place(), name).items()
            for problem in _problems(look, f"{name}-{node}", results, mixed=mixed)
        ]
    finally:
        for each in (name, *written.values()):
            results.remove(each)
    if problems:
        raise StudyError("not every node of the cluster can run this study:\n" + "\n".join(sorted(set(problems))))


def _ask_each(task: Any, *arguments: Any) -> dict[str, tuple[str, Any]]:
    """Node -> its host, and what is to become the task's answer there, within SECONDS_TO_LOOK. The task is given the
    node as its last argument."""
    asked = {
        node: (host, task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)))
        for node, host in _alive().items()
    }
    looks = {node: (host, task.remote(*arguments, node)) for node, (host, task) in asked.items()}
    waiting, deadline = [look for _, look in looks.values()], time.monotonic() + SECONDS_TO_LOOK
    with stopping_between_steps() as stop_if_asked:
        while waiting and time.monotonic() < deadline:
            _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=1)
            stop_if_asked()
    return looks


def _alive() -> dict[str, str]:
    """Node -> its host."""
    return {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def _look(out: str, name: str, node: str) -> dict[str, Any]:
    """What one node has: run there."""
    results = Results(out)
    read = results.read_text(name)
    results.write_text(f"{name}-{node}", node)
    return {"read": read, "source": source_digest(), "versions": provenance().versions}


def _problems(look: Any, written: str, results: Results, *, mixed: bool) -> list[str]:
    try:
        seen = ray.get(look, timeout=0)
    except ray.exceptions.RayError as error:
        return [_in_a_line(error)]
    found = []
    if seen["read"] is None or results.read_text(written) is None:
        found.append(f"what one writes at {results.out} the other does not see: is it a path that all nodes share?")
    if seen["source"] != source_digest():
        found.append("another version of this project's code")
    if not mixed and (differing := differing_versions(seen["versions"])):
        found.append(f"other versions: {differing}")
    return found


def _in_a_line(error: ray.exceptions.RayError) -> str:
    if isinstance(error, ray.exceptions.GetTimeoutError):
        return f"no answer within {SECONDS_TO_LOOK:.0f} s"
    if isinstance(error, ray.exceptions.RayTaskError):
        return f"{type(error.cause).__name__}: {error.cause}"
    return str(error).strip().partition("\n")[0]
