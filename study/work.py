"""What one run works on, and whom it reports to. Knows no Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from study.prepare import Prepared
from study.progress import Progress
from study.results import Results

Watch = Callable[[Progress, str | None], None]
"""Called with the progress on every turn of the driver's loop, and with a line when something has happened."""


@dataclass(frozen=True)
class Work:
    """One run of a study."""

    study: Prepared
    results: Results
    progress: Progress
    watch: Watch
