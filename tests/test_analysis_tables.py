"""The paper's tables from its own cells, and the five formats against names that mean them harm."""

import csv
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.formats import FORMATS, to_csv, to_html, to_latex, to_markdown, to_text
from analysis.tables import audit, audit_summary, tables, worst

REFERENCE = Path(analysis.__path__[0]) / "reference" / "paper_tables.csv"
HOSTILE = [
    "<script>alert(1)</script>",
    "a&b_50%",
    "=cmd()",
    "x|y",
    "\\input{z}",
    "$^~{}#",
    "[2em]",
    "*_b_*",
    "new\nline",
]
HOSTILE += ["\x1b[2J", '"><img src=x>', "`c`", "\u202eab", ",;"]

PAPERS_COLUMNS = ("bg", "bx", "cl", "dr", "du", "ad", "bo", "all")


@pytest.fixture(scope="module")
def paper() -> pd.DataFrame:
    return pd.read_csv(REFERENCE, keep_default_na=False).assign(seed=0)


def kind(split: str) -> str:
    return "held_out" if split.startswith("rot") else "random"


def scores(*rows: tuple[str, int, str, float | None], averaging: str = "pw") -> pd.DataFrame:
    """A table of one configuration from (split, seed, class, dice)."""
    table = pd.DataFrame(rows, columns=["split", "seed", "class", "dice"])
    return table.assign(model="m", loss="l", averaging=averaging, split_kind=table["split"].map(kind), axis="")


def only(table: pd.DataFrame) -> pd.DataFrame:
    (frame,) = tables(table).values()
    return frame


def hostile() -> pd.DataFrame:
    """Two splits of classes, a model and a loss that carry markup of every format."""
    rows = [(split, 0, name, 0.1 + 0.2 * place) for place, split in enumerate(("[r]_0", "rot_0")) for name in HOSTILE]
    return scores(*rows).assign(model="<b>|m_", loss="@l & =")


# ---- layout


def test_every_table_of_the_paper_has_its_rows_and_columns_in_its_order(paper: pd.DataFrame) -> None:
    frames = tables(paper.sample(frac=1, random_state=0))
    assert list(frames) == [("icnet", "ce"), ("icnet", "ce_dice"), ("unet", "ce"), ("unet", "ce_dice")]
    for frame in frames.values():
        assert list(frame.index) == [f"random_{i}" for i in range(8)] + [f"rot_{i}" for i in range(3)]
        assert list(frame.columns) == [(averaging, name) for averaging in ("pw", "ew") for name in PAPERS_COLUMNS]
        assert frame.notna().to_numpy().all()
        assert frame.attrs["missing"] == []


def test_table_2_row_random_0_to_the_digit(paper: pd.DataFrame) -> None:
    row = tables(paper)["icnet", "ce"].loc["random_0"]
    assert row["pw"].tolist() == [0.99, 0.84, 0.86, 0.87, 0.96, 0.82, 0.88, 0.97]
    assert row["ew"].tolist() == [0.99, 0.49, 0.54, 0.79, 0.77, 0.81, 0.88, 0.83]


def test_other_classes_and_angles_find_their_place() -> None:
    splits = ("rot_10", "random_10", "rot_2", "random_9", "rot_-30")
    frame = only(scores(*((split, 0, name, 0.5) for split in splits for name in ("all", "wheel", "du", "bg", "axle"))))
    assert [name for _, name in frame.columns] == ["bg", "wheel", "du", "axle", "all"], (
        "in the order in which they come"
    )
    assert list(frame.index) == ["random_9", "random_10", "rot_2", "rot_10", "rot_-30"]


def test_names_that_read_as_numbers_are_names() -> None:
    table = scores(("1", 0, "7", 0.25)).astype({"split": int, "class": int})
    assert only(table).loc["1", ("pw", "7")] == 0.25


