"""What a run says of itself: counts, the time left, the heartbeat file, and how it looks on a screen."""

import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyte
import pytest
from rich.live import Live
from rich.table import Table

from study.cells import parse_trial, trials
from study.definition.file import load, parse
from study.planning.cost import SECONDS_PER_TRIAL, estimate, readable, seconds_at, training_seconds
from study.progress import Progress, Work
from study.summary import Summary
from study.terminal import view as view_module
from study.terminal.printing import PlainConsole
from study.terminal.view import RunView, broken, live_picture, scores_table

DEFINITION = load(
    "demo", ["grid.models=icnet", "grid.losses=ce,ce_dice", "grid.splits=random_0,rot_0", "search.trials=2"]
)
TRIAL = parse_trial("icnet-ce-random_0-s0-t01")
IMAGES = {"random_0": 400, "rot_0": 350}


def row(status: str = "completed", objective: float | None = 0.5, **more: object) -> dict[str, object]:
    return {
        "status": status,
        "objective": objective,
        "point": '{"model.width": 0.5}',
        "num_train": 100,
        "train_seconds": 10.0,
    } | more


def a_run() -> Progress:
    committed = {
        parse_trial("icnet-ce-random_0-s0-t00"): row(objective=0.31),
        parse_trial("icnet-ce_dice-random_0-s0-t00"): row("failed", None),
    }
    return Progress.of(DEFINITION, committed, num_train={"random_0": 100, "rot_0": 100})


def test_a_run_starts_where_the_last_one_ended() -> None:
    progress = a_run()
    assert (progress.total, progress.done, progress.failed) == (8, 2, 1)
    assert progress.trials_of == {"icnet ce": (1, 4), "icnet ce_dice": (1, 4)}
    assert progress.best == {"icnet ce": 0.31}
    assert progress.seconds_left is None


def test_a_trial_from_start_to_end() -> None:
    progress = a_run()
    progress.start(TRIAL, epochs=20, work=10.0)
    progress.epoch(TRIAL, 1, 300.0, "10.0.0.7")
    assert progress.images_per_second == 300.0
    progress.finish(TRIAL, 0.42)
    assert (progress.done, progress.failed, progress.running) == (3, 1, {})
    assert progress.best["icnet ce"] == 0.42
    assert progress.trials_of["icnet ce"] == (2, 4)


def test_time_left_is_by_the_work_done_where_nothing_is_trained() -> None:
    progress = a_run()
    progress.work = {"icnet": Work(total=100.0)}
    progress.started, progress.updated = 900.0, 1000.0  # Ray took long to start
    progress.start(TRIAL, epochs=20, work=40.0)
    progress.epoch(TRIAL, 10, 300.0, "10.0.0.7")
    progress.updated = 1010.0
    assert progress.seconds_left == pytest.approx(40.0)
    progress.finish(TRIAL, 0.4)
    assert progress.seconds_left == pytest.approx(15.0)


def test_time_left_is_by_what_epochs_take_here() -> None:
    """Each network by its own, one that has none by the others'; the first epoch, with what comes before, apart. What a
    trial takes beside its epochs is no longer where epochs are slow."""
    progress = a_run()
    beside = SECONDS_PER_TRIAL * 6  # of eight trials two are done
    progress.work = {"icnet": Work(total=100.0), "unet": Work(total=50.0)}
    for trial in (TRIAL, parse_trial("icnet-ce-rot_0-s0-t01")):
        progress.start(trial, epochs=20, work=40.0)  # 2 s an epoch, estimated
        progress.epoch(trial, 1, 300.0, "here", seconds=60.0, first_of_worker=True)
        assert progress.seconds_by_epochs is None
    progress.epoch(TRIAL, 2, 300.0, "here", seconds=6.0)  # three times that
    done = progress.work["icnet"].done
    assert progress.seconds_left == pytest.approx((3 * (150.0 - done) + beside) / 2)
    progress.updated = progress.started + 30
    assert progress.seconds_by_epochs == pytest.approx(30 + (3 * (150.0 - done) + beside) / 2)
    of_unet = parse_trial("unet-ce-random_0-s0-t00")
    progress.start(of_unet, epochs=1, work=10.0)  # the only one counts
    progress.epoch(of_unet, 1, 300.0, "here", seconds=50.0)
    left = {name: work.total - work.done for name, work in progress.work.items()}
    assert progress.seconds_left == pytest.approx((3 * left["icnet"] + 5 * left["unet"] + beside) / 3)


