"""Hosts on this machine, each with its own network, processes, /dev/shm, /tmp/ray and /root; each can lose its power.

They share the rest of the disk, as a cluster's nodes share a path; `hide` takes a folder of it away from one host.
Needs root.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from ray_nodes import TOKEN
from small_study import ROOT, environment, wait_for

NETWORK = "10.77.0"
BRIDGE = "study-br"
PRIVATE = "/root/private"
BIN = Path(sys.executable).parent


def _own_places() -> str:
    """A shell's line that gives a host file systems of its own, but keeps this Python, wherever it lies."""
    kept = [p for p in (Path(sys.base_prefix), BIN.parent, ROOT) if p.is_relative_to("/root")]
    lines = [f"mkdir -p /run/study-kept/{i} && mount --bind {p} /run/study-kept/{i}" for i, p in enumerate(kept)]
    lines += [f"mkdir -p {place} && mount -t tmpfs tmpfs {place}" for place in ("/dev/shm", "/tmp/ray", "/root")]
    lines += [f"mkdir -p {p} && mount --bind /run/study-kept/{i} {p}" for i, p in enumerate(kept)]
    return "; ".join(lines)


_OWN = _own_places()


def sh(command: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


class Host:
    """One machine, at NETWORK.(10 + number)."""

    def __init__(self, number: int) -> None:
        self.number, self.ip, self.netns = number, f"{NETWORK}.{10 + number}", f"study{number}"
        sh(f"ip netns add {self.netns}")
        sh(f"ip link add study-v{number} type veth peer name eth0 netns {self.netns}")
        sh(f"ip link set study-v{number} master {BRIDGE} up")
        sh(f"ip -n {self.netns} addr add {self.ip}/24 dev eth0")
        sh(f"ip -n {self.netns} link set eth0 up && ip -n {self.netns} link set lo up")
        sh(f"ip -n {self.netns} route add default via {NETWORK}.1")  # by which Ray finds out which address is its own
        apart = f"ip netns exec {self.netns} unshare --pid --mount --uts --fork --kill-child --mount-proc bash -c"
        boot = f"set -e; hostname study{number}; {_OWN}; exec sleep infinity"
        self._power = subprocess.Popen([*apart.split(), boot])
        wait_for(lambda: bool(psutil.Process(self._power.pid).children()))
        self._first = psutil.Process(self._power.pid).children()[0].pid
        wait_for(lambda: self.run("findmnt -n -o FSTYPE /root; true").strip() == "tmpfs")

    def command(self, line: str) -> list[str]:
        """For subprocess: a shell's line, to be run on this host."""
        inside = ["nsenter", "-t", str(self._first), "--pid", "--mount", "--uts", f"--net=/var/run/netns/{self.netns}"]
        return [*inside, "bash", "-c", line]

    def run(self, line: str, check: bool = True) -> str:
        """The output of a shell's line on this host."""
        done = subprocess.run(self.command(line), capture_output=True, text=True, env=self._environment(), timeout=300)
        assert not check or done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def start(self, line: str) -> subprocess.Popen[str]:
        """The line, in the background."""
        return subprocess.Popen(
            self.command(line), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self._environment()
        )

    def start_ray(self, head: Host | None = None, cpus: int = 1) -> None:
        """A node of the cluster of `head`; without one, the head itself."""
        role = f"--address={head.ip}:6379" if head else "--head --port=6379 --include-dashboard=false"
        self.run(f"install -d -m 700 {PRIVATE}")
        self.run(f"{BIN}/ray start {role} --node-ip-address={self.ip} --num-cpus={cpus} --disable-usage-stats")

    def cut_power(self) -> None:
        os.kill(self._first, signal.SIGKILL)
        self._power.wait()

    def unplug(self) -> None:
        sh(f"ip -n {self.netns} link set eth0 down")

    def plug_in(self) -> None:
        sh(f"ip -n {self.netns} link set eth0 up && ip -n {self.netns} route add default via {NETWORK}.1")

    def hide(self, folder: Path) -> None:
        """Another, empty file system in its place."""
        self.run(f"mkdir -p {folder} && mount -t tmpfs tmpfs {folder}")

    def remove(self) -> None:
        if self._power.poll() is None:
            self.cut_power()
        time.sleep(0.2)
        sh(f"ip link del study-v{self.number}; ip netns del {self.netns}")

    @staticmethod
    def _environment() -> dict[str, str]:
        return environment(**TOKEN, HOME="/root", RAY_TMPDIR=PRIVATE)


class Hosts:
    """So many hosts on one network, which this machine is on, too."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.all: list[Host] = []

    def __enter__(self) -> Self:
        sh(f"ip link add {BRIDGE} type bridge && ip addr add {NETWORK}.1/24 dev {BRIDGE} && ip link set {BRIDGE} up")
        self.all = [Host(number) for number in range(self._count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for host in self.all:
            host.remove()
        sh(f"ip link del {BRIDGE}")

    def replace(self, number: int) -> Host:
        """The host, which has lost its power, started anew."""
        self.all[number].remove()
        self.all[number] = Host(number)
        return self.all[number]