def test_pooled_is_shown_if_asked_for(paper: pd.DataFrame) -> None:
    both = pd.concat([paper, paper[paper["averaging"] == "pw"].assign(averaging="pooled")])
    assert set(tables(both)["unet", "ce"].columns.get_level_values(0)) == {"pw", "ew"}
    frame = tables(both, ("pw", "ew", "pooled"))["unet", "ce"]
    assert list(dict.fromkeys(frame.columns.get_level_values(0))) == ["pw", "ew", "pooled"]
    assert frame["pooled"].equals(frame["pw"])


def test_seeds_are_averaged_and_counted() -> None:
    rows = [("random_0", seed, "bx", dice) for seed, dice in enumerate((0.2, 0.4, 0.9))]
    frame = only(scores(*rows, ("random_1", 0, "bx", 0.3)))
    assert frame["pw", "bx"].tolist() == [pytest.approx(0.5), 0.3]
    assert frame.attrs["seeds"] == {"random_0": 3, "random_1": 1}
    assert "number of seeds by split: random_0 3, random_1 1" in to_text({("m", "l"): frame})


def test_nothing_is_averaged_around() -> None:
    whole = [("random_0", 0, "bx", 0.5), ("random_0", 1, "bx", 0.7)]
    undefined = only(scores(*whole, ("random_0", 0, "cl", None), ("random_0", 1, "cl", 0.4)))
    assert undefined.isna().iloc[0].tolist() == [False, True]
    assert undefined.attrs["missing"] == []
    missing = only(scores(*whole, ("random_0", 1, "cl", 0.4)))
    assert missing.isna().iloc[0].tolist() == [False, True]
    assert missing.attrs["missing"] == [("random_0", "pw", "cl")]


def test_a_split_that_one_model_lacks_is_missing_there(paper: pd.DataFrame) -> None:
    part = paper[(paper["model"] != "unet") | (paper["split"] != "rot_1")]
    frame = tables(part)["unet", "ce"]
    assert frame.loc["rot_1"].isna().all()
    assert len(frame.attrs["missing"]) == 16
    text = to_text({("unet", "ce"): frame})
    assert "? marks 16 missing value(s), in rot_1." in text
    assert not worst(frame).loc["rot_1"].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns=["seed", "dice"]), r"lack the column\(s\) seed, dice"),
        (lambda table: table.assign(averaging="median"), "no scores under the averaging pw or ew; available: median"),
        (lambda table: pd.concat([table, table]), "2 score.s. given twice, first model m, loss l, split random_0"),
        (lambda table: table.iloc[:0], "available: none"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(change: Callable[[pd.DataFrame], pd.DataFrame], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tables(change(scores(("random_0", 0, "bx", 0.1), ("random_0", 0, "cl", 0.2))))


def test_an_averaging_asked_for_by_name_must_be_there(paper: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="averaging pooled; available: ew, pw"):
        tables(paper, ("pw", "pooled"))


# ---- the worst of each column


def test_the_papers_minima(paper: pd.DataFrame) -> None:
    """78 cells, 67 of them on rotation splits; 25 of rot_1."""
    marks = [worst(frame, decimals).sum(axis=1) for frame in tables(paper).values() for decimals in (2, None)]
    total = sum(marks) / 2
    assert total.sum() == 78
    assert total[total.index.str.startswith("rot")].to_dict() == {"rot_0": 17, "rot_1": 25, "rot_2": 25}


def test_ties_are_all_marked_as_printed_or_exactly_and_nan_never() -> None:
    frame = pd.DataFrame({"a": [0.121, 0.119, 0.2], "b": [None, 0.3, 0.3], "c": [None, None, None]}, dtype=float)
    assert worst(frame, 2).to_numpy().T.tolist() == [[True, True, False], [False, True, True], [False] * 3]
    assert worst(frame).to_numpy().T.tolist() == [[False, True, False], [False, True, True], [False] * 3]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.floats(0, 1) | st.sampled_from([0.115, 0.125, 0.5]), min_size=1, max_size=12),
    st.none() | st.integers(0, 4),
)
def test_a_mark_means_no_printed_value_is_lower(values: list[float | None], decimals: int | None) -> None:
    marks = worst(pd.DataFrame({"x": values}, dtype=float), decimals)["x"].tolist()
    shown = [None if v is None else v if decimals is None else float(format(v, f".{decimals}f")) for v in values]
    defined = [value for value in shown if value is not None]
    assert marks == [value is not None and value == min(defined) for value in shown]
    assert any(marks) == bool(defined)


