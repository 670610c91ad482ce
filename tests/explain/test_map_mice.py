"""Maps with mice as the unit: by hand, on planted areas, and where mice are too few."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from drawn import as_drawn
from make_tables import names_on
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.explain import cutout_tables, map_mice, map_mice_figure
from tabled import as_tabled
from texts import as_read, as_written


def scores_of(values, mice, kind="mask") -> pd.DataFrame:
    """Maps (allocations, units), of these test mice."""
    pairs = [(f"{mouse}{number}", mouse) for number, mouse in enumerate(mice)]
    index = pd.MultiIndex.from_tuples(pairs, names=["allocation", "test_mouse"])
    values = np.asarray(values, float)
    names = [f"square r1 c{n}" if kind == "mask" else str(n) for n in range(1, len(values.T) + 1)]
    return pd.DataFrame(values, index, pd.Index(names, name=kind))


def planted(n_mice, each=4, n_units=20, seed=0, effect=0.1) -> pd.DataFrame:
    """Maps of mice in which the first two areas cost AUC, in every mouse but for luck."""
    rng = np.random.default_rng(seed)
    own = np.repeat(rng.normal(0, 0.03, (n_mice, n_units)), each, axis=0)
    values = own + rng.normal(0, 0.01, own.shape)
    values[:, :2] += effect
    return scores_of(values, np.repeat([f"m{n}" for n in range(n_mice)], each))


def test_a_mouse_counts_once_whatever_its_allocations():
    scores = scores_of([[0, 0], [1, 0], [5, 0], [4, 1], [9, 2]], ["d", "d", "d", "e", "f"])
    table = as_tabled(map_mice.over_mice(scores), "map_over_mice").set_index("unit")
    row = table.loc["square r1 c1"]
    assert (row["n"], row["n_mice"], row["mean"], row["against"]) == (5, 3, 5, "0")
    # 2, 4, 9: SD √13, t(2) = 4.302653
    half = 4.302653 * np.sqrt(13 / 3)
    assert row[["low", "high"]].tolist() == pytest.approx([5 - half, 5 + half], rel=1e-6)
    assert row["t"] == pytest.approx(5 / np.sqrt(13 / 3))
    assert row["p_smallest"] == row["p_max_t"] == 0.25
    assert row["difference"] == row["mean"] and row["difference_low"] == row["low"]


def test_mice_stand_in_the_order_of_their_maps():
    means = map_mice.mouse_means(scores_of([[1, 2], [4, 6], [6, 8]], ["e", "d", "d"]))
    assert means.index.tolist() == ["e", "d"] and means.to_numpy().tolist() == [[1, 2], [5, 7]]
    numbered = map_mice.mouse_means(scores_of([[1, 2], [4, 6]], [10, 9]))
    assert numbered.index.tolist() == ["10", "9"]  # names, whatever they look like


def test_planted_areas_are_found_and_a_map_of_luck_finds_none():
    scores = planted(8)
    table = map_mice.over_mice(scores)
    found = table["p_max_t"] < 0.05
    assert found.tolist() == [True] * 2 + [False] * 18
    assert "2 of 20 areas are above 0" in as_written(
        map_mice.in_words(table, "areas"), "map_mice_areas"
    )
    rng = np.random.default_rng(1)  # each mouse its own order: no area holds over mice
    mixed = scores.copy()
    for _, rows in scores.groupby("test_mouse"):
        mixed.loc[rows.index] = rows.to_numpy()[:, rng.permutation(20)]
    wrong = map_mice.over_mice(mixed)
    assert not (wrong["p_max_t"] < 0.05).any()
    assert as_read(map_mice.in_words(wrong, "areas")).endswith("p < 0.05): none.")


def test_an_area_that_is_below_in_all_mice_is_not_said_to_be_above():
    table = map_mice.over_mice(planted(8, effect=-0.1))
    assert (table["p_max_t"] < 0.05).sum() == 2
    words = as_read(map_mice.in_words(table, "areas"))
    assert "0 of 20 areas are above 0" in words and words.endswith("none.")
    at_level = map_mice.over_mice(planted(8)).assign(p_max_t=0.05)
    assert "0 of 20 areas are above 0" in map_mice.in_words(at_level, "areas")


def test_five_mice_show_intervals_and_say_that_no_test_can():
    table = map_mice.over_mice(planted(5, effect=1.0))
    assert (table["low"][:2] > 0).all() and (table["p_smallest"] == 0.0625).all()
    assert table["p_max_t"].min() == 0.0625
    words = as_written(map_mice.in_words(table, "areas"), "map_mice_too_few")
    assert "over the 5 test mice, which are too few" in words and "less than 0.0625" in words
    words = map_mice.in_words(table.assign(p_smallest=0.05), "areas")  # not below the level
    assert "less than 0.05." in words


def test_rois_are_tested_against_permuted_labels_and_by_themselves_not():
    scores = scores_of(1 + planted(8).to_numpy(), np.repeat([*"abcdefgh"], 4), "ROI")
    null = scores_of(np.ones((32, 20)), np.repeat([*"abcdefgh"], 4), "ROI")
    alone = map_mice.over_mice(scores)
    assert alone["p_max_t"].isna().all() and alone["against"].eq("").all()
    assert alone["low"].gt(0).all() and alone["difference"].isna().all()
    pd.testing.assert_frame_equal(map_mice.over_mice(scores.rename_axis(columns="area")), alone)
    assert "name a null_decoder" in as_written(map_mice.in_words(alone, "ROIs"), "map_mice_alone")
    table = map_mice.over_mice(scores, null.iloc[::-1, ::-1])  # in whatever order
    as_tabled(table, "map_over_mice_against_permuted")
    assert (table["p_max_t"] < 0.05).tolist() == [True] * 2 + [False] * 18
    for more in ("", "_low", "_high"):
        of = more[1:] or "mean"
        np.testing.assert_allclose(table[f"difference{more}"], table[of] - 1)
    assert "2 of 20 ROIs are above with permuted labels" in as_written(
        map_mice.in_words(table, "ROIs"), "map_mice_rois"
    )
    with pytest.raises(UserError, match="permuted labels: nothing of allocation h31; give"):
        map_mice.over_mice(scores, null[:-1])
    with pytest.raises(UserError, match="permuted labels: nothing of ROI 20; give"):
        map_mice.over_mice(scores, null.drop(columns="20"))


def test_permuted_labels_are_taken_off_their_own_allocation_and_unit_in_whatever_order():
    scores = scores_of([[1, 5], [2, 7], [4, 9]], ["d", "d", "e"], "ROI")
    null = scores_of([[0.5, 1], [1, 2], [3, 4]], ["d", "d", "e"], "ROI")
    for other in (null, null.iloc[::-1, ::-1], null.iloc[[1, 2, 0]]):
        assert map_mice.tested(scores, other).to_numpy().tolist() == [[0.75, 4.5], [1, 5]]


@pytest.mark.parametrize(
    ("mice", "n", "words"),
    [
        (["d", "d", "d"], 1, "one test mouse"),
        (["d+e", "e+f", "d+f"], 0, "several mice together"),
        (["d+e", "e", "f"], 0, "several mice together"),
    ],
)
def test_without_mice_there_are_no_intervals_and_it_is_said(mice, n, words):
    table = map_mice.over_mice(scores_of([[1, 2], [3, 4], [5, 6]], mice))
    assert set(table["n_mice"]) == {n} and table["mean"].tolist() == [3, 4]
    numbers = ["low", "high", "difference_low", "difference_high", "t", "p_max_t", "p_smallest"]
    assert table[numbers].isna().all(axis=None)
    assert words in as_read(map_mice.in_words(table, "areas"))


def test_the_figure_has_an_interval_for_each_area_and_a_sign_for_each_mouse():
    scores = planted(8)
    table = map_mice.over_mice(scores)
    figure = map_mice_figure.draw(table, map_mice.tested(scores))
    axes = as_drawn(figure, "map_mice").axes[0]
    grey = [line for line in axes.lines if line.get_markeredgecolor() == "0.6"]
    assert len(grey) == 8 and all(len(line.get_xdata()) == 20 for line in grey)
    (bars,) = axes.collections
    drawn = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(drawn, table[["low", "high"]])
    assert [text.get_text() for text in axes.texts] == ["*"] * 2
    assert [label.get_text() for label in axes.get_xticklabels()][:2] == ["r1 c1", "r1 c2"]


@pytest.mark.parametrize("alone", [True, False])
def test_rois_go_by_their_numbers_with_permuted_labels_subtracted_where_there_are(alone):
    mice = np.repeat([*"abcd"], 2)
    numbers = np.arange(24).reshape(8, 3)
    rois = [scores_of(size + numbers % size, mice, "ROI") for size in (7, 5)]
    both = rois[:1] if alone else rois
    table, means = map_mice.over_mice(*both), map_mice.tested(*both)
    figure = map_mice_figure.draw(table, means)
    as_drawn(figure, f"map_mice_of_rois{'_alone' * alone}")
    assert names_on(figure.axes[0].xaxis) == ["1", "2", "3"]


@pytest.mark.parametrize("against", [map_mice.ZERO, map_mice.PERMUTED, ""])
def test_the_caption_says_what_is_tested_and_what_a_star_is(against):
    kind = "mask" if against == map_mice.ZERO else "ROI"
    about = {"against": against, "n": 20, "n_mice": 6, "p_smallest": 0.03125 if against else np.nan}
    text = map_mice_figure.caption(pd.DataFrame([about]), "cnn", kind, "Words.", "macro AUC")
    assert "over 6 test mice (each the mean of its allocations, n = 20 in all" in as_written(
        text, f"map_mice_against_{against.replace(' ', '_') or 'nothing'}"
    )
    assert ("mask's loss of macro AUC, the mean" in text) == (kind == "mask")
    assert ("less that of the decoder of permuted labels" in text) == (
        kind == "ROI" and against != ""
    )
    stars = {map_mice.ZERO: "*: other than 0, p < 0.05 over all masks together. Words."}
    stars |= {
        map_mice.PERMUTED: "*: p < 0.05 over all ROIs together. Words.",
        "": "itself). Words.",
    }
    assert stars[against] in text and ("*" in text) == (against != "")
    areas = map_mice_figure.caption(pd.DataFrame([about]), "cnn", "area", "Words.")
    assert ("each area's mean |SHAP|, summed over the window" in areas) == ("ROI" not in areas)
    few = pd.DataFrame([about | {"p_smallest": 0.05}])
    assert "*" not in map_mice_figure.caption(few, "cnn", kind, "Words.")


def test_the_verb_writes_table_and_figure(tmp_path):
    scores = planted(5, each=2, n_units=3)
    rows = scores.rename_axis(columns="mask").stack().rename("score").reset_index()
    about = dict.fromkeys(cutout_tables.COLUMNS, 0) | {"session": "s1", "decoder": "cnn"}
    rows = rows.assign(**{key: value for key, value in about.items() if key not in rows})
    rows.to_csv(tmp_path / "scores.tsv", sep="\t", index=False)
    line = ["map-mice", "--maps", tmp_path / "scores.tsv", "--decoder", "cnn", "--name", "fig3"]
    line += ["--out", tmp_path / "t.tsv", "--figure", tmp_path / "f"]
    assert cli.main([*map(str, line)]) == 0
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    assert table.columns.tolist() == list(map_mice.COLUMNS) and len(table) == 3
    svg = (tmp_path / "f.svg").read_text()
    assert "fig3: intervals over mice" in svg and "The map of cnn with mice as the unit" in svg
    assert "cannot be less than 0.0625" in svg and (tmp_path / "f.png").stat().st_size > 10_000
