import pytest

from study.cells import Cell, Trial, cells, parse_trial, trials
from study.definition.file import load
from study.errors import StudyError


def test_the_paper_has_44_cells() -> None:
    paper = load("paper")
    assert len(cells(paper)) == len(set(cells(paper))) == 44
    assert len(trials(paper)) == 44
    assert len(trials(load("paper", ["search.trials=20"]))) == 880


def test_ids_go_both_ways() -> None:
    definition = load("paper", ["search.trials=101", "grid.models=icnet,icnet_cascade", "grid.seeds=[0, 12]"])
    ids = [trial.id for trial in trials(definition)]
    assert len(set(ids)) == len(ids)
    assert [parse_trial(trial_id) for trial_id in ids] == list(trials(definition))


def test_an_id_reads_as_documented() -> None:
    assert Trial(Cell("icnet", "ce", "random_3", 0), 4).id == "icnet-ce-random_3-s0-t04"
    assert Trial(Cell("icnet", "ce", "random_3", 0), 104).id == "icnet-ce-random_3-s0-t104"


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "icnet", "icnet-ce-random_3-s0", "icnet-ce-random_3-s0-t4", "../x-ce-rot_0-s0-t00"),
        *("icnet-ce-random_3-s00-t04", "icnet-ce-random_3-s0-t004", "icnet-ce-random_3-s\u0663-t04"),
        *(f"icnet-ce-random_3-s{'9' * 5000}-t04", f"icnet-ce-random_3-s0-t{'9' * 5000}", "icnet-ce-random_3-s0-t04\n"),
    ],
)
def test_what_is_no_id(wrong: str) -> None:
    with pytest.raises(StudyError, match="is not a trial's id"):
        parse_trial(wrong)


def test_trials_are_in_order_rung_by_rung() -> None:
    """A whole training has no number of epochs, and comes behind its beginnings."""
    first, second = Cell("icnet", "ce", "random_0", 0), Cell("unet", "ce", "random_0", 0)
    ordered = [
        Trial(first, 0, 2),
        Trial(first, 0, 4),
        Trial(first, 0),
        Trial(first, 1, 2),
        Trial(first, 1),
        Trial(second, 0),
    ]
    assert sorted([*ordered[3:], *ordered[:3]]) == ordered