# ---- the paper's marks


def test_four_columns_of_the_paper_are_marked_wrongly(paper: pd.DataFrame) -> None:
    found = audit(paper)
    assert (found[["model", "loss", "averaging"]] == ["unet", "ce_dice", "ew"]).all(axis=None)
    rows = found.drop(columns=["model", "loss", "averaging"]).itertuples(index=False, name=None)
    assert list(rows) == [
        ("cl", ("random_5", "random_7", "rot_0"), (0.28, 0.28, 0.37), ("random_3",), 0.24),
        ("dr", (), (), ("rot_1",), 0.37),
        ("du", ("rot_2",), (0.53,), ("random_4",), 0.44),
        ("all", ("random_7",), (0.61,), ("random_3",), 0.58),
    ]


def test_the_summary_counts_both(paper: pd.DataFrame) -> None:
    summary = audit_summary(paper)
    assert summary.startswith(
        "79 cells (68 on held-out angle splits) marked, 78 cells (67 on held-out angle splits) worst;"
    )
    assert summary.endswith(
        "in 4 of 64 columns: unet ce_dice ew cl, unet ce_dice ew dr, unet ce_dice ew du, unet ce_dice ew all"
    )


def test_right_marks_pass_and_absent_marks_are_refused() -> None:
    table = scores(("random_0", 0, "bx", 0.4), ("random_1", 0, "bx", 0.3), ("rot_0", 0, "bx", None))
    assert audit(table.assign(bold=[0, 1, 0])).empty
    assert audit_summary(table.assign(bold=[0, 1, 0])).endswith("marks wrong in 0 of 1 columns")
    assert audit(table.assign(bold=[0, 1, 1]))["marked"].tolist() == [("random_1", "rot_0")]
    with pytest.raises(ValueError, match="column bold"):
        audit(table)


# ---- formats


def test_text_marks_the_worst_with_a_star_and_rules_off_the_rotation_splits(paper: pd.DataFrame) -> None:
    lines = to_text({("unet", "ce_dice"): tables(paper)["unet", "ce_dice"]}).splitlines()
    rotation = next(place for place, line in enumerate(lines) if line.startswith("rot_0"))
    assert set(lines[rotation - 1]) == {"-"}
    assert lines[rotation - 2].startswith("random_7")
    starred = [re.findall(r"[0-9.]+\*?", line)[1:] for line in lines if re.match(r"r(andom|ot)_", line)]
    assert sum(value.endswith("*") for row in starred for value in row) == 19
    assert [row[10] for row in starred if row[10].endswith("*")] == ["0.24*"]
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(
    ("name", "mark"), [("markdown", "**{}**"), ("latex", "\\textbf{{{}}}"), ("html", "<strong>{}<")]
)
@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_decimals_and_marks_of_every_format(paper: pd.DataFrame, name: str, mark: str, decimals: int) -> None:
    frames = tables(paper)
    pattern = re.escape(mark.format("VALUE")).replace("VALUE", f"[01][.][0-9]{{{decimals}}}")
    counts = sum(int(worst(frame, decimals).to_numpy().sum()) for frame in frames.values())
    assert len(re.findall(pattern, FORMATS[name](frames, decimals, False))) == counts
    assert len(re.findall(pattern, FORMATS[name](frames, decimals, True))) == 78