def test_the_pace_of_a_network_of_unknown_cost_says_nothing_of_others() -> None:
    progress = a_run()
    progress.work = {"icnet": Work(total=100.0, is_guessed=True), "unet": Work(total=50.0)}
    progress.start(TRIAL, epochs=20, work=40.0)
    progress.epoch(TRIAL, 1, 300.0, "here", seconds=0.02)  # a hundredth of the guess
    assert progress.seconds_left is progress.seconds_by_epochs is None
    of_unet = parse_trial("unet-ce-random_0-s0-t00")
    progress.start(of_unet, epochs=1, work=10.0)
    progress.epoch(of_unet, 1, 300.0, "here", seconds=50.0)
    left = {name: work.total - work.done for name, work in progress.work.items()}
    assert progress.seconds_left == pytest.approx((0.01 * left["icnet"] + 5 * left["unet"] + SECONDS_PER_TRIAL * 6) / 2)


def test_networks_of_unknown_cost_are_known_as_such() -> None:
    own = parse({"grid": {"models": ["icnet", "mine:Net"], "losses": ["ce"], "splits": ["random_0"]}})
    work = Progress.of(own, {}, {"random_0": 100}).work
    assert {model: each.is_guessed for model, each in work.items()} == {"icnet": False, "mine:Net": True}


def test_a_workers_first_epoch_tells_nothing_even_if_it_is_a_trials_only_one() -> None:
    progress = a_run()
    progress.start(TRIAL, epochs=1, work=10.0)
    progress.epoch(TRIAL, 1, 300.0, "here", seconds=51.0, first_of_worker=True)
    assert progress.seconds_by_epochs is None
    progress.finish(TRIAL, 0.4)
    progress.start(TRIAL, epochs=1, work=10.0)
    progress.epoch(TRIAL, 1, 300.0, "here", seconds=9.0)
    assert progress.work["icnet"].took == 9.0


def test_epochs_repeated_by_another_attempt_count_once() -> None:
    progress = a_run()
    progress.start(TRIAL, epochs=20, work=10.0)
    for epoch in (1, 2, 1):
        progress.epoch(TRIAL, epoch, 300.0, "10.0.0.7")
    assert progress.work["icnet"].done == 0.5


def test_a_cell_given_up_is_kept_with_its_reason() -> None:
    progress = a_run()
    progress.start(TRIAL, epochs=20, work=10.0)
    progress.give_up(TRIAL, "node died")
    assert progress.running == {}
    assert progress.resting == {"icnet-ce-random_0-s0": "icnet-ce-random_0-s0-t01: node died"}


def test_the_heartbeat_goes_both_ways() -> None:
    progress = a_run()
    progress.start(TRIAL, epochs=20, work=10.0)
    progress.epoch(TRIAL, 3, 123.0, "10.0.0.7")
    assert Progress.from_json(progress.to_json()) == progress


def shown(renderable: object, **options: object) -> str:
    console = PlainConsole(file=io.StringIO(), width=100, **options)  # type: ignore[arg-type]
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_live_picture_names_what_matters() -> None:
    progress = a_run()
    progress.start(TRIAL, epochs=20, work=10.0)
    progress.epoch(TRIAL, 3, 123.4, "10.0.0.7")
    progress.work["icnet"].total, progress.first_trial_started, progress.updated = 3.0, 1.0, 101.0
    text = shown(live_picture(progress))
    for word in (
        "2 of 8 trials",
        "1 failed",
        "123 images/s",
        "about 1.7 min left",
        TRIAL.id,
        "3 of 20",
        "10.0.0.7",
        "0.310",
    ):
        assert word in text, text


def test_what_is_not_known_is_left_out() -> None:
    progress = a_run()
    assert "images/s" not in shown(live_picture(progress)).splitlines()[0]
    progress.done = progress.total
    assert " left" not in shown(live_picture(progress))


