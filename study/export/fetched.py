"""The weights of trials: as they were kept, or made again, bit for bit, by training as the rows say."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from study.cells import Trial
from study.definition.point import Point
from study.errors import StudyError
from study.planning.cost import readable
from study.prepare import Prepared, differing_versions
from study.results import Results
from study.results.checkpoints import Checkpoints
from study.results.digests import Row
from study.results.weights import facts_of, file_of, kept_beside
from trainers.printable import counted

if TYPE_CHECKING:
    from trainers.outcome import Epoch

Prepare = Callable[[], Prepared]


class Weights(NamedTuple):
    """Of one network."""

    content: bytes
    """Of a safetensors file."""
    labels: tuple[str, ...]
    has_background: bool


def fetch(
    results: Results,
    committed: Mapping[Trial, Row],
    chosen: Sequence[Trial],
    prepare: Prepare,
    say: Callable[[str], None],
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> dict[Trial, Weights]:
    """Of each chosen trial the weights. Those that are not kept are made again, and kept from then on.

    :param prepare: called if something is to be made again.
    :raises StudyError: what is made again is not what the row says.
    """
    kept = {trial: kept_weights(results, trial, committed[trial]) for trial in chosen}
    lacking = [trial for trial, weights in kept.items() if weights is None]
    if lacking:
        say(_what_it_takes(lacking, [committed[trial] for trial in lacking]))
        prepared = prepare()
        for trial in lacking:
            if len(lacking) > 1:
                say(f"{trial.id}:")
            kept[trial] = _made_again(prepared, results, trial, committed[trial], on_epoch)
    return {trial: weights for trial, weights in kept.items() if weights is not None}


def kept_weights(results: Results, trial: Trial, row: Row) -> Weights | None:
    """What OUT/weights holds of the trial; None if nothing, a torn file, or one of another training."""
    content = results.read_bytes(file_of(trial))
    return None if content is None else _read(content, row)


def trained(
    prepared: Prepared,
    trial: Trial,
    point: Point,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    checkpoints: Checkpoints | None = None,
) -> tuple[dict[str, pa.Table], Weights | None]:
    """A trial's tables and weights, trained here and kept nowhere; of one that diverged there are no weights.

    Raises StudyError if it cannot be trained here.
    """
    from study.trial import run_trial
    from trainers.outcome import CannotBeTrained, OutOfGpuMemory
    from trainers.weights import weights_in_bytes

    made: list[bytes] = []
    samples = prepared.source.samples

    def keep(model: Any, row: Row) -> None:
        made.append(weights_in_bytes(model, kept_beside(row, samples)))

    try:
        tables = run_trial(prepared, trial, point, on_epoch, checkpoints, keep)
    except (CannotBeTrained, OutOfGpuMemory) as error:
        raise StudyError(f"{trial.id} cannot be trained here: {error}") from error
    return tables, Weights(made[0], samples.labels, samples.has_background) if made else None


def _read(content: bytes, row: Row) -> Weights | None:
    from trainers.weights import NotWeights, facts_in

    try:
        facts = facts_in(content)
        labels, has_background = json.loads(facts.pop("labels")), json.loads(facts.pop("has_background"))
    except (NotWeights, ValueError, KeyError):
        return None
    return Weights(content, tuple(labels), has_background) if facts == facts_of(row) else None


def _what_it_takes(lacking: Sequence[Trial], rows: Sequence[Row]) -> str:
    seconds, where = sum(row["train_seconds"] or 0.0 for row in rows), sorted({row["device"] for row in rows})
    which = f"{counted(len(lacking), 'network')} are" if len(lacking) > 1 else f"The network of {lacking[0].id} is"
    took = f"The first time that took {readable(seconds)} of training on {', '.join(where)}."
    return f"{which} not kept, and made again. {took}"


def _made_again(
    prepared: Prepared, results: Results, trial: Trial, row: Row, on_epoch: Callable[[Epoch], None]
) -> Weights:
    """Train the trial as its row says, compare all its tables with OUT's, and keep the weights."""
    from study.commands.trial import differing_columns

    tables, weights = trained(prepared, trial, Point.from_json(row["point"]), on_epoch)
    if weights is None or (differing := differing_columns(tables, results, trial.id)):
        what = f"{', '.join(differing[:3])} differ" if weights else "it diverged"
        versions = differing_versions(row["versions"])
        why = versions or f"it was trained on {row['device']} of {row['host']}"
        instead = (
            f"take {results.out}/trials/{trial.id}.parquet away, and it is trained anew here"
            if trial.is_refit
            else 'have the study keep every network that it trains (resources.keep_weights = "all")'
        )
        raise StudyError(
            f"{trial.id}: trained again here it is another network than the study's: {what} ({why}). Export where it "
            f"was trained, or {instead}"
        )
    results.write_bytes(file_of(trial), weights.content)
    return weights
