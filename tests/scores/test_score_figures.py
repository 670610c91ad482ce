"""Figures of scores: what is drawn is what the tables say."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from drawn import as_drawn
from make_tables import names_on, said
from mesodecode.base.files import UserError
from mesodecode.decoders.predictions import Predictions, SessionPredictions
from mesodecode.scores import (
    auc_figure,
    ceilings_figure,
    cohort_matrix_figure,
    multiverse_figure,
    reproduction,
    reproduction_figure,
    target_figure,
)
from mesodecode.study.targets import KINDS, Target
from texts import as_read, as_written

# Reproduction


def reproduced() -> pd.DataFrame:
    rows = [
        ("cnn", "CNN", 20, 0.9, 0.02, 20, 0.95, 0.01, -0.05, -0.08, -0.02, "paired, 5 mice"),
        ("svm", "SVM", 6, 0.8, np.nan, 20, 0.7, 0.03, 0.1, -0.1, 0.3, "Welch, mice"),
        ("one", "One", 1, 0.6, np.nan, 1, 0.5, np.nan, 0.1, np.nan, np.nan, "Welch, mice"),
    ]
    return pd.DataFrame(rows, columns=reproduction.COLUMNS)


def bars(axes) -> list[np.ndarray]:
    """The ends of the horizontal bars of a panel, a set of points after the other."""
    return [np.array([s[:, 0] for s in one.get_segments()]) for one in axes.collections]


def test_decoders_stand_beside_the_published_ones_with_the_interval_of_the_difference():
    figure = as_drawn(reproduction_figure.reproduction_figure(reproduced()), "reproduction")
    auc, difference = figure.axes
    first = names_on(auc.yaxis)[0]
    assert first == "cnn (n = 20)\nCNN (n = 20)" and list(auc.get_yticks()) == [2, 1, 0]
    published, mine = (line for line in auc.lines if line.get_marker() in "os")
    assert list(published.get_xdata()) == [0.95, 0.7, 0.5]
    assert list(mine.get_xdata()) == [0.9, 0.8, 0.6]
    assert published.get_ydata()[0] > mine.get_ydata()[0]  # above, in its row
    theirs, own = bars(auc)
    np.testing.assert_allclose(theirs, [[0.94, 0.96], [0.67, 0.73], [0.5, 0.5]])
    np.testing.assert_allclose(own, [[0.88, 0.92], [0.8, 0.8], [0.6, 0.6]])
    (widths,) = bars(difference)
    np.testing.assert_allclose(widths, [[-0.08, -0.02], [-0.1, 0.3], [0.1, 0.1]])
    assert said(auc)[1] == "Test AUC" and said(difference)[1] == "This run - published (95 % CI)"
    (legend,) = figure.legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["published, mean ± SD", "this run, mean ± SD"]


def test_the_caption_counts_the_intervals_that_leave_zero_out():
    words = as_written(reproduction_figure.reproduction_caption(reproduced()), "reproduction")
    assert words.startswith("3 decoders of this run") and "1 of 3 intervals leave 0 out" in words
    assert "Student's t over the test mice; Welch's t" in words
    above = reproduced()[1:].assign(ci_low=[0.01, np.nan])
    words = as_read(reproduction_figure.reproduction_caption(above))
    assert "1 of 2 intervals leave 0 out" in words and "Student's t" not in words


# Traces and states


def predictions(sessions, target, decoder="gru") -> Predictions:
    made = {
        name: SessionPredictions(
            "m", np.arange(len(label)) + 3, np.asarray(label), np.asarray(said)
        )
        for name, (label, said) in sessions.items()
    }
    return Predictions(decoder, "a", "x", "y", "m", made, target=target)


def test_a_trace_is_drawn_of_the_session_of_median_r2():
    wave = np.sin(np.arange(60.0))
    sessions = {"best": (wave, wave), "middle": (wave, wave + 0.3), "worst": (wave, -wave)}
    item = predictions(sessions, Target("pupil", unit="px"))
    assert target_figure.typical(item) == ("middle", (0, 60))
    two = predictions({name: sessions[name] for name in ("best", "worst")}, item.target)
    assert target_figure.typical(two)[0] == "worst"  # the lower of two
    (axes,) = as_drawn(target_figure.traces([item]), "traces").axes
    score = 1 - 60 * 0.09 / np.square(wave - wave.mean()).sum()
    assert said(axes) == (f"gru: middle, R² {score:.2f}", "Frame", "pupil (px)")
    measured, decoded = axes.lines
    np.testing.assert_array_equal(measured.get_ydata(), wave)
    np.testing.assert_array_equal(decoded.get_ydata(), wave + 0.3)
    assert measured.get_xdata()[0] == 3 and measured.get_color() == "black"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["measured", "decoded"]
    bare = target_figure.traces([predictions(sessions, Target("pupil"))])
    assert bare.axes[0].get_ylabel() == "pupil"


def test_of_a_long_session_the_stretch_that_varies_most_is_shown():
    n = target_figure.SHOWN
    flat = np.zeros(4 * n)
    flat[2 * n : 3 * n] = np.arange(n) % 2
    item = predictions({"s": (flat, flat + 0.1)}, Target("pupil", unit="px"))
    assert target_figure.typical(item) == ("s", (2 * n, 3 * n))
    tail = np.zeros(2 * n)
    tail[n:] = np.arange(n) % 2  # the last stretch is looked at too
    item = predictions({"s": (tail, tail)}, Target("pupil", unit="px"))
    assert target_figure.typical(item) == ("s", (n, 2 * n))


def test_where_no_session_has_r2_the_longest_is_shown():
    sessions = {"short": ([1.0] * 5, [1.0] * 5), "long": ([2.0] * 9, [1.0] * 9)}
    item = predictions(sessions, Target("pupil", unit="px"))
    assert target_figure.typical(item) == ("long", (0, 9))


def test_confusion_is_the_mean_over_allocations_in_the_order_of_the_states():
    states = ["walk", "groom", "still"]
    rows = [("walk", "walk", 0.5), ("walk", "walk", 0.75), ("walk", "groom", 0.25)]
    table = pd.DataFrame(rows, columns=["state", "predicted", "share"])
    tables = {f"d{i}": table for i in range(4)}
    figure = as_drawn(target_figure.confusion(tables, states), "confusion")
    first = figure.axes[0]
    assert said(first) == ("d0", "predicted", "state")
    assert names_on(first.xaxis) == names_on(first.yaxis) == states
    assert [text.get_text() for text in first.texts] == ["0.62", "0.25"]  # (0.5 + 0.75) / 2
    assert first.collections[0].get_clim() == (0, 1)
    # three in a row, what is left over is empty
    assert [axes.axison for axes in figure.axes] == [True] * 4 + [False] * 2


def test_captions_of_targets_say_what_is_drawn():
    trace = predictions({"s": ([1.0, 2], [1.0, 2])}, Target("pupil", unit="px"))
    words = as_written(target_figure.caption([trace], 7), "traces")
    assert words.startswith("pupil as measured") and "1,800 frames" in words
    named = predictions({}, Target("states", ("a", "b", "c")))
    assert "mean over 7 allocations" in as_written(target_figure.caption([named], 7), "confusion")


# AUCs by what a decoder was trained on, by cohort, by variant


def points(axes) -> list[tuple]:
    """(place, sign, values) of the points of mice in a panel."""
    lines = [line for line in axes.lines if line.get_marker() in "os" and len(line.get_xdata())]
    return [(round(line.get_xdata()[0]), line.get_marker(), *line.get_ydata()) for line in lines]


def test_ceilings_have_the_points_of_each_arm_in_their_order():
    rows = [
        *(("net", arm, "m2", "s1", auc) for arm, auc in (("others", 0.3), ("own", 0.9))),
        ("net", "own", "m10", "s2", 0.8),
        ("net", "others", "m10", "s2", np.nan),
        *((name, "own", "m2", "s1", 0.7) for name in ("two", "three")),
    ]
    table = pd.DataFrame(rows, columns=["decoder", "arm", "test_mouse", "session", "auc"])
    figure = as_drawn(ceilings_figure.draw(table.assign(days=np.nan)), "ceilings")
    first, second, third, empty = figure.axes
    assert names_on(first.xaxis) == ["own", "others"]
    assert points(first) == [(0, "o", 0.9), (0, "s", 0.8), (1, "o", 0.3)]  # m2 before m10
    assert [axes.get_ylabel() for axes in (first, second)] == ["AUC of the session left out", ""]
    assert third.get_ylabel() and not empty.axison
    assert first.get_ylim() == (pytest.approx(0.28), 1.02)  # the lowest AUC is inside


def test_cohorts_have_a_cell_for_each_pair_that_was_tested():
    rows = [(*one, 0.5, n, 4) for one, n in ((("d0", "A", "A"), 3), (("d0", "A", "B"), 2))] + [
        (f"d{i}", "B", "B", 0.75, 1, 5) for i in range(4)
    ]
    columns = ["decoder", "train_cohort", "test_cohort", "auc", "n_mice", "n_allocations"]
    table = pd.DataFrame(rows, columns=columns)
    figure = as_drawn(cohort_matrix_figure.draw(table), "cohort_matrix")
    first = figure.axes[0]
    assert said(first) == ("d0", "Tested in", "Trained in")
    assert names_on(first.yaxis) == ["A", "B"] and names_on(first.xaxis) == ["A", "B"]
    cells = [text.get_text() for text in first.texts]
    assert cells == ["0.500\n3 mice", "0.500\n2 mice", "0.750\n1 mouse"]
    assert [axes.get_ylabel() for axes in figure.axes[:4]] == ["Trained in", "", "", "Trained in"]
    assert [axes.axison for axes in figure.axes] == [True] * 4 + [False] * 2
    assert "13 allocations" in as_written(
        cohort_matrix_figure.caption(table), "cohort_matrix"
    )  # of the decoder with most


def test_variants_have_the_points_of_their_mice_by_their_means():
    rows = [
        ("cnn", *row)
        for row in (("a", "m2", 0.5), ("a", "m10", 0.6), ("b", "m2", 0.25), ("b", "m10", 0.4))
    ]
    table = pd.DataFrame(rows, columns=["family", "variant", "test_mouse", "auc"])
    figure = as_drawn(multiverse_figure.draw(table), "multiverse")
    (axes,) = figure.axes
    assert names_on(axes.xaxis) == ["b", "a"]
    assert points(axes) == [(0, "o", 0.25), (0, "s", 0.4), (1, "o", 0.5), (1, "s", 0.6)]
    assert said(axes) == ("cnn", "", "AUC of the test mouse")
    assert axes.lines[0].get_ydata()[0] == 0.5 and axes.get_ylim()[0] == pytest.approx(0.23)


@pytest.mark.parametrize(("n", "slant"), [(6, 0), (7, 25)])
def test_names_of_many_variants_are_slanted(n, slant):
    rows = [("cnn", f"v{i}", "m1", 0.5 + i / 100) for i in range(n)]
    table = pd.DataFrame(rows, columns=["family", "variant", "test_mouse", "auc"])
    (axes,) = multiverse_figure.draw(table).axes
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {slant}


def three_with_tests():
    """AUCs of three decoders, the last of two allocations, and tests of their pairs."""
    names = ["first_of_a_long_name", "second_of_a_long_name", "third_of_a_long_name"]
    rows = [
        (name, f"{mouse}{i}", f"mouse_{mouse}", 0.7 + 0.05 * i + 0.02 * mouse)
        for i, name in enumerate(names)
        for mouse in range(3 - (i == 2))
    ]
    auc = pd.DataFrame(rows, columns=["decoder", "allocation", "test_mouse", "auc"])
    a, b, c = names
    pairs = [(a, c, 0.0005), (c, b, 0.03), (a, b, 0.04), (b, a, 0.2), (a, "other", 1.0)]
    return auc, pd.DataFrame(pairs, columns=["a", "b", "p_holm"]).assign(test="ranksum")


@pytest.mark.parametrize(("lowest", "bottom"), [(0.476, 0.45), (0.474, 0.4), (0.424, 0.35)])
def test_aucs_stand_half_a_step_of_the_axis_or_more_above_its_end(lowest, bottom):
    auc, _ = three_with_tests()
    auc["auc"] += lowest - auc["auc"].min()
    (axes,) = auc_figure.auc_by_decoder(auc).axes
    assert axes.get_ylim()[0] == pytest.approx(bottom)


def test_eight_decoders_have_14_mm_each():
    auc, _ = three_with_tests()
    many = pd.concat([auc.assign(decoder=auc["decoder"] + end) for end in ("", "2", "3")])
    eight = many[many["decoder"].isin(many["decoder"].unique()[:8])]
    assert auc_figure.auc_by_decoder(eight).get_size_inches()[0] * 25.4 == pytest.approx(8 * 14)


@pytest.mark.parametrize(
    ("letters", "columns"),
    [(7, 4), (8, 3), (40, 1), (60, 1)],  # of 16.5, 18, 66 and 96 mm
)
def test_names_of_mice_stand_beside_their_title_or_below_it_in_columns(letters, columns):
    """Of 85 mm the title takes two columns of names: five are three mice's."""
    auc, tests = three_with_tests()
    long = auc["test_mouse"].str.ljust(letters, "x")
    (legend,) = auc_figure.auc_by_decoder(auc.assign(test_mouse=long), tests).legends
    assert len(legend.get_texts()) == 3 + (columns == 4) and legend._ncols == columns


