"""Figures of a study as a whole: cohort, AUC along a setting, and this run beside the published."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from drawn import as_drawn
from make import ROOT
from make_tables import published_auc
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table, write_table
from mesodecode.recordings.recording import read_recording
from mesodecode.report import cohort_figure as drawn
from mesodecode.report import formats
from mesodecode.scores import auc_figure, published_tests, reproduction, reproduction_figure
from mesodecode.study import published
from mesodecode.study import study as studies
from tabled import as_tabled
from texts import as_read

REFERENCE = ROOT / "workflow/reference/ajioka2024_auc.csv"
PAIRS = {
    "cnn": {"analysis": "image", "model": "CNN"},
    "cnn_gru": {"analysis": "image", "model": "CNN-GRU"},
    "roi_gru": {"analysis": "roi_models", "model": "GRU"},
}


def words_of(svg: Path) -> list[str]:
    return [html.unescape(word) for word in re.findall(r">([^<>]+)</text>", svg.read_text())]


def same_animals() -> pd.DataFrame:
    return pd.DataFrame(published.sessions().items(), columns=["session", "mouse"])


def other_animals() -> pd.DataFrame:
    return pd.DataFrame({"session": ["a", "b"], "mouse": ["1", "2"]})


# --- reproduction ------------------------------------------------------------------------------


def test_published_aucs_reproduce_themselves():
    table = as_tabled(
        reproduction.reproduce(published_auc(), same_animals(), PAIRS), "reproduction"
    )
    assert table["decoder"].tolist() == list(PAIRS)
    assert table["published"].tolist() == [
        "CNN (image)",
        "CNN-GRU ±5 (image)",
        "GRU ±15 (roi models)",
    ]
    for name in ("difference", "ci_low", "ci_high"):
        assert (table[name] == 0).all()
    assert set(table["interval"]) == {"paired, 20 allocations of 5 mice"}
    for prefix in ("", "published_"):  # as the paper gives them
        shown = [
            f"{a:.3f} ± {b:.3f}" for a, b in table[[f"{prefix}mean", f"{prefix}sd"]].to_numpy()
        ]
        assert shown == ["0.896 ± 0.071", "0.955 ± 0.034", "0.974 ± 0.014"]


def test_same_animals_are_paired_by_allocation():
    # by .01, .04 … .25 in test mouse 1 … 5; the mean differs by .11
    auc = published_auc().query("decoder == 'cnn'")
    auc = auc.assign(auc=auc["auc"] + auc["test_mouse"].astype(int) ** 2 / 100)
    (row,) = reproduction.reproduce(auc, same_animals(), {"cnn": PAIRS["cnn"]}).to_dict("records")
    assert row["difference"] == pytest.approx(0.11)
    half = 2.7764451 * np.std([1, 4, 9, 16, 25], ddof=1) / 100 / np.sqrt(5)  # t of 4 degrees
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((0.11 - half, 0.11 + half))
    # of fewer allocations, the same ones are compared
    some = auc[auc["valid_mouse"] == "1"]
    (row,) = reproduction.reproduce(some, same_animals(), {"cnn": PAIRS["cnn"]}).to_dict("records")
    assert row["interval"] == "paired, 4 allocations of 4 mice" and row["n"] == 4
    assert row["difference"] == pytest.approx((0.04 + 0.09 + 0.16 + 0.25) / 4)


def test_an_allocation_without_an_auc_counts_nowhere():
    auc = published_auc().query("decoder == 'cnn'")
    made = auc["test_mouse"] != "3"
    for animals in (same_animals(), other_animals()):
        one, other = (
            reproduction.reproduce(table, animals, {"cnn": PAIRS["cnn"]})
            for table in (auc.assign(auc=auc["auc"].where(made)), auc[made])
        )
        assert one["n"][0] == 16 and one.equals(other)


def test_mice_that_are_tested_together_have_no_interval():
    auc = pd.DataFrame({"decoder": "cnn", "test_mouse": ["1+2", "2+3"], "auc": [0.7, 0.8]})
    auc = auc.assign(valid_mouse="4", train_mice="5")
    (row,) = reproduction.reproduce(auc, other_animals(), {"cnn": PAIRS["cnn"]}).to_dict("records")
    assert row["interval"] == "none, mice are tested together"
    assert row["difference"] == pytest.approx(0.75 - 0.896, abs=5e-4)
    assert np.isnan([row["ci_low"], row["ci_high"]]).all()
    caption = reproduction_figure.reproduction_caption(pd.DataFrame([row]))
    assert "(none where mice are tested together)" in as_read(caption)


def test_a_decoder_without_aucs_is_named():
    cohort = pd.DataFrame({"session": ["s"], "mouse": ["m"]})
    auc = pd.DataFrame({"decoder": ["cnn", "gru"], "auc": [0.5, 0.6]})
    with pytest.raises(UserError, match="no decoder lin among the AUCs; there: cnn, gru"):
        reproduction.reproduce(auc, cohort, {"lin": PAIRS["cnn"]})


def test_other_animals_and_other_allocations_are_not_paired():
    auc = published_auc().query("decoder == 'cnn'")
    theirs = auc.groupby("test_mouse")["auc"].mean()
    mine = auc.assign(auc=auc["auc"] ** 2)
    means = mine.groupby("test_mouse")["auc"].mean()
    interval = stats.ttest_ind(means, theirs, equal_var=False).confidence_interval()
    two = mine.assign(train_mice=mine["train_mice"].str[:3])  # trained on two mice
    mixed = pd.concat([same_animals()[1:], other_animals()])  # some are the published ones
    for table, animals in ((mine, other_animals()), (two, same_animals()), (mine, mixed)):
        (row,) = reproduction.reproduce(table, animals, {"cnn": PAIRS["cnn"]}).to_dict("records")
        assert row["interval"] == "Welch, 5 and 5 mice"
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(interval))
        assert row["difference"] == pytest.approx(means.mean() - theirs.mean())


def test_decoders_published_in_words_only():
    pairs = {"cnn": {"analysis": "image", "model": "CNN-LSTM"}}
    (row,) = reproduction.reproduce(published_auc(), same_animals(), pairs).to_dict("records")
    assert (row["published_n"], row["published_mean"], row["published_sd"]) == (20, 0.952, 0.041)
    auc = published_auc().query("decoder == 'cnn'")["auc"]
    other = np.array([-1, 1] * 10) * 0.041 * np.sqrt(19 / 20) + 0.952  # of this mean and SD
    interval = stats.ttest_ind(auc, other, equal_var=False).confidence_interval()
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(interval))
    assert row["interval"] == "Welch, 20 and 20 allocations"


def test_welch_of_samples_of_two_sizes_and_spreads_is_that_of_scipy():
    a, b = np.array([0.9, 0.7, 0.95, 0.6]), 0.8 + 0.01 * np.sin(np.arange(15.0))
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    moments = [(len(x), x.mean(), x.std(ddof=1)) for x in (a, b)]
    found = reproduction.welch(*moments, level=0.9)
    assert found == pytest.approx((a.mean() - b.mean(), *expected))
    back = reproduction.welch(*moments[::-1], level=0.9)
    assert back == pytest.approx((-found[0], -found[2], -found[1]))


def test_welch_of_one_value_has_no_interval():
    found = reproduction.welch((1, 0.9, np.nan), (20, 0.8, 0.1))
    assert found[0] == pytest.approx(0.1) and np.isnan(found[1:]).all()
    assert reproduction.welch((2, 0.5, 0.0), (3, 0.5, 0.0)) == (0, 0, 0)
    low, high = reproduction.welch((2, 0.5, 0.1), (20, 0.5, 0.1))[1:]  # two values have one
    assert low < -0.3 and high == pytest.approx(-low)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"model": "GRU"}, "several decoders (roi_models GRU 15; "),
        (  # one of each table
            {"half_window_frames": "10"},
            "several decoders (image_window CNN-GRU 10; roi_window GRU 10); name one by analysis, ",
        ),
        ({"model": "CNN-GRU", "analysis": "image_window"}, "several decoders (image_window CNN-GR"),
        ({"analysis": "roi_regions_limb"}, "several decoders (roi_regions_limb FLa&HLa 15; "),
        ({"analysis": "image", "model": "GRU"}, "{analysis: image, model: GRU}: nothing published"),
    ],
)
def test_published_decoders_are_named_by_what_is_one(where, words):
    config = json.loads(json.dumps({"study": "x", "reproduction": {"linear": where}}))
    config |= {"recordings": {"movie": "{session}", "behavior": "{session}"}}
    config |= {"mice": {m: [m] for m in "abcde"}}
    config |= {"decoders": {"linear": {"model": "logistic_regression"}}}
    with pytest.raises(UserError) as caught:
        studies.resolve(config)
    assert str(caught.value).startswith("config: reproduction.linear: {")
    assert words in str(caught.value) and "\n" not in str(caught.value)
    config["reproduction"] = {"other": {"analysis": "image"}}
    with pytest.raises(UserError, match=r"reproduction\.other: no such decoder; known: linear"):
        studies.resolve(config)
    paper = {"paper": {"source": "aucs.tsv", "by": "model", "decoders": ["GRU", "RNN"]}}
    tables_only = {"study": "x", "comparisons": paper, "reproduction": config["reproduction"]}
    with pytest.raises(UserError, match=r"reproduction\.other: no such decoder; known: none"):
        studies.resolve(tables_only)
    config["reproduction"] = {"linear": {"half_window_frames": 5}}
    with pytest.raises(UserError, match="5 is not of type 'string'; write it in quotes"):
        studies.resolve(config)


def test_config_yaml_names_what_the_paper_has():
    pairs = studies.load(ROOT / "config.yaml").config["reproduction"]
    found = [published.rows(where) for where in pairs.values()]
    assert all("auc" not in rows[0] or len(rows) == 20 for rows in found)
    keys = {tuple(rows[0][k] for k in published.KEYS) for rows in found}
    table = pd.read_csv(REFERENCE, dtype=str)
    # once each, but for those that the paper repeats under another name
    assert {*map(tuple, table[list(published.KEYS)].to_numpy())} - keys == {
        ("roi_window", "GRU", "15"),
        ("roi_regions_limb", "all", "15"),
    }


def test_reproduction_verb_draws_and_says_how(tmp_path):
    auc, animals = tmp_path / "auc.tsv", tmp_path / "cohort.tsv"
    write_table(published_auc(), auc)
    write_table(same_animals(), animals)
    words = ["reproduction", "--auc", auc, "--cohort", animals, "--out", tmp_path / "r.tsv"]
    for name, where in (PAIRS | {"cnn": {"analysis": "image", "model": "CNN-LSTM"}}).items():
        words += ["--decoder", name, *(f"{key}={value}" for key, value in where.items())]
    words += ["--figure", tmp_path / "r"]
    assert cli.main([str(word) for word in words]) == 0
    table = read_table(tmp_path / "r.tsv", reproduction.COLUMNS, numbers=reproduction.NUMBERS)
    assert table["n"].tolist() == table["published_n"].tolist() == [20, 20, 20]
    shown = words_of(tmp_path / "r.svg")
    for text in ("cnn_gru (n = 20)", "CNN-GRU ±5 (image) (n = 20)", "this run, mean ± SD"):
        assert text in shown
    assert any("95 % CI" in text for text in shown)
    picture = formats.picture(tmp_path / "r.svg", "p")
    for text in (
        "allocations compared, Student's t over the test mice",
        "Welch's t, over mice, or",
    ):
        assert text in picture["caption"], text
    assert "1 of 3 intervals leave 0 out" in picture["caption"]  # CNN-LSTM is no CNN


# --- AUC along a setting -----------------------------------------------------------------------


def draw(tmp_path, *words) -> tuple[list[str], dict]:
    family = ["--by", "half_window_frames", "--where", "analysis=roi_window"]
    source = ["--auc", str(REFERENCE), *family, "--name", "roi_window"]
    assert cli.main(["compare", *source, "--out", str(tmp_path / "c.tsv")]) == 0
    more = ["--comparisons", str(tmp_path / "c.tsv"), "--out", str(tmp_path / "f"), *words]
    assert cli.main(["figures", *source, *more]) == 0
    return words_of(tmp_path / "f.svg"), formats.picture(tmp_path / "f.svg", "p")


def test_published_windows_are_a_line(tmp_path):
    values = ["5", "10", "15", "20", "25", "30"]
    along = ("--only", *values, "--setting", "half_window_frames", "--values", *values)
    words, picture = draw(tmp_path, *along, "--frame-rate", "30")
    assert "Half-window (frames on each side); n = 20 allocations each" in words
    assert {"seconds", "0.2", "0.4", "1.0", *"12345"} <= {*words}  # 30 frames are a second
    tests = read_table(tmp_path / "c.tsv")
    found = (tests["p_holm"] < 0.05).sum()
    note = f"Wilcoxon rank-sum test, Holm-corrected: {found} of 15 pairs p < .05."
    assert note in words and 0 < found < 15
    assert picture["title"] == "AUC by half window frames: roi_window"
    assert "a line each" in picture["caption"] and "chance" not in picture["caption"]
    assert f"AUCs read from {REFERENCE}." in picture["caption"]


def test_published_tables_are_drawn_as_points_too(tmp_path):
    words, picture = draw(tmp_path, "--only", "5", "20")
    tests = read_table(tmp_path / "c.tsv").set_index(["a", "b"])
    assert {"n = 20 allocations each", "5", "20", auc_figure.stars(tests["p_holm"]["5", "20"])} <= {
        *words
    }
    assert any("Wilcoxon rank-sum test, Holm-corrected." in word for word in words)
    assert "n = 20 a decoder, of 5 test mice), one point each" in picture["caption"]


def test_line_holds_every_allocation_and_its_mean():
    table = published_tests.select(read_table(REFERENCE), {"analysis": "roi_window"})
    table = table.assign(decoder="w" + table["half_window_frames"])
    windows = [5, 10, 15, 20, 25, 30]
    auc = auc_figure.select(table, [f"w{w}" for w in windows])
    (axes,) = auc_figure.auc_by_setting(auc, windows, "half_window").axes
    lines = [line for line in axes.lines if len(line.get_xdata()) == 6]
    thin = [line.get_ydata() for line in lines if line.get_lw() < 1]
    assert len(thin) == 20 and all(list(line.get_xdata()) == windows for line in lines)
    (mean,) = [line.get_ydata() for line in lines if line.get_lw() > 1 and line.get_ls() == "-"]
    mean = mean.astype(float)
    np.testing.assert_allclose(mean, np.mean(thin, axis=0))
    by_window = [auc.loc[auc["decoder"] == f"w{w}", "auc"].mean() for w in windows]
    np.testing.assert_allclose(mean, by_window)


@pytest.mark.parametrize(
    ("decoders", "found"),
    [
        (["w15", "w5", "w30"], ("half_window", [15, 5, 30])),
        (["w15", "early", "late"], ("shift", [0, -9, 9])),
        (["w15", "w5"], None),  # two are no line
        (["w15", "w5", "late"], None),  # two settings
        (["w15", "seed1", "seed2"], None),  # a number, but of no order
        (["w15", "w5", "lstm"], None),
    ],
)
def test_decoders_that_differ_by_one_ordered_setting(decoders, found):
    table = {"w15": {"input": "rois", "rnn": "gru"}, "lstm": {"like": "w15", "rnn": "lstm"}}
    table |= {f"w{w}": {"like": "w15", "half_window": w} for w in (5, 30)}
    table |= {n: {"like": "w15", "shift": s} for n, s in {"early": -9, "late": 9}.items()}
    table |= {f"seed{s}": {"like": "w15", "seed": s} for s in (1, 2)}
    config = {"study": "x", "recordings": {k: "{session}" for k in ("movie", "behavior", "rois")}}
    config |= {"mice": {m: [m] for m in "abcde"}, "decoders": table}
    config["comparisons"] = {"c": {"decoders": decoders}}
    assert studies.resolve(config).ordered_by("c") == found


def test_a_source_is_ordered_where_it_holds_numbers():
    study = studies.load(ROOT / "examples/published.yaml")
    windows = [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    assert study.ordered_by("roi_window") == ("half_window_frames", windows)
    assert study.ordered_by("roi_models") is None and study.ordered_by("roi_null") is None


@pytest.mark.parametrize("more", [["--setting", "x"], ["--setting", "x", "--values", "1"]])
def test_a_setting_needs_a_value_for_each_decoder(tmp_path, capsys, more):
    words = ["--auc", str(REFERENCE), "--by", "model", "--only", "GRU", "RNN", *more]
    assert cli.main(["figures", *words, "--out", str(tmp_path / "f")]) == 1
    assert "--setting: give --only, and in --values a number for each" in capsys.readouterr().err


# --- the cohort --------------------------------------------------------------------------------


def write_recording(path: Path, mouse: str, run_frames: int, speed: bool = True) -> None:
    """300 frames at 2 frames/s: all pixels 100, in the run frames at the end 150; two segments."""
    label = (np.arange(300) >= 300 - run_frames).astype(np.uint8)
    with h5py.File(path, "w") as file:
        frames = np.where(label[:, None, None] == 1, 150, 100) * np.ones((1, 3, 4))
        file["frames"], file["labels"] = frames.astype(np.uint16), label
        file["pixel_mean"], file["stack_sd"] = frames.mean(axis=0), 1.0
        file["segment"] = (np.arange(300) >= 240).astype(np.int64)
        if speed:
            file["speed"] = 7.0 * label
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=2.0)


def test_example_is_global_activity_around_a_transition(tmp_path):
    write_recording(tmp_path / "s.h5", "m", run_frames=100)
    found = drawn.activity(read_recording(tmp_path / "s.h5"))
    # 60 s are 120 frames: the first stretch with the only transition, at frame 200
    assert found.seconds[0] == 81 / 2 and np.nanmax(found.seconds) == 200 / 2
    assert found.label.tolist() == [0] * 119 + [1]
    mean = (200 * 100 + 100 * 150) / 300
    np.testing.assert_allclose(found.dff[[0, -1]], [100 / mean - 1, 150 / mean - 1])
    assert found.speed[-1] == 7
    write_recording(tmp_path / "t.h5", "m", run_frames=59, speed=False)  # at 241, by the border
    found = drawn.activity(read_recording(tmp_path / "t.h5"))
    assert found.speed is None and np.flatnonzero(np.isnan(found.dff)).tolist() == [118]


def test_cohort_verb_draws_every_session_and_says_n(tmp_path):
    rows = [("m1", "a", 30, 300), ("m1", "b", 290, 310), ("m2", "c", 160, 300), ("m10", "d", 9, 30)]
    (tmp_path / "recordings").mkdir()
    write_recording(tmp_path / "recordings/c.h5", "m2", 160)
    table = pd.DataFrame(rows, columns=["mouse", "session", "n_run", "n_frames"])
    write_table(table, tmp_path / "cohort.tsv")
    words = ["cohort-figure", "--cohort", tmp_path / "cohort.tsv"]
    words += ["--recordings", tmp_path / "recordings", "--out", tmp_path / "f"]
    assert cli.main([str(word) for word in words]) == 0
    shown = words_of(tmp_path / "f.svg")
    for text in ("m10", "(2)", "Speed (cm/s)", "Global ΔF/F (%)"):
        assert text in shown, text
    assert "Time in session c of mouse m2 (s); run shaded" in shown  # nearest to a half
    assert "n = 4 sessions of 3 mice" in formats.picture(tmp_path / "f.svg", "p")["caption"]
    figure = drawn.cohort_figure(table, drawn.activity(read_recording(words[4] / "c.h5")))
    share = as_drawn(figure, "cohort").axes[0]
    points = [line.get_ydata() for line in share.lines if line.get_marker() != "None"]
    shares = [value for mouse in points for value in sorted(mouse)]  # of m1, m2 and m10
    np.testing.assert_allclose(shares, [0.1, 290 / 310, 160 / 300, 0.3])
    assert [len(mouse) for mouse in points] == [2, 1, 1]
    bars = [line.get_ydata()[0] for line in share.lines if line.get_marker() == "None"]
    np.testing.assert_allclose(bars, [320 / 610, 160 / 300, 0.3])  # of all frames of the mouse
    # names that would stand in each other's way are slanted, and the speed need not be known
    table = table.assign(mouse=table["mouse"].str.replace("m", "mouse"))
    example = replace(drawn.activity(read_recording(words[4] / "c.h5")), speed=None)
    speed = as_drawn(drawn.cohort_figure(table, example), "cohort_without_speed").axes[1]
    assert [text.get_text() for text in speed.texts] == ["speed not recorded"]


def test_long_names_of_mice_leave_room_for_the_axis():
    cohort = pd.DataFrame({"mouse": [f"{'Cux2-CreERT2' * 3}-{n}" for n in "123"], "n_run": 3})
    seconds = np.arange(9.0)
    example = drawn.Activity("s", "m", seconds, seconds % 2, seconds, seconds)
    figure = drawn.cohort_figure(cohort.assign(n_frames=9), example)
    figure.canvas.draw()
    labels = [axes.yaxis.label.get_window_extent() for axes in figure.axes]
    assert all(0 < label.y0 < label.y1 < figure.bbox.y1 for label in labels)
    assert labels[1].y0 > labels[2].y1  # one above the other


def test_a_cohort_without_run_is_not_said_to_rest():
    """Of another target files need not know of run and rest; every frame is then 0."""
    cohort = pd.DataFrame({"mouse": ["a", "b"], "n_run": [0, 0], "n_frames": [9, 9]})
    trace = SimpleNamespace(session="s")
    assert "No frame is of run: no mouse ran, or" in as_read(drawn.cohort_caption(cohort, trace))
    ran = cohort.assign(n_run=[0, 1])
    assert "No frame is of run" not in as_read(drawn.cohort_caption(ran, trace))
