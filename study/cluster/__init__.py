"""All of Ray: a schedule's trials, run by the workers of a cluster, or of this machine, through Ray Tune."""

from study.cluster.cluster_file import check_cluster_file
from study.cluster.connection import connected
from study.cluster.driver import KilledForMemory, run_schedule
from study.cluster.nodes import check_nodes, machines
from study.cluster.shared_gpus import sharing_gpus

__all__ = [
    "KilledForMemory",
    "check_cluster_file",
    "check_nodes",
    "connected",
    "machines",
    "run_schedule",
    "sharing_gpus",
]