def test_short_brackets_lie_below_long_ones_with_the_larger_p_of_two_families():
    auc, tests = three_with_tests()
    figure = as_drawn(auc_figure.auc_by_decoder(auc, tests), "auc_tested")
    (axes,) = figure.axes
    stars = [(*text.get_position(), text.get_text()) for text in axes.texts[:3]]
    # the axis begins at .45, below chance, so that brackets are .55 x .085 apart
    heights = 1 + 0.55 * 0.085 * np.arange(1, 4)
    assert [words for _, _, words in stars] == ["*", "n.s.", "***"]
    np.testing.assert_allclose([one[:2] for one in stars], np.c_[[1.5, 0.5, 1], heights])
    assert [text.get_text() for text in axes.get_xticklabels()][2] == "third_of_a_long_name (n = 2)"
    assert "Holm-corrected.\n*** p < .001" in figure._supxlabel.get_text()


def test_a_setting_in_frames_has_seconds_above_and_says_how_many_pairs_differ():
    auc, tests = three_with_tests()
    figure = auc_figure.auc_by_setting(auc, [20, 5, 10], "half_window", tests, frame_rate=20)
    (axes,) = as_drawn(figure, "auc_by_setting_tested").axes
    (seconds,) = axes.child_axes
    figure.canvas.draw()
    assert seconds.get_xlabel() == "seconds"
    np.testing.assert_allclose(seconds.get_xlim(), np.array(axes.get_xlim()) / 20)
    assert list(axes.get_xticks()) == [5, 10, 20]
    assert axes.get_xlabel() == "Half-window (frames on each side); n = 2 to 3 allocations each"
    assert figure._supxlabel.get_text().endswith("2 of 3 pairs p < .05.")
    line = next(line for line in axes.lines if len(line.get_xdata()) == 1)
    assert line.get_xdata()[0] == 20  # an allocation is its own line
    assert not auc_figure.auc_by_setting(auc, [20, 5, 10], "half_window").axes[0].child_axes


