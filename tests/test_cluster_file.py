"""The cluster files that ship are sound; every mistake that Ray's validators let pass is named, as are theirs."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray_nodes import Nodes
from small_study import ROOT, environment, study, wait_for

pytestmark = pytest.mark.slow  # they import Ray
AWS = yaml.safe_load((ROOT / "cluster.yaml").read_text())
LOCAL = yaml.safe_load((ROOT / "docs" / "cluster-on-premises.yaml").read_text())


@pytest.fixture(autouse=True)
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that has the token which both files mount."""
    (tmp_path / "home" / ".ray").mkdir(parents=True)
    (tmp_path / "home" / ".ray" / "auth_token").write_text("0" * 64)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def planned(tmp_path: Path, config: Any, *settings: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "cluster.yaml"
    path.write_text(config if isinstance(config, str) else yaml.safe_dump(config))
    return study("plan", "paper", "--out", tmp_path / "none", "--cluster", path, *settings)


def test_what_ships_is_sound_and_told_in_hours(tmp_path: Path) -> None:
    done = planned(tmp_path, AWS)
    assert done.returncode == 0, done.stderr
    assert "cluster.yaml: sound. 40 trials at once, about " in done.stdout
    assert " GPU hours, at that speed." in done.stdout
    answer = json.loads(planned(tmp_path, AWS, "--json").stdout)["cluster"]
    assert answer["at_once"] == 40
    assert 0 < answer["hours"] < answer["gpu_hours"]
    local = planned(tmp_path, LOCAL)
    assert local.returncode == 0, local.stderr
    assert "sound. What its machines hold, Ray will find out" in local.stdout


def changed(base: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(json.dumps(base))
    change(config)
    return config


def worker(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["available_node_types"]["gpu_spot"]
    return found


MISTAKES: list[tuple[dict[str, Any], Callable[[dict[str, Any]], Any], str]] = [
    (
        AWS,
        lambda c: c["provider"].update(availabilty_zone="x"),
        "provider/availabilty_zone: no such key; did you mean availability_zone?",
    ),
    (
        AWS,
        lambda c: worker(c)["node_config"].update(InstanceTyp="g6.xlarge"),
        "gpu_spot/node_config/InstanceTyp: no such key; did you mean InstanceType?",
    ),
    (
        AWS,
        lambda c: c["file_mounts"].update({"~/x": "/no/such/place"}),
        "file_mounts/~/x: there is no /no/such/place on this machine",
    ),
    (AWS, lambda c: c.update(min_workers=2), "min_workers: Ray ignores it but for provider: local"),
    (AWS, lambda c: c.update(setup_commands="pip install ."), "setup_commands: must be a list of commands"),
    (AWS, lambda c: c.update(max_worker=3), "Ray refuses"),
    (AWS, lambda c: worker(c).update(min_worker=1), "Ray refuses available_node_types/gpu_spot"),
    (AWS, lambda c: worker(c)["resources"].update(GPU=0.5), "Ray refuses available_node_types/gpu_spot/resources/GPU"),
    (AWS, lambda c: c.update(head_node_type="boss"), "Ray refuses"),
    (
        LOCAL,
        lambda c: c["provider"].update(worker_ip=["10.0.0.9"]),
        "provider/worker_ip: no such key; did you mean worker_ips?",
    ),
    (LOCAL, lambda c: c["provider"].pop("head_ip"), "Ray refuses"),
    (
        AWS,
        lambda c: worker(c).update(resources={"CPU": 8, "GPU": 1, "memory": 2**30}),
        "a trial of icnet takes 1 CPU, 0.125 of a GPU and 4 GiB, and no machine has that",
    ),
]


@pytest.mark.parametrize(("base", "change", "message"), MISTAKES, ids=[message[:40] for *_, message in MISTAKES])
def test_mistakes_are_named(
    tmp_path: Path, base: dict[str, Any], change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    done = planned(tmp_path, changed(base, change))
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "text", ["", "just words", "a: [", "- 1\n- 2\n", "\x00", "!!python/object/apply:os.system [id]"]
)
def test_what_is_no_cluster_file(tmp_path: Path, text: str) -> None:
    done = planned(tmp_path, text)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "uid=" not in done.stdout + done.stderr, "a file is read, not run"


def test_nothing_but_ssh_is_open_and_the_token_is_asked_for_everywhere() -> None:
    rules = AWS["provider"]["security_group"]["IpPermissions"]
    assert [(rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) for rule in rules] == [(22, 22, "tcp")]
    assert all(each["CidrIp"] != "0.0.0.0/0" for rule in rules for each in rule["IpRanges"])
    for config in (AWS, LOCAL):
        started = [c for key in ("head", "worker") for c in config[f"{key}_start_ray_commands"] if "ray start" in c]
        assert len(started) == 2
        assert all(command.startswith("RAY_AUTH_MODE=token ") for command in started)
        assert "--dashboard-host=127.0.0.1" in started[0]


def test_on_kubernetes_the_submitter_reaches_the_dashboard_and_others_do_not() -> None:
    job, policy = yaml.safe_load_all((ROOT / "docs" / "kuberay.yaml").read_text())
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    params = cluster["headGroupSpec"]["rayStartParams"]
    assert params == {"num-cpus": "0"}, "dashboard-host is KubeRay's own: another pod asks"
    assert policy["spec"]["podSelector"] == {"matchLabels": {"ray.io/is-ray-node": "yes"}}
    assert policy["spec"]["ingress"][0]["from"][0] == {"podSelector": {}}
    assert job["spec"]["activeDeadlineSeconds"] > 0


@pytest.mark.parametrize(("status", "again"), [(0, False), (1, False), (2, True), (130, True)])
def test_on_kubernetes_a_bad_trial_starts_no_other_cluster(tmp_path: Path, status: int, again: bool) -> None:
    job, _ = yaml.safe_load_all((ROOT / "docs" / "kuberay.yaml").read_text())
    program = tmp_path / "study"
    program.write_text(f"#!/bin/sh\nexit {status}\n")
    program.chmod(0o755)
    run = subprocess.run(["sh", "-c", job["spec"]["entrypoint"]], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert (run.returncode != 0) == again


class Metadata(http.server.BaseHTTPRequestHandler):
    """A machine's metadata service, as AWS describes it (IMDSv2)."""

    notice: datetime | None = None

    def do_PUT(self) -> None:
        self._say(200, "token" if self.path == "/latest/api/token" else "")

    def do_GET(self) -> None:
        known = self.headers["X-aws-ec2-metadata-token"] == "token" and self.path.endswith("/spot/instance-action")
        if not known or Metadata.notice is None:
            self._say(404, "")
        else:
            self._say(200, json.dumps({"action": "terminate", "time": f"{Metadata.notice:%Y-%m-%dT%H:%M:%SZ}"}))

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Not on the screen."""


@pytest.fixture
def metadata() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_spot_notice_becomes_a_drain(metadata: str) -> None:
    Metadata.notice = None
    with Nodes() as nodes:
        watcher = subprocess.Popen(
            [sys.executable, "-m", "study.cluster.spot", "--address", nodes.address, "--metadata", metadata],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(**nodes.environment), cwd=ROOT,
        )  # fmt: skip
        time.sleep(4)
        assert watcher.poll() is None, "no notice yet"
        Metadata.notice = datetime.now(UTC) + timedelta(seconds=120)
        wait_for(lambda: watcher.poll() is not None)
        said = watcher.communicate()[0]
    assert watcher.returncode == 0, said
    assert "draining " in said
    assert "s left" in said
