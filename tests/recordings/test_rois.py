"""ROI signals: files, baseline, normalisation, subsets, bad ROIs, exchanged labels, correlation."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from pynwb import TimeSeries

import make_recordings
from make_movies import photon_series, save_nwb
from mesodecode.cli import main, options
from mesodecode.recordings import roi_correlation, roi_signals
from mesodecode.recordings.recording import Recording, read_recording, with_labels_of
from mesodecode.recordings.roi_files import names_of, read_signals
from mesodecode.study import schema
from mesodecode.study import study as studies
from told import refusal

RNG = np.random.default_rng(4)
T, R = 12, 3
SETTINGS = schema.defaults("roi_rnn", input="rois", rnn="gru", baseline=None, normalise="none")


def recording(signals, *, session="s1", mouse="m1", labels=None, names=None, segment=None):
    labels = np.arange(len(signals)) % 2 if labels is None else labels
    return Recording(
        **{"path": Path(f"{session}.h5"), "session": session, "mouse": mouse, "frame_rate": 30.0},
        **{"labels": np.asarray(labels, np.uint8), "speed": None, "segment": segment},
        **{"rois": None if signals is None else np.asarray(signals, np.float32)},
        **{"pixel_mean": None, "stack_sd": 1.0, "shape": (len(labels), 2, 2)},
        roi_names=names,
    )


# --- baseline and normalisation ------------------------------------------------------------------

# The examples of MATLAB's documentation of movmean, and others worked by hand.
DOCUMENTED = [4, 8, 6, -1, -2, -3, -1, 3, 4, 5]


@pytest.mark.parametrize(
    ("values", "n", "expected"),
    [
        (DOCUMENTED, 3, [6, 6, 13 / 3, 1, -2, -2, -1 / 3, 2, 4, 4.5]),
        ([1, 2, 3, 4], 1, [1, 2, 3, 4]),
        ([1, 3, 5, 11], 2, [1, 2, 4, 8]),  # even: the current frame and the one before it
        ([1, 3, 5, 11, 30], 4, [2, 3, 5, 49 / 4, 46 / 3]),  # t-2 … t+1, fewer at the edges
        ([1, 3, 5], 5, [3, 3, 3]),
        ([1, 3, 5], 100, [3, 3, 3]),
        ([7], 4, [7]),
    ],
)
def test_moving_mean_is_that_of_matlab(values, n, expected):
    signals = np.array([values, np.array(values) * -2], float).T
    found = roi_signals.moving_mean(signals, n)
    np.testing.assert_allclose(found, np.array([expected, np.array(expected) * -2]).T, atol=1e-12)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_moving_mean_agrees_with_its_definition(n_frames, n, seed):
    signals = np.random.default_rng(seed).normal(3000, 10, (n_frames, 2))
    before, after = (n - 1, n - 1) if n % 2 else (n, n - 2)  # twice the frames on each side
    slow = [signals[max(0, t - before // 2) : t + after // 2 + 1].mean(0) for t in range(n_frames)]
    np.testing.assert_allclose(roi_signals.moving_mean(signals, n), slow, rtol=1e-12)


def test_minmax_is_of_each_roi_over_the_recording_after_the_baseline():
    signals = np.array([[1.0, 10], [3, 20], [5, 60], [11, 20]])
    got = roi_signals.normalised(signals, baseline=2, normalise="minmax")
    less = signals - [[1, 10], [2, 15], [4, 40], [8, 40]]  # by hand
    low, high = less.min(0), less.max(0)
    np.testing.assert_allclose(got, (less - low) / (high - low), rtol=1e-6)
    assert got.dtype == np.float32 and got.min() == 0 and got.max() == 1


def test_other_normalisations():
    signals = RNG.uniform(50, 100, (40, 3))
    base = roi_signals.moving_mean(signals, 7)
    z = roi_signals.normalised(signals, baseline=7, normalise="zscore")
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(z.std(0), 1, rtol=1e-6)
    dff = roi_signals.normalised(signals, baseline=7, normalise="dff")
    np.testing.assert_allclose(dff, (signals - base) / base, rtol=1e-4, atol=1e-7)
    mean = signals.mean(0)
    dff = roi_signals.normalised(signals, baseline=None, normalise="dff")
    np.testing.assert_allclose(dff, (signals - mean) / mean, rtol=1e-4, atol=1e-7)
    raw = roi_signals.normalised(signals, baseline=None, normalise="none")
    np.testing.assert_array_equal(raw, signals.astype(np.float32))


# --- what a decoder is given ---------------------------------------------------------------------


def pair(**changes):
    signals = RNG.normal(5, 1, (2, T, R))
    one = recording(signals[0], session="s1", labels=[0] * 6 + [1] * 6)
    two = recording(signals[1], session="s2", labels=[1] * 6 + [0] * 6)
    return [one, dataclasses.replace(two, **changes)]


@pytest.mark.parametrize("others", ["zero", "drop"])
def test_subsets_are_numbered_from_one(others):
    both = pair()
    found, dropped = roi_signals.session_signals(
        both, SETTINGS | {"rois": [3, 1], "others": others}
    )
    assert dropped == []
    for got, given_ in zip(found, both, strict=True):
        expected = given_.rois[:, [2, 0]] if others == "drop" else given_.rois * [1, 0, 1]
        np.testing.assert_array_equal(got.features, expected.astype(np.float32))
    words = refusal(roi_signals.session_signals, both, SETTINGS | {"rois": [2, 4]})
    assert "no ROI 4" in words and "has 3" in words


def test_exchanged_labels_go_with_their_own_signals():
    both = pair()
    swap = {"s1": "s2", "s2": "s1"}
    found, _ = roi_signals.session_signals(with_labels_of(both, swap), SETTINGS)
    np.testing.assert_array_equal(found[0].features, both[0].rois)
    assert found[0].labels.tolist() == both[1].labels.tolist() != found[1].labels.tolist()
    short = [both[0], recording(both[1].rois[:-1], session="s2")]
    words = refusal(with_labels_of, short, swap)
    assert "11 frames" in words and "12" in words


def broken(kind):
    signals = RNG.normal(5, 1, (T, R))
    signals[:, 1] = 4.25 if kind == "constant" else signals[:, 1]
    if kind == "nan":
        signals[3:7, 1] = np.nan
    return signals


@pytest.mark.parametrize(
    ("kind", "why"),
    [("constant", "constant, 4.25 in every frame"), ("nan", "NaN in 4 frames, the first 3")],
)
def test_constant_and_missing_rois_are_named_or_dropped_from_all_mice(kind, why):
    good, bad = pair()
    bad = dataclasses.replace(bad, mouse="m2", rois=broken(kind).astype(np.float32))
    words = refusal(roi_signals.session_signals, [good, bad], SETTINGS)
    assert "s2.h5: ROI 2" in words and why in words and "drop: true" in words
    named = dataclasses.replace(bad, roi_names=("a", "S1 left", "c"))
    assert "ROI 2 'S1 left'" in refusal(roi_signals.session_signals, [good, named], SETTINGS)
    published = SETTINGS | {"drop": True, "normalise": "minmax", "baseline": 4}
    found, dropped = roi_signals.session_signals([good, bad], published)
    assert dropped == [2]
    for one in found:
        assert (one.features[:, 1] == 0).all() and np.isfinite(one.features).all()
        assert one.features[:, [0, 2]].std() > 0
    alone = roi_signals.session_signals([good, bad], SETTINGS | {"rois": [1, 3]})  # not asked for
    assert alone[1] == []
    assert "every ROI" in refusal(
        roi_signals.session_signals, [good, bad], SETTINGS | {"rois": [2], "drop": True}
    )


def test_what_is_dropped_hangs_on_how_the_decoder_normalises(tmp_path):
    """Signals around 0 have no ΔF/F; told to the verb as to the decoder."""
    signals = np.random.default_rng(0).normal(9, 1, (T, R)).astype(np.float32)
    signals[:, 1] -= signals[:, 1].mean()
    path, out = tmp_path / "s.h5", tmp_path / "dropped.json"
    make_recordings.write_recording(path, np.ones((T, 4, 4), np.float32))
    with h5py.File(path, "a") as file:
        file["rois"] = signals
    words = ["dropped-rois", "--recordings", str(path), "--out", str(out)]
    for how, dropped in ([], []), (["--normalise", "dff"], [2]):
        assert main([*words, *how]) == 0
        assert json.loads(out.read_text()) == dropped
    assert main([*words, "--normalise", "dff", "--rois", "1", "3"]) == 0
    assert json.loads(out.read_text()) == []


def test_other_bad_recordings_are_named():
    good, other = pair()
    fewer = dataclasses.replace(other, rois=other.rois[:, :2])
    words = refusal(roi_signals.session_signals, [good, fewer], SETTINGS)
    assert "s2.h5: 2 ROIs" in words and "s1.h5 has 3" in words
    turned = [dataclasses.replace(o, roi_names=n) for o, n in ((good, "abc"), (other, "acb"))]
    assert "ROI 2 is 'c', but 'b' in s1.h5" in refusal(
        roi_signals.session_signals, turned, SETTINGS
    )
    none = dataclasses.replace(other, rois=None)
    assert "s2.h5: no ROI signals" in refusal(roi_signals.session_signals, [good, none], SETTINGS)
    for less in (other.rois.min(axis=0), 5):  # 0 in a frame, below it
        low = dataclasses.replace(other, rois=other.rois - less)
        words = refusal(roi_signals.session_signals, [good, low], SETTINGS | {"normalise": "dff"})
        assert "s2.h5: ROI 1" in words and "ΔF/F" in words


def test_correlation_is_pearson_of_labels_and_the_baseline_subtracted_signal(tmp_path):
    signals = RNG.normal(100, 5, (60, 3)).astype(np.float32)
    signals[:, 1] = 7
    labels = RNG.integers(0, 2, 60)
    one = recording(signals, labels=labels)
    for baseline in (None, 9):
        less = signals - (0 if baseline is None else roi_signals.moving_mean(signals, baseline))
        r = roi_correlation.correlations(one, baseline)
        assert r[0] == pytest.approx(np.corrcoef(less[:, 0], labels)[0, 1], rel=1e-4)
        assert r[2] == pytest.approx(np.corrcoef(less[:, 2], labels)[0, 1], rel=1e-4)
        assert np.isnan(r[1])


def write_recording(folder, one):
    path = folder / one.path
    with h5py.File(path, "w") as file:
        file["frames"] = np.zeros((len(one), 2, 2), np.uint8)
        file["labels"], file["rois"] = one.labels, one.rois
        if one.roi_names:
            file["rois"].attrs["names"] = one.roi_names
        file["pixel_mean"], file["stack_sd"] = np.zeros((2, 2)), 1.0
        file.attrs.update(session=one.session, mouse=one.mouse, frame_rate=30.0)
    return path


def test_verb_writes_correlations_by_session_their_mean_and_a_figure(tmp_path, capsys):
    both = [dataclasses.replace(one, roi_names=("a", "b", "c")) for one in pair(mouse="m2")]
    paths = [write_recording(tmp_path, one) for one in both]
    out, mean, figure = tmp_path / "r.tsv", tmp_path / "mean.tsv", tmp_path / "figure"
    words = ["--recordings", *paths, "--baseline", 5, "--out", out, "--summary", mean]
    assert main([*map(str, ["roi-correlation", *words, "--figure", figure])]) == 0
    table = pd.read_csv(out, sep="\t")
    assert list(table.columns) == ["mouse", "session", "roi", "name", "r"]
    assert table["roi"].tolist() == [1, 2, 3, 1, 2, 3]
    np.testing.assert_allclose(table["r"][3:], roi_correlation.correlations(both[1], 5), rtol=1e-5)
    summary = pd.read_csv(mean, sep="\t")
    assert summary["name"].tolist() == ["a", "b", "c"] and set(summary["n"]) == {2}
    for row in summary.itertuples():
        r = table.loc[table["roi"] == row.roi, "r"]
        assert row.mean == pytest.approx(r.mean(), rel=1e-4)
        assert row.sd == pytest.approx(r.std(), rel=1e-4)
    svg = figure.with_suffix(".svg").read_text()
    assert "moving mean of 5 frames" in svg and "2 sessions of 2 mice" in svg
    assert figure.with_suffix(".png").exists()


# --- files ---------------------------------------------------------------------------------------

SIGNALS = RNG.normal(size=(T, R)).astype(np.float32)


def write_file(path, values):
    """Write values (T, R) as a lab would."""
    if path.suffix == ".mat":
        scipy.io.savemat(path, {"dat_roi": values.T})
    elif path.suffix in (".h5", ".hdf5"):
        with h5py.File(path, "w") as file:
            file["rois"] = values.T
    elif path.suffix == ".npy":
        np.save(path, values)
    else:
        separator = "\t" if path.suffix == ".tsv" else ","
        pd.DataFrame(values, columns=["a", "b", "c"]).to_csv(path, sep=separator, index=False)
    return path


@pytest.mark.parametrize("suffix", ["mat", "h5", "hdf5", "npy", "csv", "tsv"])
def test_reads_signals_of_every_kind(tmp_path, suffix):
    path = write_file(tmp_path / f"r.{suffix}", SIGNALS)
    got, names = read_signals(path, T)
    np.testing.assert_allclose(got, SIGNALS, rtol=1e-6)
    assert got.dtype == np.float32
    assert names == (("a", "b", "c") if suffix in ("csv", "tsv") else None)


def test_time_is_the_axis_of_the_movies_length(tmp_path):
    for values in (SIGNALS, SIGNALS.T):
        np.save(tmp_path / "r.npy", values)
        np.testing.assert_array_equal(read_signals(tmp_path / "r.npy", T)[0], SIGNALS)
    np.save(tmp_path / "r.npy", np.ones((T, T)))
    assert "which axis is time" in refusal(read_signals, tmp_path / "r.npy", T)


def test_missing_values_stay_for_the_decoder_to_judge(tmp_path):
    values = SIGNALS.copy()
    values[2:4, 1] = np.nan
    for suffix in ("mat", "h5", "npy", "csv"):
        got, _ = read_signals(write_file(tmp_path / f"r.{suffix}", values), T)
        assert np.argwhere(np.isnan(got)).tolist() == [[2, 1], [3, 1]]


@pytest.mark.parametrize("name", ["runrest", "Label", "state", "speed_rs", "speed (cm/s)", "own"])
def test_a_column_of_behaviour_is_no_signal_and_said(tmp_path, capsys, name):
    table = pd.DataFrame(SIGNALS, columns=["a", "b", "stated"])
    table.insert(1, name, np.arange(T) % 2)
    table.to_csv(tmp_path / "r.csv", index=False)
    got, names = read_signals(tmp_path / "r.csv", T, behavior={"own"})
    assert names == ("a", "b", "stated")
    np.testing.assert_allclose(got, SIGNALS, rtol=1e-6)
    assert f"{name} taken for behaviour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (lambda run, speed: run, "ROI 2 is the labels"),
        (lambda run, speed: 100 - 40 * run, "ROI 2 is the labels"),
        (lambda run, speed: speed, "ROI 2 is the speed"),
        (lambda run, speed: np.roll(run, 1), None),  # a flicker of its own
        (lambda run, speed: 0 * run, None),  # constant, which decoders refuse
    ],
)
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_an_roi_that_is_behaviour_itself_is_refused(behaviour, words, kind):
    from mesodecode.recordings.intake import check_leak

    run, speed = np.arange(T) % 4 // 2, np.sin(np.arange(T))
    rois = SIGNALS.astype("f4").copy()
    rois[:, 1] = behaviour(run, speed)
    traces = {"labels": run.astype("u1"), "speed": speed.astype(kind), "rois": rois}
    if words is None:
        check_leak(traces, None, "r.npy")
    else:
        assert words in refusal(check_leak, traces, None, "r.npy")


def test_columns_that_count_frames_are_no_signals(tmp_path):
    pd.DataFrame(SIGNALS, columns=["a", "b", "c"]).assign(Frame=range(T)).to_csv(tmp_path / "r.csv")
    got, names = read_signals(tmp_path / "r.csv", T)
    assert names == ("a", "b", "c") and got.shape == (T, R)


@pytest.mark.parametrize("name", ["timestamp", "Time (s)", "t", "frame_number", "Index", "time_ms"])
def test_a_column_of_time_is_left_out_and_said(tmp_path, capsys, name):
    table = pd.DataFrame(SIGNALS, columns=["a", "b", "tail"])
    table.insert(0, name, np.arange(T))
    table.to_csv(tmp_path / "r.csv", index=False, sep=";", decimal=",")
    got, names = read_signals(tmp_path / "r.csv", T)
    assert names == ("a", "b", "tail")
    np.testing.assert_allclose(got, SIGNALS, rtol=1e-6)
    assert f"{name} taken for time" in capsys.readouterr().err


def test_named_datasets(tmp_path):
    scipy.io.savemat(tmp_path / "r.mat", {"F": SIGNALS.T})
    np.testing.assert_allclose(read_signals(tmp_path / "r.mat", T, "F")[0], SIGNALS)
    assert "'dat_roi'" in (words := refusal(read_signals, tmp_path / "r.mat", T))
    assert "it holds: F" in words
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["roi/dff"], file["other"] = SIGNALS, [1.0]
    np.testing.assert_allclose(read_signals(tmp_path / "r.h5", T, "roi/dff")[0], SIGNALS)
    words = refusal(read_signals, tmp_path / "r.h5", T)
    assert "dat_roi or rois" in words and "it holds: other, roi/dff" in words


def with_rois(*, values=SIGNALS, region=(0, 1, 2), more=(), **columns):
    """An NWB file's maker of ROI signals; its table of ROIs has a row more than the signals."""

    def make(nwb):
        from pynwb.ophys import PlaneSegmentation, RoiResponseSeries

        plane = photon_series()(nwb).imaging_plane
        table = PlaneSegmentation(name="areas", description="d", imaging_plane=plane)
        for _ in range(4):
            table.add_roi(image_mask=np.ones((2, 2)))
        for name, words in columns.items():
            table.add_column(name=name, description="d", data=words)
        module = nwb.create_processing_module(name="ophys", description="d")
        module.add(table)
        for name in ("dFF", *more):
            rows = table.create_roi_table_region(region=list(region), description="some")
            with warnings.catch_warnings(action="ignore"):  # pynwb warns of ROIs x frames
                made = RoiResponseSeries(name=name, data=values, rois=rows, unit="1", rate=30.0)
            module.add(made)
        return TimeSeries(name="x", data=[0.0], unit="s", rate=1.0)

    return make


