"""The scripts for Slurm, on a real one: two nodes of this machine, with a controller and a munge of their own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from simulated_study import write_study
from small_study import ROOT, assert_same_facts, environment, num_committed, wait_for

from study.definition.file import load

SETTINGS = ("simulate=true", "training.image_size=32", "resources.simulated_seconds=4")
SCRIPTS = [ROOT / "docs" / name for name in ("slurm.sbatch", "slurm-array.sbatch")]
PROGRAMS = ("munged", "slurmctld", "slurmd")


@dataclass(frozen=True)
class Slurm:
    folder: Path

    def __call__(self, *words: object) -> str:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = environment(SLURM_CONF=str(self.folder / "slurm.conf"), PATH=path)
        command = list(map(str, words))
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=self.folder, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def submit(self, script: Path, **options: str) -> str:
        """A copy that asks for what these nodes have; the job's number."""
        text = re.sub(r"#SBATCH --gpus.*\n", "", script.read_text(encoding="utf-8"))
        text = re.sub(r"--cpus-per-task=\d+", "--cpus-per-task=1", text)
        (self.folder / script.name).write_text(text, encoding="utf-8")
        more = [f"--{name}={value}" for name, value in options.items()]
        words = ("demo", self.folder / "out", *(word for each in SETTINGS for word in ("--set", each)))
        answer = self("sbatch", "--parsable", f"--output={self.folder}/log-%a", *more, script.name, *words)
        return answer.strip()

    def states(self, job: str) -> list[str]:
        return re.findall(r"JobState=(\w+)", self("scontrol", "show", "job", job))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    if os.geteuid() or not all(map(shutil.which, PROGRAMS)):
        pytest.skip("needs root, slurmctld, slurmd and munge")
    folder, host = tmp_path, socket.gethostname()
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "munge.key").chmod(0o400)
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={free_port()} CPUs=2 RealMemory=1000"
        for name in ("n1", "n2")
    )
    (folder / "slurm.conf").write_text(
        f"""ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={free_port()}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MpiDefault=none
SwitchType=switch/none
{nodes}
PartitionName=main Nodes=n1,n2 Default=YES State=UP
""",
        encoding="utf-8",
    )
    commands = [
        ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={folder}/munge.socket",
         f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed"],
        ["slurmctld", "-D"], ["slurmd", "-D", "-N", "n1"], ["slurmd", "-D", "-N", "n2"],
    ]  # fmt: skip
    env, running = environment(SLURM_CONF=f"{folder}/slurm.conf"), list[subprocess.Popen[bytes]]()
    with (folder / "daemons.log").open("wb") as log:
        for command in commands:
            running.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
            time.sleep(1)
        slurm = Slurm(folder)
        try:
            wait_for(lambda: slurm("sinfo", "-h", "-o", "%T").split() == ["idle"])
            yield slurm
        finally:
            slurm("scancel", "--user=root")
            for process in reversed(running):
                process.terminate()
                process.wait()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("slurm") / "expected", load("demo", SETTINGS[:2]))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_shell_can_read_it(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    header = [line for line in script.read_text(encoding="utf-8").splitlines() if line.startswith("#SBATCH")]
    assert "#SBATCH --requeue" in header


@pytest.mark.slow
@pytest.mark.long
def test_one_ray_in_a_job_that_is_queued_again(slurm: Slurm, expected: Path) -> None:
    """Preempted once, and once told that its time is up."""
    job, out = slurm.submit(SCRIPTS[0]), slurm.folder / "out"
    for least, command in ((2, ("requeue",)), (6, ("signal",))):
        wait_for(lambda least=least: num_committed(out) >= least, seconds=300)  # type: ignore[misc]
        if command == ("requeue",):
            slurm("scontrol", "requeue", job)
        else:
            slurm("scancel", "--batch", "--signal=USR1", job)
        wait_for(lambda: slurm.states(job) == ["PENDING"], seconds=120)
        assert 0 < num_committed(out) < 28
    wait_for(lambda: slurm.states(job) == ["COMPLETED"], seconds=600)
    assert_same_facts(out, expected)


@pytest.mark.slow
@pytest.mark.long
def test_shares_of_an_array_make_one_study(slurm: Slurm, expected: Path) -> None:
    job = slurm.submit(SCRIPTS[1], array="0-2")
    wait_for(lambda: num_committed(slurm.folder / "out") >= 3, seconds=300)
    slurm("scontrol", "requeue", f"{job}_1")
    wait_for(lambda: set(slurm.states(job)) == {"COMPLETED"}, seconds=900)
    assert_same_facts(slurm.folder / "out", expected)
