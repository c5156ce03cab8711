"""`study export`: a trained network as files that others can load, with its model card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from study.cells import Trial
from study.definition import Definition
from study.errors import StudyError
from study.export.card import write_card
from study.export.choice import Choice, choose
from study.export.fetched import definition_of, fetch
from study.export.folder import refuse_what_is_there, write_model
from study.outside import outside_of
from study.prepare import Prepared, prepare
from study.results import Results
from study.results.committed import check_same_inputs
from study.results.digests import Row
from study.results.kept import kept_definition, read_committed
from trainers.model_description import Description

if TYPE_CHECKING:
    from trainers.outcome import Epoch


@dataclass(frozen=True)
class Exported:
    """What was handed over."""

    to: Path
    choice: Choice
    description: Description


def export(
    out: str,
    to: str,
    say: Callable[[str], None],
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    *,
    trial: str | None = None,
    model: str | None = None,
    loss: str | None = None,
    ensemble: bool = False,
) -> Exported:
    """Write the chosen network of the study at OUT, and what is known of it, to a new folder.

    What OUT does not keep is made again, bit for bit. See `choose` for what the choice is by. Raises StudyError.
    """
    results, folder = Results(out), Path(to)
    definition = kept_definition(results)
    if definition.simulate:
        raise StudyError(f"{results.out} is simulated: no network was trained there")
    committed = read_committed(results, definition).rows
    choice = choose(definition, committed, trial=trial, model=model, loss=loss, ensemble=ensemble)

    def prepare_again() -> Prepared:
        prepared = prepare(definition_of(definition, choice.trials))
        check_same_inputs(results, prepared.inputs, {each: committed[each] for each in choice.trials})
        return prepared

    refuse_what_is_there(folder)
    _refuse_other_code(definition, choice.trials[0], committed)
    weights = fetch(results, committed, choice.trials, prepare_again, say, on_epoch)
    description = write_model(folder, definition, committed, weights)
    write_card(folder, results.place(), definition, committed, choice, description)
    return Exported(folder, choice, description)


def _refuse_other_code(definition: Definition, trial: Trial, committed: Mapping[Trial, Row]) -> None:
    """Raises StudyError if the network's code, where it is not this project's, is another one here."""
    if differences := outside_of(definition).differences(trial.cell, committed[trial]["code"]):
        raise StudyError("the model cannot be handed over with its code: " + "; ".join(differences))