def test_rois_of_nwb_have_the_names_of_their_rows(tmp_path):
    """A series may show its ROIs in another order than the table has them."""
    path, names = tmp_path / "r.nwb", ["V1", "M1", "S1", "RSP"]
    save_nwb(path, with_rois(region=(3, 0, 1), roi_name=names, location=["cortex"] * 4))
    got, found = read_signals(path, T)
    np.testing.assert_array_equal(got, SIGNALS)
    assert found == names_of(path) == ("RSP", "V1", "M1")
    save_nwb(path, with_rois(values=SIGNALS.T, location=["cortex"] * 4))
    got, found = read_signals(path, T, "dFF")
    np.testing.assert_array_equal(got, SIGNALS)
    assert found is None  # one word for all tells none


def test_a_series_of_rois_that_cannot_be_told_is_refused(tmp_path):
    path = tmp_path / "r.nwb"
    save_nwb(path, with_rois(more=["dFF_V"]))
    words = refusal(read_signals, path, T)
    assert "2 RoiResponseSeries in it" in words and f"dFF_V {T} x {R}" in words
    assert "no RoiResponseSeries 'none' in it" in refusal(read_signals, path, T, "none")
    save_nwb(path)
    assert "it holds: none" in refusal(read_signals, path, T)


@pytest.mark.parametrize(
    "column",
    [
        1700000000 + np.arange(40) / 30,
        [f"2024-01-31T12:00:{i:02d}.5+01:00" for i in range(40)],
    ],
)
def test_a_column_that_only_grows_or_holds_dates_is_time_whatever_its_name(
    tmp_path, capsys, column
):
    values = RNG.normal(size=(40, 2))
    table = pd.DataFrame({"camera clock": column, "a": values[:, 0], "b": values[:, 1]})
    table.to_csv(tmp_path / "r.csv", index=False)
    got, names = read_signals(tmp_path / "r.csv", 40)
    assert names == ("a", "b")
    np.testing.assert_allclose(got, values, rtol=1e-6)
    assert "camera clock taken for time" in capsys.readouterr().err