def test_a_line_is_an_allocation_and_chance_is_drawn_where_the_axis_holds_it():
    auc, tests = three_with_tests()
    lower = auc.assign(auc=auc["auc"] - 0.35, valid_mouse="v")  # from .35 on
    for kind, dashed in ((KINDS["run"], 1), (KINDS["regression"], 0)):
        (axes,) = auc_figure.auc_by_setting(lower, [20, 5, 10], "half_window", kind=kind).axes
        assert sum(line.get_linestyle() == "--" for line in axes.lines) == dashed
    points = [line for line in axes.lines if line.get_alpha() == 0.75]
    assert {len(line.get_xdata()) for line in points} == {1} and len(points) == len(auc)
    at_limit = tests.replace({"p_holm": {0.03: 0.05}})
    figure = auc_figure.auc_by_setting(auc, [20, 5, 10], "half_window", at_limit)
    assert figure._supxlabel.get_text().endswith("1 of 3 pairs p < .05.")
    words = as_read(auc_figure.auc_caption(auc, tests, lines=True))
    assert "3 pairs (see the table): " in words and "Brackets" not in words


@pytest.mark.parametrize(
    ("setting", "label", "timed"),
    [
        ("half_window", "Half-window (frames on each side)", True),
        ("half_window_frames", "Half-window (frames on each side)", True),
        ("shift", "Shift of the window against the decoded frame (frames)", True),
        ("hidden_size", "hidden size", False),
    ],
)
def test_a_setting_has_its_name_and_seconds_above_where_it_is_a_time(setting, label, timed):
    auc, _ = three_with_tests()
    (axes,) = auc_figure.auc_by_setting(auc, [1, 2, 3], setting, frame_rate=20).axes
    assert axes.get_xlabel() == f"{label}; n = 2 to 3 allocations each"
    assert bool(axes.child_axes) == timed


