"""OUT in an object store: a real S3 server on loopback, behind a gate that can be shut."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_study import ROOT, assert_same_facts, environment, started, study, wait_for

from study.results import Results
from study.results.schemas import SCHEMAS

pytestmark = pytest.mark.slow
BUCKET = "studies"


class Gate:
    """Passes connections on to a server, or refuses them."""

    def __init__(self, to: int, log: Path) -> None:
        self.log = log
        """In which the server notes each request."""
        self._to, self._listener = to, socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse whoever comes, and cut off who is there."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in (end for pair in self._pairs for end in pair):
            end.close()
        self._pairs.clear()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while content := source.recv(65536):
                sink.sendall(content)
        except OSError:
            pass
        finally:
            sink.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = tmp_path_factory.mktemp("s3") / "log"
    log = place.open("wb")
    process = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=log, stderr=log)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(answers)
    gate = Gate(port, place)
    yield gate
    gate.shut()
    process.kill()
    process.wait()
    log.close()


@pytest.fixture
def out(server: Gate, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A prefix of its own, which this process and its children reach through the gate."""
    settings = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    settings |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}", "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    make = f"import boto3; boto3.client('s3').create_bucket(Bucket={BUCKET!r})"
    subprocess.run([sys.executable, "-c", make], check=True, env=environment())
    return f"s3://{BUCKET}/{request.node.name}"


def num_committed(out: str) -> int:
    return len(Results(out).names("trials", ".parquet"))


def test_a_study_in_a_bucket(definition: Path, undisturbed: Path, out: str) -> None:
    done = study("run", definition, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_facts(out, undisturbed)
    status = study("status", out)
    assert "16 of 16 trials done" in status.stdout
    analysed = [sys.executable, "-m", "analysis", "tables", out]
    assert "mug" in subprocess.run(analysed, capture_output=True, text=True, cwd=ROOT, check=True).stdout


def test_a_commit_is_one_request_a_file(undisturbed: Path, out: str, server: Gate) -> None:
    """No folder is made, and no upload in parts, which would be left behind by a writer that is killed."""
    trial_id = "icnet-ce-random_0-s0-t00"
    tables = {name: Results(undisturbed).read(name, [trial_id]) for name in SCHEMAS}
    results, before = Results(out), len(_written(server))
    results.commit(tables)
    wait_for(lambda: len(_written(server)) - before >= len(tables))
    prefix = out.removeprefix("s3:/")
    assert _written(server)[before:] == [f"PUT {prefix}/{name}/{trial_id}.parquet" for name in SCHEMAS]
    assert results.sound_row(trial_id) is not None


def _written(server: Gate) -> list[str]:
    """What was asked of the server, other than to read."""
    return re.findall(r'"((?:PUT|POST|DELETE|HEAD) [^ ]+)', server.log.read_text(encoding="utf-8"))


def test_two_drivers_at_once_in_a_bucket(definition: Path, out: str) -> None:
    quick = ("--simulate", "--set", "search.trials=1", "--out", out)
    with started("run", definition, *quick) as one, started("run", definition, *quick, "--set", "seed=1") as other:
        outputs = [each.communicate(timeout=180)[0] for each in (one, other)]
    assert sorted([one.returncode, other.returncode]) == [0, 2], outputs
    assert len({row["recipe_digest"] for row in Results(out).audit().rows.values()}) == 1
    assert num_committed(out) == 4
    assert Results(out).names("claims", ".json") == []


@pytest.mark.long
def test_the_server_refuses_for_a_while(definition: Path, undisturbed: Path, out: str, server: Gate) -> None:
    with started("run", definition, "--out", out) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        server.shut()
        time.sleep(10)
        server.open()
        output, _ = driver.communicate(timeout=180)
    assert driver.returncode == 0, output
    assert "is tried again" not in output, "a trial that has been trained waits for the server"
    assert_same_facts(out, undisturbed)


@pytest.mark.long
def test_the_server_refuses_for_good(definition: Path, undisturbed: Path, out: str, server: Gate) -> None:
    impatient = ("--set", "resources.patience_seconds=3", "--set", "resources.attempts=1")
    with started("run", definition, "--out", out, *impatient) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        server.shut()
        output, _ = driver.communicate(timeout=240)
        server.open()
    assert driver.returncode in (1, 2), output
    assert "NETWORK_CONNECTION" in output
    assert "Traceback" not in output
    assert study("run", definition, "--out", out).returncode == 0
    assert_same_facts(out, undisturbed)


def test_a_bucket_that_cannot_be_reached_is_one_message(definition: Path, out: str, server: Gate) -> None:
    server.shut()
    try:
        for command in (f"study run {definition} --out {out}", f"study status {out}", f"analysis tables {out}"):
            words = [sys.executable, "-m", *command.split()]
            done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=120)
            assert done.returncode == 2, done.stdout
            assert "NETWORK_CONNECTION" in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        server.open()


def test_a_bucket_that_is_not_there(definition: Path, out: str) -> None:
    done = study("run", definition, "--out", "s3://no-such-bucket-here/x")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
