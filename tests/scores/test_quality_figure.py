"""The verb `quality`: its tables, its page, and where its thresholds come from."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from drawn import as_drawn
from mesodecode import cli
from mesodecode.base import plots
from mesodecode.base.roc_auc import roc_auc
from mesodecode.base.tables import read_table
from mesodecode.decoders import validation
from mesodecode.decoders.predictions import Predictions, SessionPredictions
from mesodecode.report import formats
from mesodecode.scores import quality, quality_figure
from texts import as_read, as_written

MICE = "12345"
N, RATE = 90, 10.0  # frames a session, frames/s
PAIRS = list(itertools.permutations(MICE, 2))  # test and validation mouse


def name_of(test, valid) -> str:
    return f"train-{'+'.join(m for m in MICE if m not in (test, valid))}.valid-{valid}.test-{test}"


def labels(session: str) -> np.ndarray:
    """Two bouts of 30 frames; the mouse of 1_b runs all the time."""
    return np.ones(N, int) if session == "1_b" else (np.arange(N) // 15 % 3 == 1).astype(int)


def predicted(mouse: str, seed: int) -> dict[str, SessionPredictions]:
    rng, found = np.random.default_rng(seed), {}
    for session in (f"{mouse}_a", f"{mouse}_b"):
        label = labels(session)[1:-1]
        probability = np.clip(0.25 + 0.5 * label + rng.normal(0, 0.25, N - 2), 0, 1)
        found[session] = SessionPredictions(mouse, np.arange(1, N - 1), label, probability)
    return found


def cut_at(threshold: float, mouse: str) -> dict[str, SessionPredictions]:
    """Predictions of a validation mouse that `threshold` divides without error."""
    label = labels(f"{mouse}_a")
    probability = np.where(label, threshold, threshold - 0.25)
    return {f"{mouse}_a": SessionPredictions(mouse, np.arange(N), label, probability)}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """20 allocations of 5 mice by a decoder; mouse m validates at 0.3 + m / 10."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "recordings").mkdir()
    for mouse, part in itertools.product(MICE, "ab"):
        with h5py.File(folder / f"recordings/{mouse}_{part}.h5", "w") as file:
            file["frames"], file["labels"] = np.zeros((N, 2, 2), "u1"), labels(f"{mouse}_{part}")
            file["pixel_mean"], file["stack_sd"] = np.zeros((2, 2)), 1.0
            file["speed"] = 5.0 * labels(f"{mouse}_{part}")
            file.attrs.update(session=f"{mouse}_{part}", mouse=mouse, frame_rate=RATE)
    lines = ["allocation\tvalid_mouse"]
    for seed, (test, valid) in enumerate(PAIRS):
        name = name_of(test, valid)
        lines.append(f"{name}\t{valid}")
        train = "+".join(m for m in MICE if m not in (test, valid))
        item = Predictions("cnn", name, train, valid, test, predicted(test, seed))
        item.write(folder / f"predictions/cnn/{name}.h5")
        path = folder / f"validation/cnn/{name}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        sessions = cut_at(0.3 + int(valid) / 10, valid)
        validation.write(path, sessions, decoder="cnn", allocation=name, valid_mouse=valid)
    (folder / "allocations.tsv").write_text("\n".join(lines) + "\n")
    assert run(folder, "cnn", "--validation", folder / "validation") == 0
    return folder


def run(folder: Path, out: str, *more, allocations: Path | None = None) -> int:
    words = ["quality", "--decoder", "cnn", "--predictions", folder / "predictions"]
    words += ["--allocations", allocations or folder / "allocations.tsv"]
    words += ["--recordings", folder / "recordings", "--out", folder / f"{out}.tsv"]
    words += ["--curves", folder / f"{out}_curves.tsv", "--figure", folder / f"quality_{out}"]
    return cli.main([str(word) for word in (*words, *more)])


def read(folder: Path, out: str = "cnn"):
    return read_table(folder / f"{out}.tsv", quality.COLUMNS, quality.NUMBERS)


def words_of(svg: Path) -> list[str]:
    return re.findall(r">([^<>]+)</text>", svg.read_text())


