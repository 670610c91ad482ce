"""The loss figures: what is drawn is what the histories say."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drawn import as_drawn
from mesodecode import cli
from mesodecode.base import plots
from mesodecode.base.files import UserError
from mesodecode.cli.decoders.losses import read_histories
from mesodecode.decoders import loss_figure, train
from mesodecode.report import formats
from texts import as_written

# allocation -> (train loss, valid loss, valid AUC) by epoch
CURVES = {
    "a": ([0.75, 0.5, 0.25], [0.5, 0.25, 0.75], [0.5, 0.75, 1.0]),
    "b": ([0.25, 0.5, 0.5], [1.5, 0.5, 0.25], [0.75, 0.75, 0.5]),
}
MEANS = ([0.5, 0.5, 0.375], [1.0, 0.375, 0.5], [0.625, 0.75, 0.75])


def write(folder, curves) -> list[str]:
    """Histories as training writes them, and the table of their allocations."""
    folder.mkdir(parents=True)
    for name, columns in curves.items():
        lines = [
            train.Epoch(
                **{field: 1 for field in train.Epoch.__dataclass_fields__}
                | {"epoch": epoch, "train_loss": a, "valid_loss": b, "valid_auc": c}
            )
            for epoch, (a, b, c) in enumerate(zip(*columns, strict=True), start=1)
        ]
        train.write_history(folder / f"{name}.history.tsv", lines)
    table = folder.parent / "allocations.tsv"
    pd.DataFrame({"allocation": list(curves)}).to_csv(table, sep="\t", index=False)
    return list(curves)


def drawn(axes, column: int) -> tuple[list, list]:
    """Thin and thick lines of a panel in the colour of a column: their values by epoch."""
    lines = [line for line in axes.lines if line.get_color() == plots.PALETTE[column]]
    thin = [list(line.get_ydata()) for line in lines if line.get_lw() < 1]
    return thin, [list(line.get_ydata()) for line in lines if line.get_lw() > 1]


def test_every_allocation_is_thin_and_the_mean_thick(tmp_path):
    history = read_histories(tmp_path / "cnn", write(tmp_path / "cnn", CURVES))
    figure = as_drawn(loss_figure.loss_by_epoch(history), "losses")
    as_written(loss_figure.loss_caption(history), "losses")
    loss, auc = figure.axes
    for axes, colour, column in ((loss, 0, 0), (loss, 1, 1), (auc, 1, 2)):
        thin, thick = drawn(axes, colour)
        assert thin == [values[column] for values in CURVES.values()]
        assert thick == [MEANS[column]]
    assert len(loss.lines) == 6 and len(auc.lines) == 3
    assert all(list(line.get_xdata()) == [1, 2, 3] for line in [*loss.lines, *auc.lines])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["training", "validation"]
    assert legend.get_title().get_text() == "n = 2 allocations (thin), mean (thick)"
    # told apart without colour too
    assert len({line.get_marker() for line in loss.lines if line.get_lw() > 1}) == 2
    assert loss.get_ylim()[0] == 0
    for axes in (loss, auc):
        assert {1, 2, 3} <= set(axes.get_xticks()) <= {0, 1, 2, 3, 4}


@pytest.mark.parametrize(("epochs", "every"), [(23, 1), (36, 3)])
def test_a_mean_of_many_epochs_has_a_dozen_signs(tmp_path, epochs, every):
    curves = {"a": ([0.5] * epochs,) * 3}
    history = read_histories(tmp_path / "cnn", write(tmp_path / "cnn", curves))
    loss = loss_figure.loss_by_epoch(history).axes[0]
    assert [one.get_markevery() for one in loss.lines if one.get_lw() > 1] == [every] * 2


def test_mean_ends_where_an_allocation_ends(tmp_path):
    curves = CURVES | {"c": ([0.0, 1.0], [0.0, 1.0], [0.5, 0.5])}
    history = read_histories(tmp_path / "cnn", write(tmp_path / "cnn", curves))
    thin, (mean,) = drawn(loss_figure.loss_by_epoch(history).axes[0], 0)
    np.testing.assert_allclose(mean, [1 / 3, 2 / 3, np.nan])
    np.testing.assert_array_equal(thin[2], [0.0, 1.0, np.nan])


def test_one_epoch_of_one_allocation_is_seen(tmp_path):
    names = write(tmp_path / "cnn", {"a": ([0.5], [0.25], [0.75])})
    figure = loss_figure.loss_by_epoch(read_histories(tmp_path / "cnn", names))
    assert figure.legends[0].get_title().get_text() == "n = 1 allocation (thin), mean (thick)"
    lines = [line for axes in figure.axes for line in axes.lines]
    assert len(lines) == 6 and all(line.get_markersize() > 0 for line in lines)


def draw(tmp_path, *decoders) -> int:
    words = ("losses", "--models", tmp_path, "--decoders", *decoders)
    where = ("--allocations", tmp_path / "allocations.tsv", "--out", tmp_path / "loss_")
    return cli.main([str(word) for word in (*words, *where)])


def test_verb_draws_every_decoder_for_the_report(tmp_path):
    write(tmp_path / "cnn", CURVES)
    write(tmp_path / "gru", CURVES)
    assert draw(tmp_path, "cnn", "gru") == 0
    for name in ("cnn", "gru"):
        shown = formats.picture(tmp_path / f"loss_{name}.svg", "p")
        assert shown["title"] == f"Training of {name}"
        assert "allocations (n = 2)" in shown["caption"]
        with Image.open(tmp_path / f"loss_{name}.png") as image:
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert image.width / 300 * 25.4 == pytest.approx(174, abs=0.2)
    svg = (tmp_path / "loss_cnn.svg").read_text()
    assert re.search(r">n = 2 allocations \(thin\), mean \(thick\)</text>", svg)
    assert draw(tmp_path, "cnn") == 0
    assert (tmp_path / "loss_cnn.svg").read_text() == svg


def test_missing_history_is_named(tmp_path, capsys):
    write(tmp_path / "cnn", CURVES)
    (tmp_path / "cnn" / "b.history.tsv").unlink()
    assert draw(tmp_path, "cnn") == 1
    error = capsys.readouterr().err
    assert "cnn/b.history.tsv: no such history; train the decoder first" in error
    assert error.count("\n") == 1 and not list(tmp_path.glob("loss_*"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch\ttrain_loss\tvalid_loss\n1\t1\t1\n", "no column valid_auc"),
        ("epoch\ttrain_loss\tvalid_loss\tvalid_auc\n1\t1\tx\t1\n", "line 2: valid_loss is 'x'"),
        ("epoch\ttrain_loss\tvalid_loss\tvalid_auc\n", "the table has no rows"),
    ],
)
def test_bad_history_is_named(tmp_path, text, words):
    (tmp_path / "a.history.tsv").write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        read_histories(tmp_path, ["a"])
    assert "a.history.tsv" in str(caught.value)
