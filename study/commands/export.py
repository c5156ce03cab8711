"""`study export`: a trained network as files that others can load, with its model card."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from study.cells import Trial
from study.commands.trial import definition_of_cells
from study.definition import Definition
from study.errors import StudyError
from study.export.card import write_card
from study.export.choice import Choice, choose
from study.export.fetched import fetch
from study.export.folder import DESCRIPTION, write_model
from study.export.other_formats import refuse_what_is_not_installed, write_formats
from study.export.refit import refuse_diverged, train_refit
from study.outside import outside_of
from study.prepare import Prepared, prepare
from study.results import Results
from study.results.committed import check_same_inputs
from study.results.digests import Row
from study.results.kept import kept_definition, read_committed, read_refits
from trainers.model_description import Description

if TYPE_CHECKING:
    from trainers.outcome import Epoch


@dataclass(frozen=True)
class Exported:
    """What was handed over."""

    to: Path
    choice: Choice
    description: Description
    checked: tuple[str, ...] = ()
    """Of each further format, how far it agrees with torch, in a sentence."""


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
    refit: bool = False,
    formats: Collection[str] = (),
) -> Exported:
    """Write the chosen network of the study at OUT, and what is known of it, to a new folder: whole, or not at all.

    What OUT does not keep is made again, bit for bit; a refit is trained, and kept from then on. See `choose` for what
    the choice is by. Raises StudyError.

    :param formats: keys of `other_formats.FILES`; they are checked on test images, which takes the data set.
    """
    results, folder = Results(out), Path(to)
    refuse_what_is_not_installed(formats)
    definition = kept_definition(results)
    if definition.simulate:
        raise StudyError(f"{results.out} is simulated: no network was trained there")
    committed = read_committed(results, definition).rows
    choice = choose(definition, committed, trial=trial, model=model, loss=loss, ensemble=ensemble, refit=refit)
    rows = committed | (read_refits(results, definition).rows if refit else {})
    first = choice.trials[0]

    @cache
    def prepare_again() -> Prepared:
        prepared = prepare(definition_of_cells([each.cell for each in choice.trials], definition, results.out))
        compared = {each for chosen in choice.trials for each in (chosen.of_grid, chosen) if each in rows}
        check_same_inputs(results, prepared.inputs, {each: rows[each] for each in sorted(compared)})
        return prepared

    _refuse_what_is_there(folder)
    _refuse_other_code(definition, first.of_grid, committed)
    made = None
    if refit and first not in rows:
        rows[first], made = train_refit(prepare_again(), results, first, rows[first.of_grid], say, on_epoch)
    if refit:
        refuse_diverged(rows[first])
    weights = {first: made} if made else fetch(results, rows, choice.trials, prepare_again, say, on_epoch)
    with whole_or_not_at_all(folder) as unfinished:
        description = write_model(unfinished, definition, rows, weights)
        agreements = write_formats(unfinished, formats, prepare_again(), first.of_grid) if formats else []
        checked = [each.in_words for each in agreements]
        write_card(unfinished, results.place(), definition, rows, choice, description, checked)
    return Exported(folder, choice, description, tuple(checked))


@contextmanager
def whole_or_not_at_all(folder: Path) -> Iterator[Path]:
    """A folder beside it, which takes its place at the end of the block, or is removed.

    One that is there, and empty, may be the current one or a mount, and stays: it is filled at the end of the block,
    with DESCRIPTION last, without which there is no model.
    """
    is_there, place, name = folder.exists(), folder.resolve(), f".unfinished-{uuid.uuid4().hex[:8]}"
    unfinished = place / name if is_there else place.with_name(f".{place.name}{name}")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        if is_there:
            for path in sorted(unfinished.iterdir(), key=lambda path: path.name == DESCRIPTION):
                path.rename(place / path.name)
        else:
            unfinished.rename(place)
    except OSError as error:
        raise StudyError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _refuse_what_is_there(to: Path) -> None:
    """Raises StudyError for a folder that is not empty."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise StudyError(f"{to} is there already, and is not an empty folder: name another one with --to")


def _refuse_other_code(definition: Definition, trial: Trial, committed: Mapping[Trial, Row]) -> None:
    """Raises StudyError if the network's code, where it is not this project's, is another one here."""
    if differences := outside_of(definition).differences(trial.cell, committed[trial]["code"]):
        raise StudyError("the model cannot be handed over with its code: " + "; ".join(differences))