def test_thresholds_are_those_of_the_validation_mouse(study):
    table = read(study)
    assert len(table) == 20
    np.testing.assert_allclose(table["threshold"], 0.3 + table["valid_mouse"].astype(int) / 10)
    row = table[(table["test_mouse"] == "2") & (table["valid_mouse"] == "5")].iloc[0]
    sessions = predicted("2", PAIRS.index(("2", "5")))
    label, probability = quality.pooled(sessions.values())
    called = probability >= 0.8
    shares = [called[label == 1].mean(), (~called)[label == 0].mean()]
    assert row["accuracy_at_threshold"] == pytest.approx((called == label).mean(), abs=1e-5)
    assert row["balanced_accuracy_at_threshold"] == pytest.approx(np.mean(shares), abs=1e-5)


def test_sessions_of_one_state_are_counted_and_said(study):
    table = read(study)
    assert (table.loc[table["test_mouse"] == "1", "n_one_state"] == 1).all()
    assert (table.loc[table["test_mouse"] != "1", "n_one_state"] == 0).all()
    assert (table["n_sessions"] == 2).all()
    caption = formats.picture(study / "quality_cnn.svg", "p")["caption"]
    assert "×: 1 of them hold one state only, so they have no AUC." in caption
    assert "AUC of the 10 test sessions" in caption


def test_a_session_without_an_auc_in_some_allocations_is_not_said_to_hold_one_state(study):
    aucs = {"1_a": [0.8, 0.9], "1_b": [np.nan, np.nan], "2_a": [np.nan, 0.7]}
    rows = [("1", session, auc) for session, both in aucs.items() for auc in both]
    sessions = pd.DataFrame(rows, columns=["test_mouse", "session", "auc"])
    trace = quality_figure.Trace("1_a", "x", 0.8, np.nan, *[np.zeros(3)] * 3, None)
    assert "×: 1 of them hold one state" in as_read(
        quality_figure.caption(read(study), sessions, trace)
    )
    known = sessions.replace({"session": {"1_b": "1_a"}})
    assert "×" not in as_read(quality_figure.caption(read(study), known, trace))


def test_the_caption_says_of_how_many_a_threshold_is_known_and_nothing_of_frames_that_are_not(
    study,
):
    table = read(study)
    sessions = pd.DataFrame({"test_mouse": ["1"], "session": ["1_a"], "auc": [0.8]})

    def said(shown=np.nan, **values):
        trace = quality_figure.Trace("1_a", "x", 0.8, shown, *[np.zeros(3)] * 3, None)
        return as_read(quality_figure.caption(table.assign(**values), sessions, trace))

    assert "in the validation mouse. Balanced" in said()
    some = said(0.4, threshold=[0.4] + [np.nan] * 19, error_far=[np.nan] * 19 + [0.125])
    assert "in the validation mouse (known for 1 of 20 allocations). Balanced" in some
    assert "are wrong, beyond 0.125 (means" in some and some.endswith("0.5, dotted: threshold.")
    none = said(threshold=np.nan, error_far=np.nan)
    assert "sample SD. Balanced" in none and "are wrong (means" in none and none.endswith(": 0.5.")
    table = table[:1]
    assert said().startswith("Test frames of 1 allocation of 1 test mouse (colours); ")


def test_page_says_what_and_how_many(study):
    words = words_of(study / "quality_cnn.svg")
    for text in (
        *("n = 20 allocations, test mouse", "95 % CI, 5 mice", "95 % CI, 20 allocations"),
        *("Validation mouse", "Time from run onset (s)", "Time from run offset (s)"),
        *("Speed", "(cm/s)", *"ABCDEFGHI", *MICE, "Recall", "Precision", "True-positive rate"),
        *("Probability of run", "Share of run (bars: of frames)", "Test mouse", "Share correct"),
        *("AUC of a session", "Share of errors at 0.5", "at threshold", "Probability", "of run"),
    ):
        assert text in words, text
    table = read(study)
    shown = [f"{auc:.3f}".removeprefix("0") for auc in table["auc"]]
    assert not set(shown) - set(words)  # the heat map
    assert "–" not in words and "nan" not in words  # its diagonal is empty
    assert f"mean, AUC {table['auc'].mean():.3f}" in words
    picture = formats.picture(study / "quality_cnn.svg", "p")
    assert picture["title"] == "Quality of cnn"
    for text in ("20 allocations of 5 test mice", "Student's t", "Youden's J", "10 bins of equal"):
        assert text in picture["caption"], text
    assert f"calibration error {table['ece'].mean():.3f}" in picture["caption"]
    with Image.open(study / "quality_cnn.png") as image:
        assert image.width / 300 * 25.4 == pytest.approx(174, abs=0.2)