def test_plain_lines_where_there_is_no_terminal() -> None:
    console = PlainConsole(file=io.StringIO(), width=80)
    with RunView(console) as view:
        view(a_run(), "icnet-ce-random_0-s0-t01  done " + "x" * 100)
        view(a_run(), None)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1, "one line an event, however long, and none where nothing happened"
    assert lines[0].startswith("[2/8] icnet-ce-random_0-s0-t01  done")


def test_a_long_line_breaks_between_its_parts() -> None:
    line = "icnet-ce-random_0-s0-t01  width=0.5, strength=1  validation Dice 0.513 at epoch 12  16 s, 7 images/s"
    assert broken(line, 200) == [line]
    assert broken(line, 80) == [
        "icnet-ce-random_0-s0-t01  width=0.5, strength=1",
        "  validation Dice 0.513 at epoch 12  16 s, 7 images/s",
    ]


def test_scores_on_many_splits_have_a_row_each_so_that_they_fit() -> None:
    by_name = {f"clinic_{i}": i / 10 for i in range(5)}
    lines = shown(scores_table([Summary("icnet ce", "default", {"random_0": 0.2, "random_1": 0.4}, {}, by_name, 3)]))
    rows = [line.split() for line in lines.splitlines()]
    assert rows[1] == ["icnet", "ce", "default", "random", "splits", "0.300", "(2)", "3"]
    assert rows[2:] == [["icnet", "ce", "default", f"clinic_{i}", f"{i / 10:.3f}"] for i in range(5)]
    assert max(map(len, lines.splitlines())) < 80


FOUR = {"random_0": 0.5, "random_1": 0.7, "random_2": 0.5, "random_3": 0.7}


def test_the_scores_table_shows_spread_held_out_splits_and_what_is_missing() -> None:
    scores = [
        Summary("icnet ce", "default", FOUR, {}, {"rot_0": 0.25}, 0),
        Summary("unet ce", "tuned", {"random_0": 0.5}, {}, {}, 2),
    ]
    text = shown(scores_table(scores))
    assert "0.600, 0.115 (4)" in text
    assert "0.500 (1)" in text
    assert "0.250" in text
    assert "folds" not in text


def test_folds_have_a_mean_and_a_spread_of_their_own() -> None:
    text = shown(
        scores_table([Summary("icnet ce", "default", {}, {"fold_0": 0.2, "fold_1": 0.4}, {"given_0": 0.9}, 0)])
    )
    assert "folds: mean, SD (n)" in text
    assert "0.300 (2)" in text, "no deviation of two"
    assert "given_0" in text
    assert "random" not in text


def test_estimates_grow_with_the_work_and_follow_what_was_measured() -> None:
    planned = trials(DEFINITION)
    rough = estimate(DEFINITION, planned, {}, num_train=IMAGES)
    in_epochs = sum(map(training_seconds(DEFINITION, IMAGES), planned))
    assert rough.basis == "constants"
    assert rough.seconds == pytest.approx(in_epochs + SECONDS_PER_TRIAL * len(planned))
    expected = seconds_at(DEFINITION.network("icnet"), DEFINITION.recipe.at({"model.width": 0.5}), 100)
    rest = planned[1:]
    slow = estimate(DEFINITION, rest, {planned[0]: row(train_seconds=3 * expected)}, num_train=IMAGES)
    assert slow.basis == "measured"
    assert slow.seconds == pytest.approx(
        3 * sum(map(training_seconds(DEFINITION, IMAGES), rest)) + SECONDS_PER_TRIAL * len(rest)
    )


