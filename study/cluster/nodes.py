"""Before anything is trained: what the nodes are, whether each reaches OUT, and whether it runs the same code."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any

import ray
import ray.exceptions
from ray._private.state import state
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.capacity import GIB, Machine
from study.errors import StudyError
from study.prepare import Prepared, differing_versions, provenance, source_digest
from study.results import Results

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


def check_nodes(results: Results, study: Prepared) -> None:
    """Every node reads what we write at OUT, writes what we read, and has our code and our versions.

    Raises StudyError that names each node and what it lacks. Leaves nothing at OUT.
    """
    existed, mixed = results.exists(), study.definition.resources.mixed_versions
    nonce = uuid.uuid4().hex[:12]
    name = f".check-{nonce}"
    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    results.write_text(name, nonce)
    try:
        looks = {
            node: _look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
                results.place(), name, node
            )
            for node in nodes
        }
        ray.wait(list(looks.values()), num_returns=len(looks), timeout=SECONDS_TO_LOOK)
        problems = [
            f"  {host}: {problem}"
            for node, host in nodes.items()
            for problem in _problems(looks[node], f"{name}-{node}", results, mixed=mixed)
        ]
    finally:
        for each in (name, *(f"{name}-{node}" for node in nodes)):
            results.remove(each)
        if not existed:
            results.remove_if_empty()
    if problems:
        raise StudyError("not every node of the cluster can run this study:\n" + "\n".join(sorted(set(problems))))


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
    except ray.exceptions.GetTimeoutError:
        return [f"no answer within {SECONDS_TO_LOOK:.0f} s"]
    except ray.exceptions.RayTaskError as error:
        return [f"{type(error.cause).__name__}: {error.cause}"]
    except ray.exceptions.RayError as error:
        return [str(error).strip().partition("\n")[0]]
    found = []
    if seen["read"] is None or results.read_text(written) is None:
        found.append(f"what one writes at {results.out} the other does not see: is it a path that all nodes share?")
    if seen["source"] != source_digest():
        found.append("another version of this project's code")
    if not mixed and (differing := differing_versions(seen["versions"])):
        found.append(f"other versions: {differing}")
    return found
