"""Checks a cluster.yaml offline: by Ray's own validators, and for what they let pass. Connects nowhere."""

from __future__ import annotations

import contextlib
import copy
import difflib
import io
import logging
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from study.errors import StudyError
from study.planning.capacity import GIB, Machine

_COMMON = {"type", "use_internal_ips", "disable_node_updaters"}
PROVIDER_KEYS = {
    "aws": _COMMON
    | {"region", "availability_zone", "cache_stopped_nodes", "security_group", "cloudwatch", "aws_credentials"}
    | {"use_external_head_ip", "key_pair"},
    "local": _COMMON | {"head_ip", "worker_ips", "coordinator_address", "external_head_ip"},
}
# What EC2's RunInstances takes, in the spelling of node_config.
AWS_NODE_KEYS = {
    *("AdditionalInfo", "BlockDeviceMappings", "CapacityReservationSpecification", "CpuOptions", "CreditSpecification"),
    *("DisableApiStop", "DisableApiTermination", "EbsOptimized", "EnclaveOptions", "HibernationOptions"),
    *("IamInstanceProfile", "ImageId", "InstanceInitiatedShutdownBehavior", "InstanceMarketOptions", "InstanceType"),
    *("Ipv6AddressCount", "Ipv6Addresses", "KernelId", "KeyName", "LaunchTemplate", "LicenseSpecifications"),
    *("MaintenanceOptions", "MetadataOptions", "Monitoring", "NetworkInterfaces", "Placement", "PrivateDnsNameOptions"),
    *("PrivateIpAddress", "RamdiskId", "SecurityGroupIds", "SecurityGroups", "SubnetId", "SubnetIds"),
    *("TagSpecifications", "UserData"),
}
LOCAL_ONLY = ("min_workers",)


def check_cluster_file(path: str) -> list[Machine]:
    """The machines that the cluster may have. Raises StudyError with every problem found, each naming its key."""
    config = _read(path)
    problems = [*_by_us(config), *_by_ray(config)]
    if problems:
        raise StudyError(
            f"{path}: this cluster cannot be started as it is meant:\n" + "\n".join(f"  {p}" for p in problems)
        )
    return _machines(config)


def _read(path: str) -> dict[str, Any]:
    try:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(config, dict):
        raise StudyError(f"{path}: no cluster: its top level must be keys with values")
    return config


def _by_ray(config: Mapping[str, Any]) -> list[str]:
    """What Ray's launcher itself would say. It prints, and raises whatever its schema or its code runs into."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            logging.disable(logging.INFO)
            validate_config(prepare_config(copy.deepcopy(dict(config))))
    except Exception as error:
        cause = error.__cause__ or error
        message = str(getattr(cause, "message", cause)).partition("\n")[0]
        where = "/".join(map(str, getattr(cause, "absolute_path", ())))
        return [f"Ray refuses {where or 'it'}: {message or said.getvalue().strip() or type(error).__name__}"]
    finally:
        logging.disable(logging.NOTSET)
    return []


def _by_us(config: Mapping[str, Any]) -> list[str]:
    """Mistakes that Ray's validators let pass."""
    provider = _table(config.get("provider"))
    kind = provider.get("type")
    problems = []
    if kind in PROVIDER_KEYS:
        problems += _unknown("provider", provider, PROVIDER_KEYS[kind])
    if kind != "local":
        ignored = [key for key in LOCAL_ONLY if key in config]
        problems += [f"{key}: Ray ignores it but for provider: local; it belongs to a node type" for key in ignored]
    if kind == "aws":
        for name, node_type in _table(config.get("available_node_types")).items():
            node_config = _table(_table(node_type).get("node_config"))
            problems += _unknown(f"available_node_types/{name}/node_config", node_config, AWS_NODE_KEYS)
    for remote, here in _table(config.get("file_mounts")).items():
        if not Path(str(here)).expanduser().exists():
            problems.append(f"file_mounts/{remote}: there is no {here} on this machine")
    for key in [key for key in config if key.endswith("_commands")]:
        if not isinstance(config[key], list):
            problems.append(f"{key}: must be a list of commands")
    return problems


def _unknown(place: str, table: Mapping[str, Any], known: Iterable[str]) -> list[str]:
    found = []
    for key in sorted(table.keys() - set(known)):
        near = difflib.get_close_matches(key, sorted(known), 1)
        found.append(f"{place}/{key}: no such key" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def _machines(config: Mapping[str, Any]) -> list[Machine]:
    """By node type. Those of one's own machines are known only once Ray runs there: none."""
    most = int(config.get("max_workers", 0))
    found = []
    for name, node_type in _table(config.get("available_node_types")).items():
        resources = _table(node_type.get("resources"))
        count = 1 if name == config.get("head_node_type") else min(int(node_type.get("max_workers", 0)), most)
        memory = float(resources.get("memory", math.inf)) / GIB
        found.append(Machine(name, float(resources.get("CPU", 0)), float(resources.get("GPU", 0)), memory, count))
    return found


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