def test_undefined_and_missing_look_different_everywhere() -> None:
    table = scores(("random_0", 0, "bx", 0.5), ("random_1", 0, "bx", None), ("random_1", 0, "cl", 0.25))
    frames = tables(table)
    assert "random_0   0.50*    ?" in to_text(frames)
    assert "| random_1 | - | **0.25** |" in to_markdown(frames)
    assert "random\\_1 & - & \\textbf{0.25}" in to_latex(frames)
    assert "<td>-</td>" in to_html(frames)
    assert "<td>?</td>" in to_html(frames)
    states = [row["state"] for row in csv.DictReader(io.StringIO(to_csv(frames)))]
    assert states == ["defined", "missing", "undefined", "defined"]


def test_csv_gives_every_cell_back_at_full_precision(paper: pd.DataFrame) -> None:
    text = to_csv(tables(paper.assign(dice=paper["dice"] / 3)))
    back = pd.read_csv(io.StringIO(text), dtype={"dice": str}).astype({"dice": float}).assign(seed=0)
    assert len(back) == 704
    for key, frame in tables(back).items():
        pd.testing.assert_frame_equal(frame, tables(paper)[key] / 3, check_exact=True)


def test_csv_runs_no_formula_and_keeps_its_columns() -> None:
    lines = list(csv.reader(io.StringIO(to_csv(tables(hostile())))))
    assert {len(line) for line in lines} == {15}
    assert not [cell for line in lines for cell in line if re.match(r"\s*[=+@-]", cell)]
    assert "'=cmd()" in {line[6] for line in lines}


def test_markdown_has_equal_pipes_per_row_and_no_markup_of_others() -> None:
    text = to_markdown(tables(hostile()))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {len(HOSTILE) + 2}
    assert len(rows) == 5  # names, alignment, random, rule, rotation
    assert not re.search(r"[<>`\[\]]", text)
    assert "pw a&#38;b_50%" in text


class Checker(HTMLParser):
    """Collects tags and text; an end tag that does not close the last open one is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def test_html_is_whole_accessible_and_shows_names_as_they_are() -> None:
    page = Checker(to_html(tables(hostile())))
    assert page.open == []
    allowed = {"table", "caption", "colgroup", "thead", "tbody", "tr", "th", "td", "strong", "br"}
    assert {tag for tag, _ in page.tags} == allowed
    scopes = [attributes["scope"] for tag, attributes in page.tags if tag == "th"]
    assert scopes == ["col", "colgroup", *["col"] * len(HOSTILE), "row", "row"]
    assert "<script>alert(1)</script>" in page.texts["th"]
    assert sum(tag == "tbody" for tag, _ in page.tags) == 2
    marked = [attributes.get("class") for tag, attributes in page.tags if tag == "td"]
    assert marked == ["worst"] * len(HOSTILE) + [None] * len(HOSTILE)


def test_latex_escapes_what_it_would_read() -> None:
    text = to_latex(tables(hostile()))
    assert "a\\&b\\_50\\%" in text
    assert "\\textbackslash{}input\\{z\\}" in text
    assert "\n{[}r]\\_0 &" in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\") and "multicolumn" not in line]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(HOSTILE)}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_latex_compiles(paper: pd.DataFrame, tmp_path: Path) -> None:
    body = to_latex(tables(paper)) + to_latex(tables(hostile()))
    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}\n{body}\\end{{document}}\n"
    (tmp_path / "tables.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("name", FORMATS)
def test_control_characters_reach_no_format(name: str) -> None:
    text = FORMATS[name](tables(hostile()), 2, False)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "new\nline" not in text
    text.encode()


@pytest.mark.parametrize("name", FORMATS)
def test_a_frame_of_ones_own_can_be_set_too(name: str) -> None:
    frame = pd.DataFrame([[0.5]], index=["a"], columns=pd.MultiIndex.from_tuples([("pw", "x")]))
    assert "0.5" in FORMATS[name]({("m", "l"): frame}, 2, False)
