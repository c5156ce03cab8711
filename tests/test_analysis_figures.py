"""Figures: what is drawn is what the statistics say, odd tables can be drawn, and the SVG is self-contained."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from analysis.classes import MACRO
from analysis.load import load
from analysis.report import drawing, figures, figures_search, panels_study
from analysis.report.drawing import OF_HELD_OUT
from analysis.report.svg import INK, inline_svg
from analysis.report.write import report
from analysis.scores import Scores
from analysis.shown import class_rule, classes_shown
from analysis.statistics.false_classes import FalseClasses
from analysis.statistics.paired import compare
from analysis.statistics.ranks import configuration_ranks
from analysis.statistics.spread import spread
from analysis.tables import tables, worst
from study.definition.file import load as load_definition
from study.definition.point import Point
from study.definition.space import Choices, Range

PAPER = load("paper").table
OURS = ("icnet", "ce")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def lines(figure: Figure, marker: str) -> list[tuple[list[float], list[float]]]:
    """(x, y) of the drawn lines with this marker and at least one point."""
    drawn = [line for line in figure.axes[0].lines if line.get_marker() == marker and len(line.get_xdata())]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in drawn]


def test_the_heat_map_has_every_score_and_outlines_the_worst() -> None:
    frame = tables(PAPER)[OURS]
    figure = figures.heat_map(frame, "ew")
    drawn = Counter(texts(figure))
    assert drawn == Counter(f"{value:.2f}" for value in frame["ew"].to_numpy().ravel())
    outlines = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and not p.get_fill()]
    assert len(outlines) == worst(frame["ew"], 2).to_numpy().sum() == 11  # eight columns; bg thrice .98, all twice .69


def test_dots_are_the_scores_and_the_bar_is_the_interval() -> None:
    ours = PAPER[(PAPER["model"] == "icnet") & (PAPER["loss"] == "ce") & (PAPER["averaging"] == "ew")]
    figure = figures.dots(PAPER, *OURS, "ew")
    named = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert named == ["bx", "cl", "dr", "du", "ad", "bo", MACRO, "all", "bg"]
    dots = lines(figure, "o")
    for y, name in enumerate(named[:6]):
        scores = ours[(ours["class"] == name) & (ours["split_kind"] == "random")]["dice"]
        assert dots[y][0] == scores.tolist()
    found = spread(ours).set_index("class")
    bars = [x for x, y in lines(figure, "None") if y[0] == y[1] and x != [0, 1]]  # not the rule above macro
    np.testing.assert_allclose(bars, found.loc[named, ["mean_low", "mean_high"]].to_numpy(float))
    assert Counter(texts(figure)) == Counter(["0", "1", "2"] * 9)


def test_many_held_out_splits_that_end_in_words_are_diamonds() -> None:
    """Four words still fit beside each other."""
    places = ["bridge", "dawn", "forest", "night", "sky"]
    for number in (4, 5):
        rows = [
            {"model": "icnet", "loss": "ce", "split": f"scene_{name}", "split_kind": "held_out", "axis": "scene"}
            | {"seed": 0, "averaging": "ew", "class": "mug", "dice": 0.1 + place / 10}
            for place, name in enumerate(places[:number])
        ]
        figure = figures.dots(pd.DataFrame(rows), *OURS, "ew")
        legend = figure.axes[0].get_legend()
        assert legend is not None
        (said,) = (text.get_text() for text in legend.get_texts())
        diamonds = sorted({x[0] for x, _ in lines(figure, "d")})  # of the class, and of the mean of classes
        if number == 4:
            assert (sorted(set(texts(figure))), diamonds) == (["brid", "dawn", "fore", "nigh"], [])
            assert said == "held-out scene split, by the end of its name"
        else:
            assert (texts(figure), said) == ([], "held-out scene split")
            assert diamonds == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_every_kind_of_split_has_a_colour_and_a_mark_of_its_own() -> None:
    kinds = {
        "random_0": "random",
        "rot_0": "held_out",
        "fold_0": "fold",
        "given_1": "given",
        "matched_rot_0": "matched",
    }
    rows = [
        {"model": "icnet", "loss": "ce", "split": split, "split_kind": kind, "axis": "angle" * (kind == "held_out")}
        | {"seed": 0, "averaging": "ew", "class": "mug", "dice": 0.1 + place / 10}
        for place, (split, kind) in enumerate(kinds.items())
    ]
    axes = figures.dots(pd.DataFrame(rows), *OURS, "ew").axes[0]
    shown = {text.get_text(): text.get_color() for text in axes.texts}
    assert list(shown) == ["0", "f0", "g1", "m0"]
    legend = axes.get_legend()
    assert legend is not None
    named = {
        label.get_text(): line.get_color() for label, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
    }
    assert list(named.values()) == [drawing.OF_RANDOM, *shown.values()]
    assert len(set(named.values())) == 5
    assert [name.split(",")[0] for name in named] == [
        *("random split", "held-out angle split", "fold", "given split", "matched split")
    ]


def test_colours_can_be_read_on_white_and_on_black() -> None:
    kinds = [("random", ""), ("held_out", "angle"), ("fold", ""), ("given", ""), ("matched", "")]
    for colour in drawing.colours_of(kinds).values():
        light = luminance(to_rgb(colour))
        assert 1.05 / (light + 0.05) >= 3  # large or bold text, WCAG 2
        assert (light + 0.05) / 0.05 >= 3


def test_slopes_end_at_the_rotation_scores() -> None:
    figure = figures.slopes(PAPER, *OURS, "pw")
    ours = PAPER[(PAPER["model"] == "icnet") & (PAPER["loss"] == "ce") & (PAPER["averaging"] == "pw")]
    bx = ours[ours["class"] == "bx"].set_index("split")["dice"]
    assert lines(figure, "D")[0][1] == pytest.approx([bx[:8].mean(), (0.46 + 0.42 + 0.90) / 3])
    assert lines(figure, "o")[1][1] == pytest.approx([0.46, 0.42, 0.90]), (
        "splits stand in no order: one above the other"
    )
    assert len(set(lines(figure, "o")[1][0])) == 1
    assert texts(figure) != []


def test_twelve_classes_have_twelve_colours() -> None:
    assert len({drawing.line_of(place)[0] for place in range(12)}) == 12


def test_labels_are_joined_to_the_ends_that_they_name() -> None:
    """Also where many lines end at one place, and the labels must move away from it."""
    table = of_so_many(11).assign(dice=0.0)
    axes = figures.slopes(table, "net0", "ce", "ew").axes[0]
    labels = {text.get_text(): text.get_position()[1] for text in axes.texts}
    leaders = [line for line in axes.lines if line.get_linewidth() == 0.6]
    assert sorted(line.get_ydata()[1] for line in leaders) == pytest.approx(sorted(labels.values()))
    assert {float(line.get_ydata()[0]) for line in leaders} == {0.0}
    assert overlapping(axes.figure, axes.texts) == []


def test_a_wide_figure_is_scrolled_on_a_phone_and_not_shrunk() -> None:
    wide, narrow = (inline_svg(drawing.empty_panel(2, inches)[0], "t", "d") for inches in (6.6, 4.6))
    assert 'style="min-width: 594px"' in wide
    assert "min-width" not in narrow


def test_a_profile_is_the_share_of_scores_above() -> None:
    figure = figures.profiles(PAPER[PAPER["split_kind"] == "held_out"], "ew")
    rows = PAPER[(PAPER["averaging"] == "ew") & (PAPER["split_kind"] == "held_out")]
    rows = rows[~rows["class"].isin(["bg", "all"])]
    thick = [line for line in figure.axes[0].lines if line.get_linewidth() == 1.8]
    assert len(thick) == 4
    for line, (_, part) in zip(thick, rows.groupby(["model", "loss"], sort=False), strict=True):
        for x, y in zip(line.get_xdata()[1:-1], line.get_ydata()[1:-1], strict=True):
            # At a score that several share, the line comes down in as many steps.
            assert (part["dice"] > x).mean() - 1e-9 <= y <= (part["dice"] >= x).mean() + 1e-9


def test_paired_differences_have_the_corrected_interval() -> None:
    figure = figures.paired(PAPER, ("icnet", "ce_dice"), OURS, "ew", 0.254, 0.01)
    found = compare(PAPER[PAPER["averaging"] == "ew"], ("icnet", "ce_dice"), OURS, test_to_train=0.254, rope=0.01)
    found = found.set_index("class")
    bars = [x for x, y in lines(figure, "None") if y[0] == y[1] and len(x) == 2 and y != [0, 1]]
    named = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    expected = found.loc[named, ["low", "high"]].dropna().to_numpy(float)
    assert any(np.allclose(bar, expected[0]) for bar in bars)
    np.testing.assert_allclose([bar for bar in bars if bar != [0, 1]][: len(expected)], expected)
    band = next(patch for patch in figure.axes[0].patches)
    assert band.get_extents().transformed(figure.axes[0].transData.inverted()).x1 == pytest.approx(0.01)


def test_without_the_sizes_of_the_splits_there_is_no_interval() -> None:
    figure = figures.paired(PAPER, ("icnet", "ce_dice"), OURS, "ew", None, 0.01)
    assert lines(figure, "|") == []


@pytest.mark.parametrize("name", ["icnet", "a-network-with-a-name-of-more-than-thirty-two-characters"])
def test_the_axis_of_pairs_says_which_side_favours_which_and_nothing_is_cut_off(name: str) -> None:
    table = PAPER.assign(model=PAPER["model"].replace("icnet", name))
    figure = figures.paired(table, (name, "ce_dice"), (name, "ce"), "ew", 0.254, 0.01)
    axes = figure.axes[0]
    words = [axes.get_xlabel(), *(text.get_text() for text in figure.texts), figure.get_supxlabel()]
    left, right = (next(line for line in words if arrow in line) for arrow in "←→")
    assert left.index("better") < right.index("→")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible() and "→" in text.get_text():
            box = text.get_window_extent(canvas.get_renderer())
            assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    found = compare(table[table["averaging"] == "ew"], (name, "ce_dice"), (name, "ce"), test_to_train=0.254, rope=0.01)
    assert axes.get_xlim()[0] < found["low"].min() < found["high"].max() < axes.get_xlim()[1]


def test_ranks_are_the_ranks() -> None:
    figure = figures.ranks(PAPER, "ew")
    found = configuration_ranks(PAPER[PAPER["averaging"] == "ew"])
    macro = found[found["class"] == MACRO]
    splits = list(dict.fromkeys(PAPER["split"]))
    assert [y for _, y in lines(figure, "o")] == macro[splits].to_numpy(float).tolist()


def with_names(*renamed: tuple[str, str]) -> pd.DataFrame:
    return PAPER.replace(dict(renamed))


def many() -> pd.DataFrame:
    """Nine configurations of eleven classes, more than there are colours."""
    rng, splits = np.random.default_rng(0), [f"random_{i}" for i in range(4)]
    rows = [
        (f"net{i}", "ce", split, "random", "", 0, "ew", f"class {k}", rng.random())
        for i, split, k in itertools.product(range(9), splits, range(11))
    ]
    return pd.DataFrame(rows, columns=PAPER.columns)


def undefined(table: pd.DataFrame, chosen: pd.Series[bool]) -> pd.DataFrame:
    return table.assign(dice=table["dice"].mask(chosen))


ODD = {
    "no rotation": PAPER[PAPER["split_kind"] == "random"],
    "rotation only": PAPER[PAPER["split_kind"] == "held_out"],
    "one split": PAPER[PAPER["split"] == "random_3"],
    "a class undefined": undefined(PAPER, PAPER["class"] == "bx"),
    "one split undefined": undefined(PAPER, PAPER["split"] == "random_2"),
    "one rotation split undefined": undefined(PAPER, PAPER["split"] == "rot_2"),
    "nothing defined": undefined(PAPER, PAPER["dice"] >= 0),
    "three seeds": pd.concat([PAPER.assign(seed=seed) for seed in range(3)]),
    "many": many(),
    "odd names": with_names(("icnet", "$x_1$ <b>&"), ("bx", "\x1b[31m$"), ("ce", "%s\n{}")),
    "long names": with_names(("icnet", "net" * 30), ("bx", "class " * 20)),
}


def drawn(table: pd.DataFrame) -> dict[str, Callable[[], Figure]]:
    configurations = list(table[["model", "loss"]].drop_duplicates().itertuples(index=False, name=None))
    first, second = configurations[:2]
    return {
        "heat_map": lambda: figures.heat_map(tables(table)[first], "ew"),
        "dots": lambda: figures.dots(table, *first, "ew"),
        "slopes": lambda: figures.slopes(table, *first, "ew"),
        "profiles": lambda: figures.profiles(table[table["split_kind"] == "random"], "ew"),
        "paired": lambda: figures.paired(table, first, second, "ew", 0.25, 0.01),
        "ranks": lambda: figures.ranks(table, "ew"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ODD))
@pytest.mark.parametrize("kind", list(drawn(PAPER)))
def test_odd_tables_are_drawn(name: str, kind: str) -> None:
    figure = drawn(ODD[name])[kind]()
    root = ET.fromstring(inline_svg(figure, name, kind))
    shown = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert not any("nan" in text for text in shown), shown
    assert not any("\x1b" in text or "\n" in text for text in shown), shown


def sound(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'(?:href="#|url\(#|aria-labelledby=")([^")]+)', svg):
        assert set(reference.split()) <= set(ids)
    return root


def test_the_svg_is_sound_and_says_what_it_shows() -> None:
    svg = inline_svg(figures.dots(PAPER, *OURS, "ew"), "A < B", 'so "be" it')
    root = sound(svg)
    assert root.get("role") == "img"
    assert [child.text for child in root][:2] == ["A < B", 'so "be" it']
    outside = [uri for uri in re.findall(r'https?://[^\s"<]+', svg) if uri != "http://www.w3.org/2000/svg"]
    assert outside == []
    assert INK not in svg
    assert "var(--ink)" in svg


def test_the_same_figure_gives_the_same_bytes_and_another_title_other_ids() -> None:
    first, again, other = (
        inline_svg(figures.ranks(PAPER, "ew"), title, "") for title in ("ranks", "ranks", "ranks again")
    )
    assert first == again
    ids: Callable[[str], set[str]] = lambda svg: set(re.findall(r'\bid="([^"]+)"', svg))  # noqa: E731
    assert not ids(first) & ids(other)


def test_names_are_no_formulas() -> None:
    table = with_names(("icnet", "$x^2$"))
    root = sound(inline_svg(figures.ranks(table, "ew"), "t", "d"))
    shown = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "$x^2$ ce" in shown


def luminance(colour: Sequence[float]) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_numbers_on_colours_can_be_read() -> None:
    """Contrast of at least 4.5 : 1 (WCAG 2, AA) at every value."""
    _, axes = drawing.empty_panel(2)
    for value in np.linspace(0, 1, 101):
        drawing.heat_cell(axes, 0, 0, value, "0", value)
        dark, light = sorted([luminance(axes.patches[-1].get_facecolor()), float(axes.texts[-1].get_color() == "#fff")])
        assert (light + 0.05) / (dark + 0.05) >= 4.5, value


SPACE = load_definition("paper").search.space


def point(width: float, strength: float) -> str:
    return Point({"model.width": width, "augmentation.strength": strength}).to_json()


TRIALS = pd.DataFrame(
    [
        (
            *(
                "icnet",
                "ce",
                split,
                kind,
                "angle" * (kind == "held_out"),
                0,
                f"icnet-ce-{split}-s0-t{i:02}",
                i,
                point(width, strength),
            ),
            *(0.4 + 0.1 * i, i == 2),
        )
        for split, kind in (("random_0", "random"), ("rot_0", "held_out"))
        for i, (width, strength) in enumerate([(1.0, 1.0), (0.5, 0.2), (2.0, 1.5)])
    ],
    columns=[
        *("model", "loss", "split", "split_kind", "axis", "seed", "trial", "index", "point", "objective", "chosen")
    ],
)


def test_the_search_shows_the_best_so_far() -> None:
    figure = figures_search.search_progress(TRIALS, "icnet", "ce", 2)
    assert [text.get_text() for text in figure.axes[0].texts] == ["chosen by TPE"]
    curves = [line.get_ydata().tolist() for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert curves == [pytest.approx([0.4, 0.5, 0.6])] * 2


def test_the_points_of_the_search_and_the_chosen_ones() -> None:
    figure = figures_search.search_points(TRIALS, "icnet", "ce", SPACE, *SPACE)
    rings = [line for line in figure.axes[0].lines if line.get_markeredgecolor() == OF_HELD_OUT]
    assert [(set(line.get_xdata()), set(line.get_ydata())) for line in rings] == [({2.0}, {1.5})]


def test_every_default_is_crossed_where_they_lie_apart() -> None:
    """Against the objective each cell's default has a place of its own."""
    trials = TRIALS.assign(objective=[0.4, 0.5, 0.6, 0.3, 0.5, 0.6])
    space = {"model.width": SPACE["model.width"]}
    axes = figures_search.search_points(trials, "icnet", "ce", space, "model.width", "objective").axes[0]
    (crosses,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert sorted(crosses.get_ydata()) == [0.3, 0.4]
    apart = figures_search.search_points(trials, "icnet", "ce", SPACE, *SPACE).axes[0]
    (cross,) = [line for line in apart.lines if line.get_marker() == "x"]
    assert len(cross.get_xdata()) == 1, "all lie at one place"


@pytest.mark.parametrize(
    "values", [[520_000.0, 1_900_000.0], [0.0012, 0.0028], [0.31, 0.34], [4e-5, 0.3], [10.0, 99.0]]
)
def test_a_logarithmic_axis_has_two_ticks_at_least_and_short_ones(values: list[float]) -> None:
    figure, axes = drawing.empty_panel(2)
    axes.plot(values, [0, 1])
    axes.set_xscale("log")
    figures_search._plain_logarithmic(axes.xaxis, (1,))
    FigureCanvasAgg(figure).draw()
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    shown = [tick.label1.get_text() for tick in ticks]
    assert len(set(shown)) == len(shown) >= 2
    assert max(map(len, shown)) <= 6


def test_numbers_on_an_axis_are_short() -> None:
    values = [0.0003, 0.25, 7, 5000, 20_000, 1_500_000, 3e9]
    assert [figures_search._short(value) for value in values] == [
        *("0.0003", "0.25", "7", "5,000", "20k", "1.5M", "3G"),
    ]


def test_what_the_rule_takes_is_ringed_in_the_figure_of_its_cost() -> None:
    places = {"model": "icnet", "loss": "ce", "label": ["icnet ce t00", "icnet ce t01"], "mean": [0.5, 0.4]}
    points = pd.DataFrame(places | {"gflops": [2.0, 1.0], "low": np.nan, "high": np.nan})
    points = points.assign(non_dominated=True, chosen=[False, True])
    for ringed in (False, True):
        axes = figures_search.trade_off(points, "gflops", "GFLOPs", ringed=ringed).axes[0]
        rings = [line.get_xdata().tolist() for line in axes.lines if line.get_markersize() == 10]
        assert [each for each in rings if each] == [[1.0]] * ringed


def test_the_points_of_one_searched_key_are_shown_beside_the_objective() -> None:
    rates = [Point({"training.learning_rate": 10.0**-i}).to_json() for i in (2, 3, 4)]
    space = {"training.learning_rate": Range(low=1e-4, high=1e-2, log=True)}
    (sides,) = figures_search.sides_of(space)
    axes = figures_search.search_points(TRIALS.assign(point=[*rates, *rates]), "icnet", "ce", space, *sides).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("training.learning_rate", "validation Dice")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    rings = [line for line in axes.lines if line.get_markeredgecolor() == OF_HELD_OUT]
    assert [line.get_xdata().tolist() for line in rings] == [[1e-4, 1e-4]]
    assert [line.get_ydata().tolist() for line in rings] == [pytest.approx([0.6, 0.6])]


def test_the_matrix_shows_per_cent() -> None:
    false, images = (
        pd.DataFrame(values, index=["bx", "cl"], columns=["bx", "cl"])
        for values in ([[0, 5], [1, 0]], [[0, 20], [2, 0]])
    )
    figure = figures_search.false_class_matrix(FalseClasses(false, images), 0.5)
    assert [text for text in texts(figure) if text[0].isdigit()] == ["25", "1/2"], "too few images for a share"


def keys(number: int) -> dict[str, Range | Choices]:
    """So many searched keys, of which every third is a choice."""
    kinds = (Range(low=1e-4, high=1e-2, log=True), Range(low=0, high=4), Choices(choices=["auto", True, 3]))
    return {f"training.key_{i}": kinds[i % 3] for i in range(number)}


def with_points(space: dict[str, Range | Choices]) -> pd.DataFrame:
    values = [
        {key: d.choices[i] if isinstance(d, Choices) else (d.low, 1e-3, d.high)[i] for key, d in space.items()}
        for i in range(3)
    ]
    return TRIALS.assign(point=[Point(each).to_json() for each in (*values, *values)])


@pytest.mark.parametrize("number", [1, 2, 3, 6, 9])
def test_every_searched_key_has_a_panel_up_to_a_number(number: int) -> None:
    space = keys(number)
    sides = figures_search.sides_of(space)
    assert len(sides) == (1 if number <= 2 else min(number, figures_search.MOST_KEYS))
    assert {key for side in sides for key in side} - {"objective"} == set(list(space)[: figures_search.MOST_KEYS])
    for across, up in sides:
        axes = figures_search.search_points(with_points(space), "icnet", "ce", space, across, up).axes[0]
        assert axes.get_xlabel() == across


def test_choices_are_in_their_order_by_name() -> None:
    space = keys(3)
    axes = figures_search.search_points(with_points(space), "icnet", "ce", space, "training.key_2", "objective").axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["auto", "True", "3"]


def test_keys_without_a_figure_are_named() -> None:
    (note,) = panels_study._keys_not_shown(keys(9))
    assert note.startswith(
        "Of 9 searched keys the first 6 have a figure; without one: training.key_6, training.key_7, "
    )
    assert panels_study._keys_not_shown(keys(6)) == []


def of_so_many(num_classes: int, num_models: int = 2, num_random: int = 4, num_held_out: int = 2) -> pd.DataFrame:
    """A class has a higher Dice than the one before."""
    rng = np.random.default_rng(0)
    splits = [(f"random_{i}", "random", "") for i in range(num_random)]
    splits += [(f"clinic_{i}", "held_out", "clinic") for i in range(num_held_out)]
    rows = [
        (f"net{m}", "ce", *split, 0, "ew", f"organ {k}", (k + rng.random()) / num_classes)
        for m, split, k in itertools.product(range(num_models), splits, range(num_classes))
    ]
    return pd.DataFrame(rows, columns=PAPER.columns)


FEW = {
    "one random split": (2, 2, 1, 0),
    "one held-out split": (2, 2, 0, 1),
    "random splits only": (2, 2, 4, 0),
    "held-out splits only": (2, 2, 0, 3),
    "one class": (1, 2, 4, 2),
    "one class on one held-out split": (1, 2, 0, 1),
    "forty classes": (40, 2, 4, 2),
    "one configuration": (2, 1, 4, 2),
    "one of everything": (1, 1, 1, 0),
    "one of everything, held out": (1, 1, 0, 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(FEW))
def test_few_of_anything_are_drawn_without_a_warning(name: str, tmp_path: Path) -> None:
    """Warnings are errors here: a legend without entries, axes without a range, a mean of nothing."""
    scores = Scores(of_so_many(*FEW[name]), "made", "as given")
    assert "<svg" in report(scores, tmp_path / "page.html").read_text()


@pytest.mark.parametrize("kinds", [["random"], ["held_out"], ["random", "held_out"], []])
def test_figures_of_a_study_are_drawn_of_few_splits(kinds: list[str]) -> None:
    trials = TRIALS[TRIALS["split_kind"].isin(kinds)]
    history = trials.assign(epoch=1, val_loss=0.5, train_loss=0.4, selected_epoch=1)
    for figure in (
        figures_search.search_points(trials, "icnet", "ce", SPACE, *SPACE),
        figures_search.search_progress(trials, "icnet", "ce", 2),
        figures_search.curves(history, "icnet", "ce"),
    ):
        assert inline_svg(figure, "few", "splits").startswith("<svg")


def overlapping(figure: Figure, labels: Sequence[Text]) -> list[tuple[str, str]]:
    """Pairs of texts that cover each other, as drawn."""
    FigureCanvasAgg(figure).draw()
    boxes = [(label.get_text(), label.get_window_extent().padded(-1)) for label in labels if label.get_text()]
    return [(a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if one.overlaps(other)]


@pytest.mark.slow
@pytest.mark.parametrize("num_classes", [2, 11, 12, 13, 40])
def test_names_of_many_classes_do_not_overlap(num_classes: int) -> None:
    table = of_so_many(num_classes)
    classes, ours = classes_shown(table), ("net0", "ce")
    assert len(classes) == min(num_classes, 12)
    for figure in (
        figures.heat_map(tables(table)[ours], "ew"),
        figures.dots(table, *ours, "ew", classes),
        figures.slopes(table, *ours, "ew", classes),
        figures.paired(table, ours, ("net1", "ce"), "ew", 0.25, 0.01, classes),
        figures_search.false_class_matrix(panels_study._most_confused(confused(num_classes))),
    ):
        axes = figure.axes[0]
        assert figure.get_figwidth() < 8, "wider ones would be too small to read on a page"
        assert overlapping(figure, axes.get_xticklabels()) == []
        assert overlapping(figure, axes.get_yticklabels()) == []


def confused(number: int) -> FalseClasses:
    names = [f"organ {i}" for i in range(number)]
    false = np.fromfunction(lambda i, j: i + j, (number, number), dtype=int)
    images = np.where(np.eye(number, dtype=bool), 0, 2 * number)
    return FalseClasses(*(pd.DataFrame(each, index=names, columns=names) for each in (false, images)))


def test_of_many_classes_the_hardest_and_the_easiest_are_drawn() -> None:
    table = of_so_many(40)
    assert classes_shown(table) == [f"organ {i}" for i in (*range(8), *range(36, 40))]
    names = [
        label.get_text()
        for label in figures.dots(table, "net0", "ce", "ew", classes_shown(table)).axes[0].get_yticklabels()
    ]
    assert names == [*classes_shown(table), MACRO]
    full = figures.heat_map(tables(table)["net0", "ce"], "ew").axes[0]
    assert len(full.get_yticklabels()) == 40, "a row for each, the splits across"
    assert class_rule(table).startswith("Of 40 classes 12 are drawn here: the 8 with the lowest mean score")
    assert class_rule(of_so_many(12)) == ""
    assert list(panels_study._most_confused(confused(40)).shares) == [f"organ {i}" for i in range(28, 40)]


def test_the_mean_of_objects_is_over_all_classes_whichever_are_drawn() -> None:
    table = of_so_many(40)
    (middle,) = lines(figures.dots(table, "net0", "ce", "ew", classes_shown(table)), "|")[-1][0]
    ours = table[(table["model"] == "net0") & (table["split_kind"] == "random")]
    assert middle == pytest.approx(ours["dice"].mean())
