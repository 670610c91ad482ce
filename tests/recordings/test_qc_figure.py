"""Pages of quality control, whole: of a corrected movie with its clock, and of one of changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from drawn import as_drawn
from mesodecode.recordings import qc, qc_figure
from mesodecode.recordings.qc_measures import Measures
from mesodecode.recordings.recording import Recording
from mesodecode.study import schema

T, RATE = 1300, 10.0  # frames, frames/s: more than 2 min, and than can be seen
ROWS, COLUMNS = np.mgrid[:20, :24]


def measures(light=1000.0, n=T):
    image = light * (1 + 0.4 * np.sin(ROWS / 1.7) * np.cos(COLUMNS / 2.3))
    parts = np.stack([np.roll(image, (i // 2, -i // 3), (0, 1)) for i in range(5)])
    t = np.arange(n)
    return Measures(
        brightness=light * (1 + 0.05 * np.sin(t / 50) + 0.02 * (t % 7 == 0)),
        mean=image,
        sd=np.abs(image) / 20 + COLUMNS,
        parts=parts,
        part_start=np.linspace(0, n, 6).astype(int)[:-1],
        repeated=t % 100 == 3,
        full_scale=4095.0,
        saturated=np.where(t % 400 == 0, 9, 0),
    )


def session(unit="counts", n=T, **known):
    t = np.arange(n)
    recording = Recording(
        **{"path": Path("s1.h5"), "session": "s1", "mouse": "m1", "frame_rate": RATE},
        **{"labels": (t // 90 % 3 > 0).astype(np.uint8), "speed": None, "rois": None},
        **{"segment": t // 500, "pixel_mean": None, "stack_sd": 1.0, "shape": (n, 20, 24)},
        **{"time": t / RATE + 0.02 * (t % 11 == 0) + 3 * (t // 500), "unit": unit},
    )
    return qc.Session(recording, measures(n=n), measures(n=n), **known)


def corrected():
    effects = [
        {"step": step, "value": value, "unit": unit, "words": words, "sd_before": before,
         "sd_after": 0.05}
        for step, value, unit, words, before in (
            ("channels", 1300, "frames", "channel 2 of 2", np.nan),
            ("dark", 100, "counts", "100.0 counts subtracted", 0.07),
            ("motion", 0.4, "px", "shifts of 0.40 px", 0.06),
            ("dff", np.nan, "s", "F0: mean over the whole recording", 0.05),
        )
    ]  # fmt: skip
    found = session(
        unit="dff",
        settings={"channels": 2, "signal_channel": 2, "motion": True, "dff": "mean"},
        effects=effects,
        shifts=np.stack([np.sin(np.arange(T) / 80), np.arange(T) / T], axis=1),
        r2=(ROWS + COLUMNS) / 60,
        axes="TYX",
        axes_by="nothing",
    )
    return replace(found, recorded=measures(n=2 * T + 1), decoded=measures(light=0.02))


def drawn(found, name):
    table = qc.check_session(found, schema.defaults("qc"))
    page = as_drawn(qc_figure.session_page(found, table), name)
    bars = [image.colorbar for axes in page.axes for image in axes.images]
    assert {tick.get_pad() for bar in bars for tick in bar.ax.xaxis.get_major_ticks()} == {1}
    return qc_figure.session_caption(found, table)


def test_a_page_of_a_corrected_movie():
    assert drawn(corrected(), "qc_corrected") == (
        "Warn (the worst of its checks). Mean over time and SD over time of each pixel. Axes of "
        "the movie are taken as TYX (Y rows, X columns), the usual order, since nothing in the "
        "files says which: if the mean image is turned, set movie_axes. Brightness: mean over "
        "pixels, lowest and highest frame in each 0.3 s; grey: as recorded, blue: corrected. "
        "Shaded: run. Position: of the mean image of each of 5 parts, by phase correlation with "
        "the first. Pale: of each frame before it was shifted."
    )


def test_a_page_of_changes_of_light():
    found = replace(session("dff", 300), axes="XYT", axes_by="movie_axes")
    assert drawn(found, "qc_changes") == (
        "Fail (the worst of its checks). Mean over time and SD over time of each pixel. Mean of "
        "pixels, lowest and highest frame in each 0.1 s. Shaded: run."
    )


def test_what_a_light_source_shows_is_the_signal():
    found = corrected()
    np.testing.assert_array_equal(found.brightness, found.recorded.brightness[1 : 2 * T : 2])
    told = replace(found, signal_frames=np.arange(T) + 7)
    np.testing.assert_array_equal(told.brightness, found.recorded.brightness[7 : T + 7])


@pytest.mark.parametrize(("n", "last", "words"), [(1199, 119.9, "(s)"), (1200, 2, "(min)")])
def test_a_session_of_two_minutes_is_drawn_in_minutes(n, last, words):
    found = session(n=n)
    page = qc_figure.session_page(found, qc.check_session(found, schema.defaults("qc")))
    (axes,) = (axes for axes in page.axes if axes.get_xlabel().startswith("Time"))
    assert axes.get_xlabel() == f"Time {words}" and axes.get_xlim() == (0, pytest.approx(last))


@pytest.mark.parametrize(("n", "row", "size"), [(2, 4.6, 5.5), (3, 3.2, 4.5)])
def test_a_cohort_page_of_many_sessions_has_lower_rows(monkeypatch, n, row, size):
    monkeypatch.setattr(qc_figure, "MOST_ROWS", 2)
    one = qc.check_session(session(n=300), schema.defaults("qc"))
    table = pd.concat([one.assign(session=f"s{i}") for i in range(n)], ignore_index=True)
    figure = qc_figure.cohort_page(table[table["check"].isin(["duration", "bouts"])])
    width, height = figure.get_size_inches() * 25.4
    assert (width, height) == (pytest.approx(174), pytest.approx(30 + row * n))
    axes = figure.axes[0]
    assert {text.get_fontsize() for text in axes.texts} == {size}
    assert {label.get_fontsize() for label in axes.get_yticklabels()} == {size + 0.5}
    assert len(axes.get_yticklabels()) == n
    (legend,) = figure.legends  # of whatever is there, and of no check that could not be made
    found = [to_hex(patch.get_facecolor()).upper() for patch in legend.get_patches()]
    assert found == [qc_figure.COLOURS[verdict] for verdict in ("pass", "warn", "fail")]
