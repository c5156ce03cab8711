"""What every benchmark says of itself: where, when and with what it was measured; and how spread is written."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"


def circumstances(*packages: str) -> dict[str, Any]:
    """Date, commit, processor, and the versions of Python and the packages."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _commit(),
        "cpu": f"{os.cpu_count()} x {model or platform.machine()}",
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
    }


def _commit() -> str:
    """The checkout's; "-dirty" behind it where files differ, other than results that another benchmark has written."""
    named = _git("describe", "--always", "--exclude=*").stdout.strip()
    changed = _git("diff", "--quiet", "HEAD", "--", ".", ":!benchmarks/results").returncode == 1
    return (named or "none") + ("-dirty" if changed else "")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)


def signature(about: dict[str, Any]) -> str:
    """The circumstances as a sentence."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return f"Commit {about['commit']}, {about['date']}, {about['cpu']}; {versions}."


def spread(values: Sequence[float], form: str = ".1f") -> str:
    """`median (smallest-largest)`."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def write(name: str, about: dict[str, Any], found: dict[str, Any], text: str) -> None:
    """benchmarks/results/NAME.json and .md; the text also on the screen."""
    (RESULTS / f"{name}.json").write_text(json.dumps(about | found, indent=2) + "\n")
    (RESULTS / f"{name}.md").write_text(text := f"{text}\n\n{signature(about)}\n")
    print(text)
