"""Figures of an encoding study show what stands in their tables, and their captions count it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from drawn import as_drawn
from mesodecode.cli import main
from mesodecode.encoding import columns, figures
from mesodecode.report import formats
from texts import as_read

HISTORY = pd.DataFrame(
    [
        (epoch, epoch, loss, loss + 0.1, r2, r2 - low, 0.1, 1, 1, fold)
        for fold, low in (("a", 0.2), ("b", 0.4))
        for epoch, loss, r2 in ((1, 0.9, 0.1), (2, 0.5, 0.3))
    ],
    columns=[*columns.HISTORY, "fold"],
)


def swept() -> pd.DataFrame:
    """R² rises with rate, momentum and L2; all of Xavier's at the highest rate diverged."""
    rows = []
    product = itertools.product(("xavier", "default"), (0.01, 0.1), (0, 0.5, 0.9), (0, 1e-4))
    for start, rate, momentum, l2 in product:
        gone = start == "xavier" and rate == 0.1
        r2 = np.nan if gone else rate + momentum / 10 + 100 * l2 + (start == "default")
        known = {"valid_r2": r2, "valid_loss": 2 - r2, "test_r2": r2 - 0.5, "diverged": gone}
        chosen = {"initialisation": start, "learning_rate": rate, "momentum": momentum, "l2": l2}
        rows.append(chosen | known)
    return pd.DataFrame(rows).reindex(columns=list(columns.SWEEP))


NEURONS = pd.DataFrame(
    {
        "neuron": range(5),
        "explainable": [0.5, 0.4, 0.02, -0.1, 0.01],
        "responsive": [True, True, False, False, False],
    }
)
LAYERS = pd.DataFrame({"layer": ["conv", "fc"], "ratio": [1e-3, 0.1]})
RATES = pd.DataFrame(
    {"learning_rate": [1e-4, 1e-3, 1e-2, 1e-1, 1.0], "loss": [1.0, 0.9, 0.4, 0.5, 9.0]}
)


def test_losses_and_r2_are_drawn_by_fold_and_r2_down_to_its_lowest():
    loss, r2 = as_drawn(figures.loss_figure(HISTORY), "encoding_loss").axes
    assert (loss.get_ylabel(), r2.get_ylabel()) == ("Squared error", "R²")
    drawn = {tuple(np.round(line.get_ydata(), 6)) for line in r2.lines}
    assert {(0.1, 0.3), (-0.1, 0.1), (-0.3, -0.1), (0, 0)} <= drawn
    assert r2.get_ylim()[0] == pytest.approx(-0.35)
    low = figures.loss_figure(HISTORY.assign(valid_r2=-7.0)).axes[1].get_ylim()[0]
    assert low == pytest.approx(-1.05)  # one bad epoch hides no other
    assert "folds (n = 2)" in as_read(figures.loss_caption(HISTORY))


def test_a_sweep_is_drawn_by_rate_and_momentum_of_the_best_l2():
    figure = as_drawn(figures.sweep_figure(swept()), "encoding_sweep")
    r2, loss = figure.axes[:2], figure.axes[2:4]
    assert [axes.get_title() for axes in r2] == ["Xavier", "Default"]
    assert [axes.get_xlabel() for axes in loss] == ["Learning rate"] * 2
    assert [axes.get_ylabel() for axes in (r2[0], loss[0])] == ["Momentum"] * 2
    assert [axes.get_ylabel() for axes in figure.axes[4:]] == ["Validation R²", "Validation loss"]
    names = [text.get_text() for text in r2[0].get_yticklabels()]
    assert names == ["0", "0.5", "0.9"] and not r2[0].yaxis_inverted()  # upwards
    assert [text.get_text() for text in loss[0].get_xticklabels()] == ["0.01", "0.1"]
    best = np.array([[0.02, 0.11], [0.07, 0.16], [0.11, 0.2]])  # of L2 1e-4
    shown = [np.ma.getdata(axes.collections[0].get_array()).reshape(3, 2) for axes in (*r2, *loss)]
    np.testing.assert_allclose(shown[1], best + 1)
    np.testing.assert_allclose(shown[0][:, 0], best[:, 0])
    np.testing.assert_allclose(shown[3], 1 - best)
    masked = np.ma.getmaskarray(r2[0].collections[0].get_array()).reshape(3, 2)
    assert masked.tolist() == [[False, True]] * 3
    low, high = r2[0].collections[0].get_clim()
    assert high == pytest.approx(1.2) and low == -0.05
    limits = loss[0].collections[0].get_clim()
    assert limits[0] == pytest.approx(0.8) and limits[1] == swept()["valid_loss"].quantile(0.9)
    alone = swept().query("initialisation == 'default'")  # as wide as two: the bars have their room
    assert (figures.sweep_figure(alone).get_size_inches() == figure.get_size_inches()).all()


