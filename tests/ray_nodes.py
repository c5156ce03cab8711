"""A Ray cluster of several nodes on this machine, each a set of processes that can be killed; in a process of its own.

Run as a program it is told on its standard input, a line each: `add CPUS GPUS ENVIRONMENT` (JSON), `kill N` (SIGKILL),
`drain N SECONDS`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}


class Nodes:
    """The cluster, seen from a test. Node 0 is the head, and trains nothing unless it is given CPUs."""

    def __init__(self, head_cpus: int = 0, **environment: str) -> None:
        self.environment = TOKEN | environment
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(head_cpus)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | self.environment,
            cwd=Path(__file__).parents[1],
        )
        self.address = str(self._answer()["address"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._process:  # closes its pipes, at which it ends
            try:
                self._process.communicate(timeout=60)
            finally:
                self._process.kill()

    def add(self, cpus: float = 1, gpus: float = 0, **environment: str) -> int:
        """Start a node, with more in its environment; its number."""
        return int(self._ask(f"add {cpus} {gpus} {json.dumps(environment)}")["node"])

    def kill(self, node: int) -> None:
        """As by a power cut: every process of the node at once."""
        self._ask(f"kill {node}")

    def drain(self, node: int, seconds: float) -> None:
        """As by a spot notice: Ray is told that the node will be gone in so many seconds."""
        self._ask(f"drain {node} {seconds}")

    def processes(self) -> set[psutil.Process]:
        """Ray's own on all nodes: no workers, which come and go."""
        every = psutil.Process(self._process.pid).children(recursive=True)
        return {process for process in every if process.name() in ("gcs_server", "raylet") or "Agent" in process.name()}

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError("the cluster's process has ended")


def main() -> None:
    import ray
    from ray._raylet import GcsClient
    from ray.cluster_utils import Cluster
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": int(sys.argv[1]), "include_dashboard": False})
    nodes = [cluster.head_node]
    print(json.dumps({"address": cluster.address}), flush=True)
    for line in sys.stdin:
        word, *values = line.split(maxsplit=3)
        if word == "add":
            environment = json.loads(values[2])
            nodes.append(cluster.add_node(num_cpus=float(values[0]), num_gpus=float(values[1]), env_vars=environment))
            print(json.dumps({"node": len(nodes) - 1}), flush=True)
        elif word == "kill":
            cluster.remove_node(nodes[int(values[0])], allow_graceful=False)
            print(json.dumps({}), flush=True)
        else:
            import time

            deadline = int(1000 * (time.time() + float(values[1])))
            reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
            accepted, message = GcsClient(cluster.address).drain_node(
                nodes[int(values[0])].node_id, reason, "a spot notice", deadline
            )
            assert accepted, message
            print(json.dumps({}), flush=True)
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