def test_many_decoders_of_many_mice_have_slanted_names_legends_of_lines_and_no_brackets():
    names, mice = [f"decoder_number_{i}" for i in range(5)], [f"mouse_number_{i}" for i in range(9)]
    rows = [
        (name, f"to-{mouse}", mouse, 0.45 + 0.1 * i + 0.01 * j)
        for i, name in enumerate(names)
        for j, mouse in enumerate(mice)
    ]
    auc = pd.DataFrame(rows, columns=["decoder", "allocation", "test_mouse", "auc"])
    pairs = [(a, b, 0.01) for a, b in itertools.combinations(names, 2)]
    tests = pd.DataFrame(pairs, columns=["a", "b", "p_holm"]).assign(test="rank_sum")
    as_drawn(auc_figure.auc_by_decoder(auc, tests), "auc_of_many")
    as_written(auc_figure.auc_caption(auc, tests), "auc_of_many")
    above = auc[auc["decoder"] > names[1]]
    as_written(auc_figure.auc_caption(auc, tests, lines=True), "auc_by_setting")
    as_written(auc_figure.auc_caption(above, lines=True, source="x.tsv"), "auc_above_chance")
    few = auc_figure.auc_caption(above, tests, kind=KINDS["regression"])
    as_written(few, "r2_by_decoder")


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.0009, "***"), (0.001, "**"), (0.009, "**"), (0.01, "*"), (0.049, "*"), (0.05, "n.s.")],
)
def test_stars_begin_below_their_limits(p, expected):
    assert auc_figure.stars(p) == expected


