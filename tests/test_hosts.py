"""Faults between hosts, and a cluster started by `ray up`: the long part of the fault suite. Needs root."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hosts import BIN, NETWORK, Host, Hosts, sh
from ray_nodes import TOKEN
from small_study import ROOT, assert_same_facts, num_committed, study, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root"),
]
EVERY_EPOCH = "--set resources.checkpoint_seconds=0"


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """A head that trains nothing, and two workers."""
    with Hosts(3) as three:
        start(three)
        yield three


def start(hosts: Hosts) -> None:
    head, *workers = hosts.all
    head.start_ray(cpus=0)
    for worker in workers:
        worker.start_ray(head)


def run_line(definition: Path, out: Path, more: str = "") -> str:
    return f"cd {ROOT} && {BIN}/python -m study run {definition} --out {out} --address auto {EVERY_EPOCH} {more}"


def test_a_power_cut(definition: Path, undisturbed: Path, tmp_path: Path, hosts: Hosts) -> None:
    out = tmp_path / "out"
    with hosts.all[0].start(run_line(definition, out)) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        hosts.all[1].cut_power()
        output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    assert_same_facts(out, undisturbed)


def test_a_network_is_parted_and_joined(definition: Path, undisturbed: Path, tmp_path: Path, hosts: Hosts) -> None:
    out = tmp_path / "out"
    with hosts.all[0].start(run_line(definition, out)) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        hosts.all[1].unplug()
        time.sleep(90)
        hosts.all[1].plug_in()
        output, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, output
    assert_same_facts(out, undisturbed)


def test_the_head_is_lost_and_started_again(definition: Path, undisturbed: Path, tmp_path: Path, hosts: Hosts) -> None:
    out = tmp_path / "out"
    with hosts.all[0].start(run_line(definition, out)) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        hosts.all[0].cut_power()
        driver.communicate(timeout=60)
    assert num_committed(out) < 16
    for number in range(3):
        if number:
            hosts.all[number].cut_power()
        hosts.replace(number)
    start(hosts)
    done = hosts.all[0].run(run_line(definition, out))
    assert "Results: " in done
    assert_same_facts(out, undisturbed)


def test_the_driver_is_killed_at_random_moments(
    definition: Path, undisturbed: Path, tmp_path: Path, hosts: Hosts
) -> None:
    """Five times in one study, on a cluster that stays."""
    out, moments = tmp_path / "out", random.Random(7)
    for _ in range(5):
        with hosts.all[0].start(run_line(definition, out)) as driver:
            begun = num_committed(out)
            wait_for(lambda b=begun, d=driver: num_committed(out) > b or d.poll() is not None)  # type: ignore[misc]
            time.sleep(moments.uniform(0, 1))
            hosts.all[0].run("pkill -9 -f 'study run'", check=False)
            driver.communicate(timeout=60)
    assert "Results: " in hosts.all[0].run(run_line(definition, out))
    assert_same_facts(out, undisturbed)


def test_an_out_that_is_not_shared_is_refused(definition: Path, tmp_path: Path, hosts: Hosts) -> None:
    out = tmp_path / "out"
    out.mkdir()
    hosts.all[2].hide(out)
    said = hosts.all[0].run(run_line(definition, out), check=False)
    assert "not every node of the cluster can run this study:\n  study2: what one writes at" in said
    assert "study1" not in said
    assert "Traceback" not in said
    assert list(out.iterdir()) == []


def test_a_bucket_of_code_reaches_nodes_that_have_none(
    definition: Path, undisturbed: Path, tmp_path: Path, hosts: Hosts
) -> None:
    """The checkout is hidden from the workers: the driver sends them the code, and the data."""
    for worker in hosts.all[1:]:
        worker.hide(ROOT)
        worker.hide(definition.parent)
    out = tmp_path / "out"
    assert "Results: " in hosts.all[0].run(run_line(definition, out))
    assert_same_facts(out, undisturbed)


def with_sshd(host: Host, key: Path) -> None:
    """As a machine of one's own is: SSH for who has the key."""
    host.run(f"mkdir -p /root/.ssh /run/sshd && cp {key}.pub /root/.ssh/authorized_keys && chmod 700 /root/.ssh")
    host.run("/usr/sbin/sshd -o PidFile=none -o StrictModes=no -o PermitRootLogin=prohibit-password")


def test_ray_up_of_the_on_premises_variant(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    """`ray up`, `ray exec ... study run`, `ray down`, with the file that ships, at these hosts' addresses.

    The machines have an environment with the project's needs already, so that setup makes none.
    """
    sh("ssh-keygen -A")
    key, home, out = tmp_path / "key", tmp_path / "home", tmp_path / "out"
    sh(f"ssh-keygen -q -t ed25519 -N '' -f {key} && mkdir -p {home}/.ray")
    (home / ".ray" / "auth_token").write_text(TOKEN["RAY_AUTH_TOKEN"])
    config = yaml.safe_load((ROOT / "docs" / "cluster-on-premises.yaml").read_text())
    config["provider"] |= {"head_ip": f"{NETWORK}.10", "worker_ips": [f"{NETWORK}.11", f"{NETWORK}.12"]}
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(key)}
    config["file_mounts"] = {"/root/project": str(ROOT), "/root/.ray/auth_token": str(home / ".ray" / "auth_token")}
    config["setup_commands"] = [
        f"ln -sfn {BIN.parent} ~/venv",
        config["setup_commands"][0],
        config["setup_commands"][-1],
    ]
    file = tmp_path / "cluster.yaml"
    file.write_text(yaml.safe_dump(config))
    environment = os.environ | {"HOME": str(home), "RAY_AUTH_MODE": "token", "PYTHONPATH": ""}
    environment["RAY_UP_enable_autoscaler_v2"] = "0"  # as the file says

    def ray(*words: str) -> str:
        command = [str(BIN / "ray"), *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=400, cwd=ROOT)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    checked = study("plan", definition, "--out", out, "--cluster", file)
    assert checked.returncode == 0, checked.stderr
    with Hosts(3) as three:
        for host in three.all:
            with_sshd(host, key)
        ray("up", "-y", "--no-config-cache", str(file))
        line = f"cd ~/project && study run {definition} --out {out} --address auto"
        wait_for(lambda: "3 local.cluster.node" in ray("exec", str(file), "ray status || true"), 120)
        assert "Results: " in ray("exec", str(file), line)
        ray("down", "-y", str(file))
    assert_same_facts(out, undisturbed)