def test_signals_that_only_grow_are_no_time_beside_a_column_that_is(tmp_path):
    ramp, day = np.arange(40.0), [f"2024-01-31T12:00:{i:02d}" for i in range(40)]
    pd.DataFrame({"timestamp": ramp / 30, "day": day, "a": ramp, "b": 2 * ramp}).to_csv(
        tmp_path / "r.csv", index=False
    )
    got, names = read_signals(tmp_path / "r.csv", 40)
    assert names == ("a", "b") and got[:, 1].tolist() == (2 * ramp).tolist()


def test_of_imagejs_results_the_means_are_the_signals(tmp_path, capsys):
    table = {" ": range(1, T + 1), "Area1": 12, "Mean1": SIGNALS[:, 0], "Min1": 0}
    table |= {"Area(V1)": 9, "Mean(V1)": SIGNALS[:, 1], "Max(V1)": 255}
    pd.DataFrame(table).to_csv(tmp_path / "Results.csv", index=False)
    got, names = read_signals(tmp_path / "Results.csv", T)
    assert names == ("1", "V1")
    np.testing.assert_allclose(got, SIGNALS[:, :2], rtol=1e-6)
    assert "left out: Area(V1), Area1, Max(V1), Min1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.mat", b"no MAT file", "not a readable MAT file"),
        ("r.h5", b"no HDF5 file", "not a readable HDF5 file"),
        ("r.npy", b"no NPY file", "not a readable NPY file"),
        ("r.csv", b"a,b\n1,x\n", "column b holds text"),
        ("r.csv", b"frame\n1\n", "no column of signals"),
        ("r.csv", b"0.25,-1.5e-2\n0.5,0.125\n", "no header"),
        ("r.csv", b"", "an empty file (0 bytes)"),
        ("r.csv", b"a\n1\ninf\n", "infinite values in ROI 1"),
        ("r.xlsx", b"PK", "ROI signals are read from HDF5 (.h5, "),
    ],
)
def test_bad_files_get_one_line(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(read_signals, path, T)
    assert message.startswith(f"{path}: ") and words in message


def test_a_pickle_is_not_opened(tmp_path):
    np.save(tmp_path / "r.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "not a readable NPY file" in refusal(read_signals, tmp_path / "r.npy", T)
    with pytest.raises(FileNotFoundError):
        read_signals(tmp_path / "none.h5", T)


def test_names_survive_in_the_recording(tmp_path):
    one = recording(SIGNALS, names=("a", "b", "c"))
    assert read_recording(write_recording(tmp_path, one)).roi_names == ("a", "b", "c")
    (tmp_path / "s1.h5").unlink()
    unnamed = write_recording(tmp_path, recording(SIGNALS))
    assert read_recording(unnamed).roi_names is None


# --- the config ----------------------------------------------------------------------------------

MICE = {f"m{m}": [f"m{m}_s{s}" for s in range(1, 5)] for m in range(1, 6)}


def config(decoder, mice=MICE, **recordings):
    files = {"movie": "{session}.tif", "behavior": "{session}.mat", "rois": "{session}_roi.mat"}
    decoders = {"d": {"input": "rois", "rnn": "gru"} | decoder}
    return {"study": "s", "mice": mice, "recordings": files | recordings, "decoders": decoders}


def test_kinds_of_roi_decoders():
    study = studies.resolve(config({}))
    assert (study.decoders["d"].kind, study.roi_decoders) == ("roi_rnn", [study.decoders["d"]])
    classical = config({})
    classical["decoders"]["d"] = {"input": "rois", "model": "linear_svm"}
    assert studies.resolve(classical).decoders["d"].kind == "roi_classical"


def test_labels_are_permuted_within_each_mouse_by_the_decoders_seed():
    def donors(**decoder):
        return studies.resolve(config(decoder)).label_donors("d")

    assert donors() == {}
    null = donors(labels="permuted_between_sessions")
    assert null == donors(labels="permuted_between_sessions")
    assert null != donors(labels="permuted_between_sessions", seed=1)
    assert sorted(null) == sorted(null.values())
    for seed in range(20):
        drawn = donors(labels="permuted_between_sessions", seed=seed)
        assert all(a != b and a[:2] == b[:2] for a, b in drawn.items())
    # Any permutation of 4 leaves one session in its place on average, so 5 in 5 mice.
    fixed = [sum(a == b for a, b in donors(labels="published", seed=s).items()) for s in range(40)]
    assert 3.5 < np.mean(fixed) < 6.5


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            config({"labels": "permuted_between_sessions"}, mice=MICE | {"m3": ["alone"]}),
            "decoders.d.labels: mouse m3 has one session",
        ),
        (config({}, rois=None), "decoders.d: input rois needs ROI signals"),
        (config({}, roi_masks="masks.tsv"), "give one of them"),
        (config({}, rois=None, roi_masks="{mose}.tsv"), "recordings.roi_masks"),
        (config({"rois": [0]}), "decoders.d.rois.0"),
        (config({"normalise": "mean"}), "minmax, zscore, dff, none"),
        (config({"half_windw": 5}), "did you mean 'half_window'"),
    ],
)
def test_bad_configs_are_named(made, words):
    assert words in refusal(studies.resolve, made)