def test_every_panel_of_a_page_shows_its_part(study):
    curves = read_table(study / "cnn_curves.tsv", quality.CURVE_COLUMNS, quality.CURVE_NUMBERS)
    rows = [
        (name_of(*pair), pair[0], name, roc_auc(one.label, one.probability))
        for seed, pair in enumerate(PAIRS)
        for name, one in predicted(pair[0], seed).items()
    ]
    sessions = pd.DataFrame(rows, columns=["allocation", "test_mouse", "session", "auc"])
    label, speed = np.array([0, 1, 1, 0.0]), np.array([0, 4, 5, 0.0])
    probability = np.array([0.1, 0.9, 0.8, 0.2])
    about = "1_a", "x", 0.8, 0.375, np.arange(4) / RATE, probability, label, speed
    trace = quality_figure.Trace(*about)
    figure = as_drawn(quality_figure.page(read(study), curves, sessions, trace), "quality")
    as_written(quality_figure.caption(read(study), sessions, trace), "quality")
    panels = {axes.get_title(loc="left") or axes.get_ylabel(): axes for axes in figure.axes}
    assert [*panels] == [*"ABCDEFGHI", "Speed\n(cm/s)"]
    for letter in "ABC":  # a thin line of each allocation, the thick one of all
        assert len(panels[letter].lines) > len(PAIRS), letter
    assert all(len(panels[letter].lines) > len(MICE) for letter in "GH")  # of each mouse
    assert len(panels["D"].texts) == len(PAIRS)
    assert len(panels["E"].lines) >= 10 and len(panels["F"].lines) >= 3 * len(MICE)
    shown, half, threshold = panels["I"].lines
    np.testing.assert_array_equal(shown.get_xydata(), np.c_[np.arange(4) / RATE, probability])
    assert (half.get_ydata()[0], threshold.get_ydata()[0]) == (0.5, 0.375)
    (run,) = panels["I"].patches
    assert (run.get_x(), run.get_x() + run.get_width()) == pytest.approx((0.05, 0.25))
    (below,) = panels["Speed\n(cm/s)"].lines
    np.testing.assert_array_equal(below.get_ydata(), speed)
    assert panels["I"].get_xlim() == (0, 0.3) and panels["G"].get_ylim() == panels["H"].get_ylim()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][1:] == [*MICE]


def test_without_a_speed_its_panel_says_so_and_a_cut_is_drawn_where_it_is_known():
    upper, lower = Figure().subplots(2)
    label = np.array([1, 1, 0, np.nan, 1, 1])  # running at either end, and a gap
    trace = "1_a", "x", 0.8, np.nan, np.arange(6) / RATE, np.linspace(0, 1, 6), label, None
    quality_figure.trace_over_speed(upper, lower, quality_figure.Trace(*trace))
    as_drawn(upper.figure, "trace_without_speed")
    assert len(upper.lines) == 2 and [text.get_text() for text in lower.texts] == [
        "speed not recorded"
    ]
    runs = [(run.get_x(), run.get_x() + run.get_width()) for run in upper.patches]
    np.testing.assert_allclose(runs, [(-0.05, 0.15), (0.35, 0.55)])


def test_sessions_of_which_none_has_an_auc_have_an_axis_from_below_chance():
    sessions = pd.DataFrame({"test_mouse": ["a"], "session": ["s"], "auc": [np.nan]})
    axes = Figure().add_subplot()
    quality_figure.by_session(axes, sessions, ["a"])
    assert (
        axes.get_ylim()[0] == pytest.approx(0.45, abs=0.03) and np.isfinite(axes.get_ylim()).all()
    )


