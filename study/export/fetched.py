"""The weights of trials: as they were kept, or made again, bit for bit, by training as the rows say."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from study.cells import Trial
from study.definition.point import Point
from study.errors import StudyError
from study.planning.cost import readable
from study.prepare import Prepared, differing_versions
from study.results import Results
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
            kept[trial] = _made_again(prepared, results, trial, committed[trial], on_epoch)
    return {trial: weights for trial, weights in kept.items() if weights is not None}


def kept_weights(results: Results, trial: Trial, row: Row) -> Weights | None:
    """What OUT/weights holds of the trial; None if nothing, a torn file, or one of another training."""
    content = results.read_bytes(file_of(trial))
    return None if content is None else _read(content, row)


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
    return f"{which} not kept, and made again. That took {readable(seconds)} of training on {', '.join(where)}."


def _made_again(
    prepared: Prepared, results: Results, trial: Trial, row: Row, on_epoch: Callable[[Epoch], None]
) -> Weights:
    """Train the trial as its row says, compare all its tables with OUT's, and keep the weights."""
    from study.commands.trial import differing_columns
    from study.trial import run_trial
    from trainers.weights import weights_in_bytes

    made: list[bytes] = []
    samples = prepared.source.samples
    tables = run_trial(
        prepared,
        trial,
        Point.from_json(row["point"]),
        on_epoch,
        on_trained=lambda model, own: made.append(weights_in_bytes(model, kept_beside(own, samples))),
    )
    if not made or (differing := differing_columns(tables, results, trial.id)):
        what = f"{', '.join(differing[:3])} differ" if made else "it diverged"
        versions = differing_versions(row["versions"])
        why = versions or f"it was trained on {row['device']} of {row['host']}"
        raise StudyError(
            f"{trial.id}: trained again here it is another network than the study's: {what} ({why}). Export where it "
            'was trained, or have the study keep every network that it trains (resources.keep_weights = "all")'
        )
    results.write_bytes(file_of(trial), made[0])
    return Weights(made[0], samples.labels, samples.has_background)