def test_the_caption_of_a_sweep_names_the_best_and_counts_those_that_diverged():
    text = as_read(figures.sweep_caption(swept()))
    assert "(top) and loss (bottom) of 24 trainings" in text and "(6 trainings did)" in text
    assert "the best over 2 values of L2" in text
    assert "Best: learning rate 0.1, momentum 0.9, L2 0.0001, default initialisation: " in text
    assert "R² 1.200 on validation and 0.700 on test images" in text
    none = swept().assign(valid_r2=np.nan, l2=0, diverged=True)
    text = as_read(figures.sweep_caption(none))
    assert "None of them stayed finite" in text and "values of L2" not in text


def test_a_diagnosis_shows_neurons_layers_and_the_range_of_useful_rates():
    figure = as_drawn(figures.diagnosis_figure(NEURONS, LAYERS, RATES), "encoding_diagnosis")
    variance, gradient, rate = figure.axes[:3]
    counts = [sum(bar.get_height() for bar in bars) for bars in variance.containers]
    assert sorted(counts) == [2, 3]
    names = [text.get_text() for text in variance.get_legend().get_texts()]
    assert names == ["responsive (2)", "unresponsive (3)"]
    edges = [bar.get_x() for bar in variance.patches]
    assert min(edges) == pytest.approx(-0.1)
    (line,) = gradient.lines
    np.testing.assert_array_equal(line.get_xydata(), [(1, 1e-3), (2, 0.1)])
    assert gradient.get_yscale() == rate.get_xscale() == "log"
    (span,) = rate.patches
    assert (span.get_x(), span.get_x() + span.get_width()) == pytest.approx((1e-4, 1.0))
    (line,) = rate.lines
    np.testing.assert_array_equal(line.get_xydata(), RATES.to_numpy())
    assert rate.get_ylim() == (0, 2)  # twice the first loss
    text = as_read(figures.diagnosis_caption(NEURONS, LAYERS))
    assert "n = 5 neurons" in text and "of each of 2 layers" in text


def test_rates_are_useful_up_to_the_one_at_which_the_loss_has_grown_by_half():
    for loss, high in (([1.0, 0.4, 0.61, 9], 1e-2), ([1.0, 0.4, 0.59, np.nan], 0.1)):
        rates = pd.DataFrame({"learning_rate": [1e-4, 1e-3, 1e-2, 0.1], "loss": loss})
        assert columns.useful_rates(rates) == (1e-5, high)
    assert columns.useful_rates(rates.head(2)) == (1e-5, 1e-3)


@pytest.mark.parametrize(
    ("kind", "tables", "title", "words"),
    [
        ("loss", [HISTORY[:2], HISTORY[2:]], "Training of net", "folds (n = 2)"),
        ("sweep", [swept()], "Sweep of net", "24 trainings"),
        ("diagnosis", [NEURONS, LAYERS, RATES], "Diagnosis of net", "n = 5 neurons"),
    ],
)
def test_the_verb_draws_the_tables_it_is_given(tmp_path, kind, tables, title, words):
    paths = [tmp_path / f"{i}.history.tsv" for i in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        table.drop(columns="fold", errors="ignore").to_csv(path, sep="\t", index=False)
    out = ["--out", tmp_path / "f", "--name", "net"]
    line = ["encoding-figures", "--kind", kind, "--tables", *paths, *out]
    assert main([*map(str, line)]) == 0
    shown = formats.picture(tmp_path / "f.svg", "p")
    assert shown["title"] == title and words in shown["caption"]
    assert (tmp_path / "f.png").exists()
