"""Left against right: worked by hand and by R."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from drawn import as_drawn
from make import ROI_STUDY, add_files, check_commands, plan, with_importance
from make_tables import map_of
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.explain import sides, sides_figure
from mesodecode.study import study
from tabled import as_tabled
from texts import as_read, as_written

ALLOCATIONS = [f"a{i}" for i in range(6)]
MICE = ["d", "d", "e", "e", "f", "f"]
VALUES = pd.DataFrame(
    {"6": [5, 7, 3, 9, 6, 6], "31": [4, 5, 0, 5, 1, 0], "8": [1, 1, 1, 1, 1, 1], "33": [1.0] * 6},
    index=ALLOCATIONS,
).T


def test_pairs_are_compared_within_allocations():
    table = as_tabled(sides.compare(VALUES, [("6", "31"), ("8", "33")], MICE), "sides")
    assert tuple(table.columns) == sides.COLUMNS
    first, second = table.itertuples(index=False)
    # differences 1 2 3 4 5 6: mean 3.5; means of the mice 1.5, 3.5, 5.5, of 8 signs two as extreme
    assert (first.unit, first.mirror, first.n, first.n_mice) == ("6", "31", 6, 3)
    np.testing.assert_allclose((first.mean_left, first.mean_right), (6, 2.5))
    np.testing.assert_allclose((first.difference, first.sd), (3.5, np.sqrt(3.5)))
    # R: wilcox.test(1:6, exact = FALSE)$p.value
    np.testing.assert_allclose((first.p, first.p_holm), (0.0360317, 0.0720634), atol=1e-6)
    assert first.p_mice == 2 / 8
    assert (second.difference, second.sd, second.p, second.p_holm) == (0, 0, 1, 1)


def test_allocations_without_a_score_are_left_out():
    values = VALUES.copy()
    values.loc["31", ["a4", "a5"]] = np.nan
    (row,) = sides.compare(values, [("6", "31")], MICE).itertuples()
    assert (row.n, row.n_mice, row.difference, row.mean_left) == (4, 2, 2.5, 6)
    values = VALUES.copy()
    values.loc["6", ["a0", "a2"]] = np.nan  # differences 2 of d, 4 of e, 5 and 6 of f
    (row,) = sides.compare(values, [("6", "31")], MICE).itertuples()
    assert (row.n, row.n_mice, row.difference, row.p_mice) == (4, 3, 4.25, 2 / 8)
    (row,) = sides.compare(VALUES[["a0"]], [("6", "31")], ["d"]).itertuples()
    assert (row.n, row.difference, row.p_mice) == (1, 1, 1)
    assert np.isnan([row.sd, row.p, row.p_holm]).all()
    shared = ["d+e", "d+f", "e+f"] * 2  # of mice that share allocations there is no test
    for mice in (shared, [*MICE[:5], "d+f"]):
        assert np.isnan(sides.compare(VALUES, [("6", "31")], mice)["p_mice"]).all()


def test_rois_are_paired_by_number_or_one_by_one():
    fifty = [str(i) for i in range(1, 51)]
    pairs = sides.of_rois(fifty, ["25"])
    assert len(pairs) == 25 and pairs[5] == ("6", "31") and pairs[-1] == ("25", "50")
    assert sides.of_rois(["6", "7", "31"], ["25"]) == [("6", "31")]  # a decoder of a few ROIs
    assert sides.of_rois(fifty, ["2:1", "4:3"]) == [("2", "1"), ("4", "3")]
    for mirror, words in (
        (["30"], "--mirror 30: no ROI has its mirror image among 1, 2"),
        (["1:2", "3:9"], "--mirror 1:2 3:9: no ROI 9 among 1, 2, 3"),
        (["left"], "--mirror left: give one number, or pairs such as 6:31"),
        (["1:2:3"], "--mirror 1:2:3: give one number"),
        (["1", "2"], "--mirror 1 2: give one number"),
        (["1:2", "3:1"], "--mirror 1:2 3:1: ROI 1 is there 2 times"),
        (["1:1"], "--mirror 1:1: ROI 1 is there 2 times"),
    ):
        with pytest.raises(UserError, match=f"^{re.escape(words)}"):
            sides.of_rois(["1", "2", "3"], mirror)


def test_masks_of_the_left_half_come_first():
    masks = pd.DataFrame({"mask": list("abc"), "mirror": ["c", "", "a"], "x": [9.0, 5, 1]})
    assert sides.of_masks(masks) == [("c", "a")]


def test_a_figure_has_a_place_for_each_pair_and_a_point_for_each_allocation():
    values = VALUES.T.assign(wide=[2, 2, 2, -1, -1, -1], none=0).T  # an SD of 1.64 about .5
    pairs = [("6", "31"), ("8", "33"), ("wide", "none")]
    table = sides.compare(values, pairs, MICE)
    figure = sides_figure.draw(table.assign(p_holm=[0.004, 0.2, 0.04]), values, "Mean |SHAP|")
    axes = as_drawn(figure, "sides").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        *("6 | 31", "8 | 33", "wide | none")
    ]
    points = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
    assert [sorted(one) for one in points[:2]] == [[1, 2, 3, 4, 5, 6], [0] * 6]
    stars = [(text.get_text(), *text.xy) for text in axes.texts]  # over points, or over the line
    assert stars == [("**", 0, 6), ("*", 2, pytest.approx(0.5 + np.sqrt(2.7)))]
    wide = sides_figure.draw(pd.concat([table] * 7), values, "Mean |SHAP|")
    assert wide.get_size_inches() * 25.4 == pytest.approx([4.2 * 21 + 30, 66])
    table = table[:2]
    words = as_written(
        sides_figure.caption(table, "roi_gru", "Mean |SHAP|", "every ROI of the left side"), "sides"
    )
    assert "(n = 6)" in words and "over 2 pairs" in words and "the 3 test mice" in words
    assert "at least 0.25" in words
    five = as_read(
        sides_figure.caption(table.assign(n_mice=[5, 4]), "roi_gru", "Mean |SHAP|", "every ROI")
    )
    assert "at least 0.0625" in five  # as the sentences of other sections have it
    few = table.assign(n=[6, 4])  # of one pair two allocations have no score
    assert "(n = 4 to 6), line" in sides_figure.caption(few, "cnn", "AUC lost", "every square")


def test_shap_maps_are_compared_by_side(tmp_path, capsys):
    maps = [
        map_of([[1, 0, 5], [2, 0, 5]], "one"),
        dataclasses.replace(map_of([[4, 3, 5], [2, 0, 5]], "two"), test_mouse="e"),
    ]
    paths = [tmp_path / f"{one.allocation}.h5" for one in maps]
    for one, path in zip(maps, paths, strict=True):
        one.write(path)
    (tmp_path / "maps.txt").write_text("".join(f"{path}\n" for path in paths))
    words = ["sides", "--maps", str(tmp_path / "maps.txt"), "--name", "fig6"]
    words += ["--out", str(tmp_path / "t.tsv"), "--figure", str(tmp_path / "f")]
    assert cli.main([*words, "--mirror", "1:2"]) == 0
    (row,) = pd.read_csv(tmp_path / "t.tsv", sep="\t").itertuples()
    assert (row.unit, row.mirror, row.n, row.n_mice) == (1, 2, 2, 2)
    assert (row.mean_left, row.mean_right, row.difference, row.sd) == (4.5, 1.5, 3, 0)
    assert "fig6: left and right areas that roi_gru looks at" in (tmp_path / "f.svg").read_text()
    assert cli.main(words) == 1
    assert "--maps: needs --mirror" in capsys.readouterr().err
    dataclasses.replace(maps[1], decoder="roi_lstm").write(paths[1])
    assert cli.main([*words, "--mirror", "1:2"]) == 1
    assert "allocations one and two: of other ROIs, frames, decoders" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        (0, "shap.mirror: 0 is less than the minimum of 1"),
        ("25", "shap.mirror: '25' is not of type 'integer', 'array', 'null'"),
        ([[1, 2, 3]], "shap.mirror.0: [1, 2, 3] is too long"),
    ],
)
def test_bad_config_gets_one_line_that_names_the_key(mirror, message):
    with pytest.raises(UserError, match=f"^{re.escape(f'config: importance.{message}')}"):
        study.resolve(with_importance(mirror=mirror))


def test_jobs_are_made_where_the_config_says_what_is_mirrored(tmp_path):
    add_files(tmp_path, ROI_STUDY)
    analyses = {"none": None, "offset": 25, "pairs": [[6, 31], [8, 33]]}
    lines = {name: {"decoder": "gru", "mirror": mirror} for name, mirror in analyses.items()}
    jobs, commands = plan(tmp_path, config=ROI_STUDY | {"importance": lines})
    assert jobs["sides"] == 2
    check_commands(commands, jobs)
    offset, pairs = sorted(line for line in commands if line.startswith("mesodecode sides"))
    if "--name pairs" in offset:
        offset, pairs = pairs, offset
    assert "offset/maps.txt --mirror 25 --name offset" in offset
    assert " --mirror 6:31 8:33 --name pairs" in pairs