def test_a_bin_of_fewer_than_ten_frames_is_not_drawn_and_no_bin_is_said():
    rows = [
        (mouse, "a", "onset", x, y, n)
        for mouse, n in (("a", 9), ("b", 10))
        for x, y in ((-0.5, 0.2), (0.5, 0.4), (1.5, 0.1))
    ]
    names = ["test_mouse", "allocation", "curve", "x", "y", "n"]
    curves = pd.DataFrame(rows, columns=names)
    few = curves[curves["test_mouse"] == "a"].assign(curve="offset")
    figure = Figure()
    for axes, curve in zip(figure.subplots(2), ("onset", "offset"), strict=True):
        quality_figure.errors(axes, pd.concat([curves, few]), curve, ["a", "b"])
    as_drawn(figure, "errors_of_few_frames")
    mine, other, mean = (line.get_ydata() for line in figure.axes[0].lines[:3])
    assert np.isnan(mine).all() and list(other) == [0.2, 0.4, 0.1]
    np.testing.assert_allclose(mean, [0.2, 0.4, 0.1])


def test_example_is_a_session_of_median_auc(study):
    caption = formats.picture(study / "quality_cnn.svg", "p")["caption"]
    session, test, auc = re.search(
        r"session (\w+) of allocation \S+test-(\d), whose AUC \(([\d.]+)\)", caption
    ).groups()
    assert session.startswith(test)
    sessions = [
        one
        for seed, (mouse, _) in enumerate(PAIRS)
        for one in predicted(mouse, seed).values()
        if one.label.min() == 0
    ]
    aucs = [roc_auc(one.label, one.probability) for one in sessions]
    assert float(auc) == pytest.approx(np.quantile(aucs, 0.5, method="lower"), abs=6e-4)


def test_curves_hold_what_is_drawn(study):
    curves = read_table(study / "cnn_curves.tsv", quality.CURVE_COLUMNS, quality.CURVE_NUMBERS)
    assert set(curves["curve"]) == {"roc", "precision_recall", "calibration", "onset", "offset"}
    roc = curves[curves["curve"] == "roc"].pivot(index="x", columns="allocation", values="y")
    assert roc.shape == (101, 20) and (roc.diff().iloc[1:] >= -1e-9).all().all()
    n = curves[curves["curve"] == "calibration"].groupby("allocation")["n"].sum()
    assert (n == 2 * (N - 2)).all()


@pytest.mark.e2e
def test_without_predictions_of_validation_mice_there_is_no_threshold(study):
    few = study / "few.tsv"
    few.write_text("".join((study / "allocations.tsv").open().readlines()[:2]))
    # one allocation: no band
    assert run(study, "plain", allocations=few) == 0
    assert read(study, "plain")["threshold"].isna().all()
    caption = formats.picture(study / "quality_plain.svg", "p")["caption"]
    assert "Youden" not in caption and "1 allocations of 1 test mice" not in caption
    assert not [word for word in words_of(study / "quality_plain.svg") if "95 %" in word]


def test_predictions_of_the_test_mouse_choose_no_threshold(study, tmp_path, capsys):
    (tmp_path / "cnn").mkdir()
    for test, valid in PAIRS:
        name = name_of(test, valid)
        about = {"decoder": "cnn", "allocation": name, "valid_mouse": test}
        validation.write(tmp_path / f"cnn/{name}.h5", cut_at(0.5, test), **about)
    assert run(study, "bad", "--validation", tmp_path) == 1
    assert "needs the validation mouse" in capsys.readouterr().err
    assert not (study / "bad.tsv").exists()


