"""On a spot machine of AWS: hears that it will be taken back, and tells Ray, which moves its trials on in time.

Started beside `ray start`, see cluster.yaml: `python -m study.cluster.spot --address HEAD:6379`. A drained node's
trials go on elsewhere from their last epoch, and no attempt of theirs is counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import ray.util
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.core.generated.autoscaler_pb2 import DrainNodeReason

METADATA = "http://169.254.169.254"
SECONDS_BETWEEN_LOOKS = 5.0
_SECONDS_TO_ANSWER = 2.0


def seconds_left(metadata: str = METADATA) -> float | None:
    """Until AWS takes this machine back; None while it has not said so, or where there is no such service."""
    try:
        token = _fetch(f"{metadata}/latest/api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        notice = _fetch(f"{metadata}/latest/meta-data/spot/instance-action", "GET", {"X-aws-ec2-metadata-token": token})
    except OSError:  # 404: no notice; anything else: asked again in a moment
        return None
    when = datetime.strptime(json.loads(notice)["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _fetch(url: str, method: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=_SECONDS_TO_ANSWER) as answer:
        return str(answer.read(65536).decode())


def drain(address: str, ip: str, seconds: float) -> bool:
    """Tell the cluster that the nodes at `ip` will be gone in so many seconds; whether it knew of any."""
    client, deadline = GcsClient(address), int(1000 * (time.time() + seconds))
    alive = [info for info in client.get_all_node_info().values() if info.state == 0]
    nodes = [info.node_id.hex() for info in alive if info.node_manager_address == ip]
    for node in nodes:
        reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        accepted, refusal = client.drain_node(node, reason, "AWS takes the spot machine back", deadline)
        print(f"draining {node}, {seconds:.0f} s left" if accepted else f"not drained: {refusal}", flush=True)
    return bool(nodes)


def main() -> None:
    """Watch until the notice comes, pass it on once, and end."""
    parser = argparse.ArgumentParser(prog="python -m study.cluster.spot", description=__doc__)
    parser.add_argument("--address", required=True, help="of the cluster's head, such as 10.0.0.1:6379")
    parser.add_argument("--ip", default=None, help="of this node (default: as Ray finds it)")
    parser.add_argument("--metadata", default=METADATA, help="the machine's metadata service (default: %(default)s)")
    options = parser.parse_args()
    while (left := seconds_left(options.metadata)) is None:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    if not drain(options.address, options.ip or ray.util.get_node_ip_address(), left):
        sys.exit("no node of the cluster is on this machine")


if __name__ == "__main__":
    main()