def test_an_estimate_goes_by_each_models_own_trials_then_by_its_calibration() -> None:
    grid = load("demo", ["grid.models=icnet,unet,icnet_cascade", "grid.splits=random_0", "search.trials=1"])
    planned = trials(grid)
    beside = SECONDS_PER_TRIAL * len(planned) / 3  # of each model
    in_epochs = {model: seconds - beside for model, seconds in estimate(grid, planned, {}, IMAGES).seconds_of.items()}
    of_icnet = next(trial for trial in planned if trial.cell.model == "icnet")
    took = 3 * seconds_at(grid.network("icnet"), grid.recipe.at({"model.width": 0.5}), 100)
    found = estimate(grid, planned, {of_icnet: row(train_seconds=took)}, IMAGES, calibrated={"unet": 5.0, "icnet": 7.0})
    assert found.seconds_of == pytest.approx(
        {
            "icnet": beside + 3 * in_epochs["icnet"],  # its own trial
            "unet": beside + 5 * in_epochs["unet"],  # its calibration
            "icnet_cascade": beside + 3 * in_epochs["icnet_cascade"],  # neither: as the others
        }
    )
    assert found.basis == "measured"
    assert estimate(grid, planned, {}, IMAGES, calibrated={"unet": 5.0}).basis == "calibrated"


def test_a_run_says_how_good_its_estimate_was() -> None:
    progress = Progress.of(DEFINITION, {}, IMAGES)
    assert progress.verdict_on_the_estimate is None
    progress.expect(100.0, "roughly")
    progress.updated = progress.started + 150
    assert progress.verdict_on_the_estimate == "It took 2.5 min; 1.7 min had been estimated (roughly): 1.50 times that."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (7, "7 s"),
        (99, "99 s"),
        (100, "1.7 min"),
        (300, "5 min"),
        (599, "10 min"),
        (9000, "2 h 30 min"),
        (180000, "2 d 2 h"),
    ],
)
def test_readable_times(seconds: float, text: str) -> None:
    assert readable(seconds) == text


class Picture:
    """Has another number of rows every time."""

    def __init__(self, progress: Progress) -> None:
        self._rows = progress.done

    def __rich_console__(self, console: object, options: object) -> Iterator[str]:
        yield from (f"bar {row}" for row in range(self._rows + 1))


def test_no_finished_trial_is_lost_and_no_bar_stays_whoever_draws_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread reports that trials end while another draws the picture, larger and smaller in turn; the first is held
    up, as by a busy machine, when rich has counted the rows to erase and erased none yet."""

    def counted_then_held_up(live: Live, renderables: list[Any]) -> list[Any]:
        found = process_renderables(live, renderables)
        time.sleep(0.02 * (threading.current_thread() is threading.main_thread()))
        return found

    process_renderables = Live.process_renderables
    monkeypatch.setattr(Live, "process_renderables", counted_then_held_up)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(view_module, "live_picture", Picture)
    monkeypatch.setattr(view_module, "_SECONDS_BETWEEN_PICTURES", 0.0, raising=False)
    file, ended, progress = io.StringIO(newline="\r\n"), threading.Event(), a_run()
    lines = [f"trial {number} has ended" for number in range(40)]
    with RunView(PlainConsole(file=file, width=110, height=60, force_terminal=True)) as view:

        def draw() -> None:
            while not ended.wait(0.005):
                progress.done = (progress.done + 3) % 8
                view(progress, None)

        drawing = threading.Thread(target=draw)
        drawing.start()
        for line in lines:
            view(progress, line)
            time.sleep(0.01)
        ended.set()
        drawing.join()
    screen = pyte.Screen(110, 60)
    pyte.Stream(screen).feed(file.getvalue())
    assert [row.rstrip() for row in screen.display if row.strip()] == lines


def test_lines_break_between_words_on_a_terminal_and_nowhere_else() -> None:
    line = "icnet-ce-random_0-s0-t01  validation Dice 0.412 at epoch 4 of /a/long/path/that/has/no/blank/in/it at all"
    table = Table("a", "b", box=None)
    table.add_row("word " * 30, "x")
    for is_terminal, num_lines in ((True, 5), (False, 1)):
        file = io.StringIO()
        console = PlainConsole(file=file, force_terminal=is_terminal, **({"width": 30} if is_terminal else {}))
        console.say(line)
        printed = file.getvalue()
        assert len(printed.splitlines()) == num_lines
        assert printed.split() == line.split(), "no word is divided"
        if not is_terminal:
            console.print(table)
            assert len(file.getvalue().splitlines()) == 1 + 2, "neither is a table's cell"