def test_auc_by_mice_has_numbers_or_a_colour_bar_and_the_same_bytes_twice(tmp_path):
    for count, named in ((3, True), (9, False)):
        mice = [f"m{index}" for index in range(count)]
        pairs = [(a, b) for a in mice for b in mice if a != b]
        table = pd.DataFrame(pairs, columns=["test_mouse", "valid_mouse"])
        table["auc"] = np.linspace(0.5, 0.9, len(table))
        for name in ("a", "b"):
            figure = Figure(layout="constrained")
            quality_figure.auc_by_mice(figure.add_subplot(), table)
            as_drawn(figure, f"auc_of_{count}_mice")
            plots.save(figure, tmp_path / name, title="t", caption="c")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
        words = words_of(tmp_path / "a.svg")
        assert (".500" in words and ".900" in words) is named
        assert len(figure.axes) == (1 if named else 2)
        drawn = [text.get_text() for text in figure.axes[0].get_yticklabels()]
        assert drawn == mice and figure.axes[0].yaxis_inverted()  # the first mouse on top


def test_bands_of_a_roc_are_over_mice_and_over_allocations_where_these_are_more():
    """Two mice at .2 and .6 of a rate: mean .4, SD .2 √2, Student's t of one degree 12.706."""
    for per_mouse in (1, 2):
        rows = [
            (f"{mouse}{i}", mouse, "roc", x, y * x)
            for mouse, y in (("a", 0.2), ("b", 0.6))
            for i in range(per_mouse)
            for x in (0.0, 0.02, 1.0)
        ]
        names = ["allocation", "test_mouse", "curve", "x", "y"]
        table = pd.DataFrame({"auc": [0.5] * 2 * per_mouse})
        axes = Figure().add_subplot()
        quality_figure.roc(axes, pd.DataFrame(rows, columns=names), table, ["a", "b"])
        said = [text.get_text() for text in axes.get_legend().get_texts()]
        more = [f"95 % CI, {2 * per_mouse} allocations"] * (per_mouse > 1)
        assert said == ["95 % CI, 2 mice", *more, "mean, AUC 0.500"]
        drawn = axes.collections[0].get_paths()[0].vertices
        drawn = drawn[np.isclose(drawn[:, 0], 0.02), 1]
        assert drawn.max() == pytest.approx(0.008 + 12.7062 * 0.02 * 0.2, rel=1e-4)
        assert drawn.min() == 0


def test_sets_of_test_mice_that_share_mice_have_no_band():
    rows = [(f"{i}", one, "roc", x, x) for i, one in enumerate(("a+b", "b+c")) for x in (0.0, 1.0)]
    curves = pd.DataFrame(rows, columns=["allocation", "test_mouse", "curve", "x", "y"])
    for sets, first in ((["a+b", "b+c"], "95 % CI, 2 alloc"), (["a+b", "c"], "95 % CI, 2 sets of")):
        axes = Figure().add_subplot()
        mine = curves.assign(test_mouse=[one for one in sets for _ in range(2)])
        quality_figure.roc(axes, mine, pd.DataFrame({"auc": [0.5, 0.5]}), sets)
        said = [text.get_text() for text in axes.get_legend().get_texts()]
        assert said[0].startswith(first) and len(said) == 2, said


def test_the_example_is_cut_from_predictions_and_speed_at_the_same_frames(monkeypatch):
    monkeypatch.setattr(quality_figure, "STRETCH", 4 / RATE)  # of 4 frames
    frame = np.array([0, 1, 2, 3, 4, 5, 6, 8, 9])  # 7 is not decoded
    label = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1])
    mine = {"1_a": SessionPredictions("1", frame, label, np.linspace(0, 0.8, 9))}
    recordings = {"1_a": SimpleNamespace(frame_rate=RATE, speed=np.arange(10.0))}
    items = [Predictions("cnn", "x", "2+3", "4", "1", mine)]
    found = quality_figure.example(items, [0.3], recordings)
    start = round(found.seconds[0] * RATE)
    assert start in (5, 6) and (found.session, found.allocation) == ("1_a", "x")
    assert found.threshold == 0.3
    shown = np.arange(start, start + 4)
    np.testing.assert_allclose(found.seconds, shown / RATE)
    np.testing.assert_array_equal(found.speed, shown)
    for got, values in ((found.label, label), (found.probability, np.linspace(0, 0.8, 9))):
        by_frame = dict(zip(frame, values, strict=True))
        np.testing.assert_array_equal(got, [by_frame.get(n, np.nan) for n in shown])