def test_one_mask_file_may_serve_all_sessions():
    study = studies.resolve(config({}, rois=None, roi_masks="masks/{mouse}.tsv"))
    assert study.source("roi_masks", "m2_s1") == "masks/m2.tsv"
    study = studies.resolve(config({}, rois=None, roi_masks="masks.tsv"))
    assert study.source("roi_masks", "m2_s1") == "masks.tsv"


@pytest.mark.parametrize("changes", [{}, {"rois": [6, 8], "baseline": None, "shift": -7}])
def test_settings_survive_the_command_line(changes):
    import argparse

    settings = schema.defaults("roi_rnn", rnn="gru", **changes)
    parser = argparse.ArgumentParser()
    options.add_settings(parser, "roi_rnn")
    words = options.as_flags(settings, "roi_rnn").split()
    read = options.settings_of(parser.parse_args(words), "roi_rnn")
    assert read == {key: settings[key] for key in read}


def test_the_summary_of_an_roi_is_over_the_sessions_in_which_it_has_a_correlation():
    rows = [("a", 1, "M1", 0.1), ("b", 1, "M1", 0.2), ("c", 1, "M1", 0.9), ("a", 2, "V1", 0.5)]
    rows += [("b", 2, "V1", np.nan)]
    table = pd.DataFrame(rows, columns=["session", "roi", "name", "r"])
    first, second = roi_correlation.correlation_summary(table).itertuples()
    assert (first.roi, first.name, first.n, second.n) == (1, "M1", 3, 1)
    assert first.mean == pytest.approx(0.4) and first.sd == pytest.approx(np.sqrt(0.19))
    assert second.mean == 0.5 and np.isnan(second.sd)
