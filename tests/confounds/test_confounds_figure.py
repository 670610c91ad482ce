"""The figure of controls: which AUCs stand where, and what is said of each control."""

from __future__ import annotations

import pandas as pd

from drawn import as_drawn
from make_tables import names_on, said
from mesodecode.confounds import confounds_figure, control_verdicts
from texts import as_written

MICE = ["1", "2"]


def tables(decoders=("cnn", "gru", "rnn", "lin")):
    """AUCs of two allocations: decoders at 0.9, brightness beside them, position not made."""
    names = [f"test-{mouse}" for mouse in MICE]
    auc = pd.DataFrame(
        [
            (d, n, m, 0.9 - 0.1 * (m == "2"))
            for d in decoders
            for n, m in zip(names, MICE, strict=True)
        ],
        columns=["decoder", "allocation", "test_mouse", "auc"],
    )
    left_out = pd.DataFrame([("cnn", "test-9", "1", 0.5)], columns=auc.columns)  # has no controls
    controls = pd.DataFrame(
        [
            (d, signal, n, m, score)
            for d in decoders
            for signal, score in zip(list(control_verdicts.SIGNALS)[:2], (0.875, None), strict=True)
            for n, m in zip(names, MICE, strict=True)
        ],
        columns=["against", "decoder", "allocation", "test_mouse", "auc"],
    )
    return controls, pd.concat([auc, left_out], ignore_index=True)


def rows_of(decoders, verdicts=("flag", "not made")):
    signals = list(control_verdicts.SIGNALS)[:2]
    rows = [(d, s, v, 2, 2) for d in decoders for s, v in zip(signals, verdicts, strict=True)]
    return pd.DataFrame(rows, columns=list(control_verdicts.COLUMNS[:5]))


def test_a_panel_has_the_decoder_then_its_controls_with_their_verdicts():
    controls, auc = tables(("cnn",))
    (axes,) = confounds_figure.draw(controls, auc, rows_of(["cnn"])).axes
    assert names_on(axes.xaxis) == ["cnn", *list(control_verdicts.SIGNALS)[:2]]
    assert said(axes)[2] == "Test AUC"
    flag, gone = sorted(axes.texts, key=lambda text: text.get_position()[0])
    assert (flag.get_text(), flag.get_fontweight(), flag.get_position()[0]) == ("flag", "bold", 1)
    assert (gone.get_text(), gone.get_position()[0]) == ("not made", 2)
    points = [line for line in axes.lines if line.get_marker() in "os"]
    drawn = [(round(line.get_xdata()[0]), line.get_marker(), *line.get_ydata()) for line in points]
    assert drawn == [(0, "o", 0.9), (0, "s", 0.8), (1, "o", 0.875), (1, "s", 0.875)]
    dashed, dotted = (line.get_ydata()[0] for line in axes.lines if line.get_color() == "0.45")
    assert dashed == 0.5 and round(dotted, 9) == 0.85  # without the allocation that has no control
    low, high = axes.get_ylim()
    assert low == 0.43 and high > 1.025  # words of a verdict stand inside
    (passed,) = confounds_figure.draw(controls, auc, rows_of(["cnn"], ("pass", "not made"))).axes
    assert [text.get_fontweight() for text in passed.texts if text.get_text() == "pass"] == [
        "normal"
    ]


def test_panels_stand_three_in_a_row_and_the_rest_is_empty():
    decoders = ["cnn", "gru", "rnn", "lin"]
    figure = confounds_figure.draw(*tables(decoders), rows_of(decoders))
    as_drawn(figure, "confounds")
    assert [axes.axison for axes in figure.axes] == [True] * 4 + [False] * 2
    assert [said(axes)[2] for axes in figure.axes[:4]] == ["Test AUC", "", "", "Test AUC"]
    assert [names_on(axes.xaxis)[0] for axes in figure.axes[:4]] == decoders
    shown = [axes.yaxis.get_tick_params()["labelleft"] for axes in figure.axes[:4]]
    assert shown == [True, False, False, True]  # the limits of a row are the same
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["test mouse", *MICE]


def test_mice_stand_in_the_order_in_which_people_count():
    controls, auc = tables(("cnn",))
    renamed = {"1": "m10", "2": "m9"}
    for table in (controls, auc):
        table["test_mouse"] = table["test_mouse"].map(renamed)
    figure = confounds_figure.draw(controls, auc, rows_of(["cnn"]))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["test mouse", "m9", "m10"]
    points = [line for line in figure.axes[0].lines if line.get_marker() in "os"]
    assert [(line.get_marker(), *line.get_ydata()) for line in points[:2]] == [
        ("o", 0.8),
        ("s", 0.9),
    ]


def test_an_auc_below_chance_is_inside_the_panel():
    controls, auc = tables(("cnn",))
    controls.loc[0, "auc"] = 0.25
    (axes,) = confounds_figure.draw(controls, auc, rows_of(["cnn"])).axes
    assert axes.get_ylim()[0] < 0.25


def test_the_caption_counts_the_allocations_and_mice_of_the_fullest_row():
    rows = rows_of(["cnn"])
    rows.loc[0, ["n_allocations", "n_mice"]] = (20, 5)
    assert "(n = 20 allocations of 5 test mice," in as_written(
        confounds_figure.caption(rows), "confounds"
    )