def test_decoders_are_chosen_in_the_order_that_is_asked_for_and_unknown_ones_named():
    table = pd.DataFrame({"decoder": ["a", "b", "a", "c"], "auc": [0.1, 0.2, 0.3, 0.4]})
    chosen = auc_figure.select(table, ["b", "a"])
    assert chosen["auc"].tolist() == [0.2, 0.1, 0.3] and chosen.index.tolist() == [0, 1, 2]
    with pytest.raises(UserError, match="no decoder d, e; in the table: a, b, c"):
        auc_figure.select(table, ["d", "b", "e"])


# AUCs by decoder, and by a setting


@pytest.mark.parametrize("kind", [*KINDS.values()], ids=lambda kind: kind.name)
def test_means_have_their_sample_sd_and_chance_stands_at_that_of_the_score(kind):
    values = {"a": [0.2, 0.4, 0.9], "b": [0.1, -0.1, 0.3]}
    rows = [
        (d, f"{d}{i}", "13"[i % 2], v) for d, mine in values.items() for i, v in enumerate(mine)
    ]
    auc = pd.DataFrame(rows, columns=["decoder", "allocation", "test_mouse", "auc"])
    figures = {
        "decoder": auc_figure.auc_by_decoder(auc, kind=kind),
        "setting": auc_figure.auc_by_setting(auc, [5, 9], "half_window", kind=kind),
    }
    for name, figure in figures.items():
        as_drawn(figure, f"{kind.name}_by_{name}")
    by_decoder, by_setting = (figure.axes[0] for figure in figures.values())
    for axes, at in ((by_decoder, [0.31, 1.31]), (by_setting, [5, 9])):
        assert axes.get_ylabel() == f"Test {kind.axis}"
        (chance,) = [line for line in axes.lines if line.get_linestyle() == "--"]
        assert chance.get_ydata()[0] == kind.chance
        bars = [bar for drawn in axes.containers for bar in drawn[2]]
        ends = np.concatenate([[part[:, 1] for part in bar.get_segments()] for bar in bars])
        spread = [np.std(mine, ddof=1) for mine in values.values()]
        means = [0.5, 0.1]
        np.testing.assert_allclose(
            ends, [(m - s, m + s) for m, s in zip(means, spread, strict=True)]
        )
        middles = np.concatenate([np.ravel(drawn[0].get_xydata()) for drawn in axes.containers])
        np.testing.assert_allclose(middles.reshape(-1, 2), np.c_[at, means])
    (word,) = [text for text in by_decoder.texts if text.get_text() == "chance"]
    assert word.xy == (1, kind.chance)
