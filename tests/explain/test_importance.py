"""What decoders look at, as the workflow computes it: maps, tables, figures, config, jobs."""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
import torch

from make import ROI_STUDY, ROOT, STUDY, add_files, check_commands, plan, with_importance
from make_recordings import write_rois
from make_tables import map_of
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.decoders.networks import rnn_decoder
from mesodecode.decoders.weights import Trained
from mesodecode.explain import (
    deepshap,
    explained,
    shap_figure,
    shap_files,
    shap_maps,
    shap_tables,
)
from mesodecode.explain.attributions import explain
from mesodecode.recordings.recording import Recording
from mesodecode.study import importance, schema, study
from tabled import as_tabled

PUBLISHED = ROOT.parent / "shared/reference/ajioka2024/shap_mean_abs.mat"
N_FRAMES, N_ROIS = 60, 3
SETTINGS = schema.defaults(
    "roi_rnn", rnn="rnn", hidden_size=1, half_window=0, baseline=None, normalise="none"
)
ANALYSIS = schema.defaults("importance_shap", background=20, windows=10, output="logit")


pytestmark = pytest.mark.usefixtures("one_thread")


@functools.cache
def recording(mouse: str, n_rois: int = N_ROIS, **changes) -> Recording:
    rng = np.random.default_rng(sum(map(ord, mouse)))
    return dataclasses.replace(
        Recording(
            **{"path": Path(f"{mouse}.h5"), "session": f"{mouse}_s1", "mouse": mouse},
            **{"frame_rate": 30.0, "labels": rng.integers(0, 2, N_FRAMES).astype(np.uint8)},
            **{"speed": None, "segment": None, "pixel_mean": None, "stack_sd": 1.0},
            rois=rng.standard_normal((N_FRAMES, n_rois)).astype(np.float32),
            shape=(N_FRAMES, 8, 8),
        ),
        **changes,
    )


def trained(n_rois: int = N_ROIS, **changes) -> Trained:
    settings = SETTINGS | {"dropped": []} | changes
    torch.manual_seed(1)
    state = rnn_decoder(n_rois, settings).state_dict()
    return Trained("roi_rnn", settings, ("a", "b"), ("c",), state)


def run(network: Trained, test=None, background=None, **changes) -> shap_maps.ShapMap:
    test = test or [recording("d")]
    background = [recording("a"), recording("b")] if background is None else background
    return shap_maps.shap_map(network, test, background, ANALYSIS | changes, decoder="x")


# Maps


@pytest.mark.parametrize("background_from", ["train", "test"])
def test_a_linear_decoder_gives_weights_times_mean_distances(background_from):
    network = trained()
    with torch.no_grad():  # so small that tanh is linear
        network.state["rnn.weight_ih_l0"].copy_(torch.tensor([[2e-4, -1e-4, 0]]))
        network.state["rnn.bias_ih_l0"].zero_()
        network.state["rnn.bias_hh_l0"].zero_()
        network.state["head.weight"].fill_(3)
    drawn_from = [recording("a"), recording("b")] if background_from == "train" else []
    found = shap_maps.shap_map(
        *(network, [recording("d")], drawn_from, ANALYSIS | {"background": 10**6, "windows": 6}),
        decoder="x",
    )
    explained = recording("d").rois[[5, 15, 25, 35, 45, 55]]  # the middles of sixths
    mean = np.concatenate([r.rois for r in drawn_from or [recording("d")]]).mean(axis=0)
    expected = 3 * np.array([2e-4, 1e-4, 0]) * np.abs(explained - mean).mean(axis=0)
    np.testing.assert_allclose(found.mean_abs, expected[None], rtol=1e-4, atol=1e-12)
    assert found.mean_abs.dtype == np.float64
    assert (found.n_windows, found.background_from) == (6, background_from)
    assert found.n_background == {"train": 120, "test": 60}[background_from]  # all there are
    assert found.allocation == "train-a+b.valid-c.test-d" and found.test_mouse == "d"
    assert found.completeness_error < 1e-6


def test_a_tcn_has_a_map_too():
    assert study.resolve(with_importance(decoder="tcn")).config["importance"]["shap"]
    network = trained(rnn="tcn", half_window=2, hidden_size=4)
    found = run(network, windows=7)
    assert found.mean_abs.shape == (5, N_ROIS) and (found.mean_abs > 0).all()
    assert found.completeness_error < 1e-5


def test_batches_change_nothing_and_the_largest_error_is_kept(monkeypatch):
    network = trained(half_window=2, hidden_size=4)
    whole = run(network, windows=23)
    monkeypatch.setattr(shap_maps, "BATCH", 5)
    parts = run(network, windows=23)
    np.testing.assert_allclose(parts.mean_abs, whole.mean_abs, rtol=1e-5)  # of float32
    assert (parts.n_windows, parts.base) == (23, whole.base)
    assert parts.mean_abs.shape == (5, N_ROIS)
    errors = iter([1e-7, 9e-7, 3e-7, 0.0, 0.0])

    def fake(*args, **settings):
        return dataclasses.replace(explain(*args, **settings), completeness_error=next(errors))

    monkeypatch.setattr(shap_maps, "explain", fake)
    assert run(network, windows=23).completeness_error == 9e-7


def test_sums_are_in_the_unit_of_a_trace_and_of_each_side_by_hand():
    """Batches of two windows and one, of a frame and two ROIs; a trace of SD 5 and mean 3."""
    sums = shap_maps.Sums((1, 2), explained.Output("pupil", scale=5.0, offset=3.0), "cpu")
    for values, base, error, high in (
        ([[1.0, -2.0], [3.0, 0.0]], 0.5, 0.1, [True, False]),
        ([[-1.0, 4.0]], 9.0, 0.02, [True]),
    ):
        made = torch.tensor(values)[:, None]
        sums.add(deepshap.Explanation(made, base, error), -made, torch.tensor(high))
    assert (sums.base, sums.error, sums.n_run) == (5.5, 0.5, 2)  # the base of the first
    found = {name: value.tolist() for name, value in sums.means().items()}
    wanted = {"mean_abs": [25 / 3, 10], "signed": [-5, -10 / 3], "in_run": [0, 5]}
    for name, value in (wanted | {"in_rest": [15, 0]}).items():
        assert found[name][0] == pytest.approx(value), name


def test_windows_lie_in_the_middle_of_equal_parts():
    assert shap_maps.evenly(10, 2).tolist() == [2, 7]
    assert shap_maps.evenly(9, 3).tolist() == [1, 4, 7]
    assert shap_maps.evenly(3, 5).tolist() == [0, 1, 2]


def test_seed_draws_the_background_and_nothing_else():
    network = trained(half_window=1, hidden_size=4)
    first, again, other = (run(network, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.mean_abs, again.mean_abs)
    assert not np.array_equal(first.mean_abs, other.mean_abs)


@pytest.mark.parametrize("method", ["gradient", "integrated"])
def test_every_method_ends_in_a_map(method):
    network = trained(half_window=1, hidden_size=3)
    deep, other = run(network), run(network, method=method)
    assert other.method == method
    np.testing.assert_allclose(other.mean_abs, deep.mean_abs, rtol=0.5, atol=0.02)


def test_time_is_that_of_the_signals_relative_to_the_decoded_frame():
    found = run(trained(half_window=2, shift=-3))
    assert found.frame.tolist() == [-5, -4, -3, -2, -1]
    differ = [recording("d"), recording("d", session="d2", frame_rate=20.0)]
    assert (found.frame_rate, run(trained(), differ).frame_rate) == (30, 0)


def test_rois_keep_their_numbers_and_names():
    named = {"roi_names": ("V1", "M1", "S1")}
    background = [recording("a", **named)]
    only = run(trained(2, rois=[3, 1], others="drop"), [recording("d", **named)], background)
    assert (only.roi.tolist(), only.names) == ([3, 1], ("S1", "V1"))
    zero = run(trained(rois=[2]))
    assert zero.roi.tolist() == [1, 2, 3] and zero.names == ()
    assert (zero.mean_abs[:, [0, 2]] == 0).all() and (zero.mean_abs[:, 1] > 0).all()
    dropped = run(trained(drop=True, dropped=[2]))  # some validation mouse lacked it
    assert (dropped.mean_abs.sum(axis=0) > 0).tolist() == [True, False, True]
    chosen = run(trained(2, rois=[3, 1], others="drop", drop=True, dropped=[1]))
    assert (chosen.mean_abs.sum(axis=0) > 0).tolist() == [True, False]


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="test-b: a mouse has two roles"):
        run(trained(), [recording("b")])
    for mouse in "cd":  # which chose its epoch, and which is tested
        with pytest.raises(UserError, match=rf"ground: mouse {mouse} did not train .*\(a, b did\)"):
            run(trained(), background=[recording("a"), recording(mouse)])
    for n in (2, 4):
        words = rf"d\.h5: gives {n} ROIs, but the decoder was trained on 3"
        with pytest.raises(UserError, match=words):
            run(trained(), [recording("d", n)])
    with pytest.raises(UserError, match=r"d\.h5: no frame has a window of ±30 frames"):
        run(trained(half_window=30))
    flat = recording("d").rois.copy()
    flat[:, 1] = 0
    flat = dataclasses.replace(recording("d"), rois=flat)
    with pytest.raises(UserError, match=r"ROI 2: constant or missing in one of d\.h5"):
        run(trained(drop=True), [flat])
    # a mouse that lacks what the decoder was trained without is as any other
    assert (run(trained(drop=True, dropped=[2]), [flat]).mean_abs[:, [0, 2]] > 0).all()


def test_rois_have_the_names_that_the_decoder_was_trained_with():
    names = ["V1", "M1", "S1"]
    assert run(trained(roi_names=names)).names == tuple(names)  # of recordings without names
    assert run(trained(roi_names=[""] * 3)).names == ()
    named = dataclasses.replace(recording("d"), roi_names=("a", "b", "c"))
    assert run(trained(), [recording("d"), named]).names == ("a", "b", "c")


def test_a_map_is_read_as_it_was_written(tmp_path):
    for names in ((), ("V1", "M1", "S1")):
        written = dataclasses.replace(run(trained(half_window=1)), names=names)
        written.write(tmp_path / "map.h5")
        read = dataclasses.asdict(shap_files.read(tmp_path / "map.h5"))
        for key, value in dataclasses.asdict(written).items():
            assert np.array_equal(read[key], value), key
    (tmp_path / "bad.h5").write_text("no HDF5")
    with pytest.raises(UserError, match=r"bad\.h5: not a file of `mesodecode shap`"):
        shap_files.read(tmp_path / "bad.h5")


# Tables and figures


MAPS = [map_of([[1, 0], [2, 0], [3, 1]]), map_of([[1, 2], [0, 2], [1, 1]], "two")]


def test_table_sums_over_frames_and_averages_over_allocations():
    table = as_tabled(shap_tables.roi_table(MAPS), "shap_by_roi")
    assert table.columns.tolist() == ["roi", "name", "n", "mean", "sd"]
    assert table["mean"].tolist() == [4, 3] and table["n"].tolist() == [2, 2]
    np.testing.assert_allclose(table["sd"], [np.sqrt(8), np.sqrt(8)])
    assert shap_tables.roi_table(MAPS[:1])["sd"].isna().all()
    np.testing.assert_array_equal(shap_tables.mean_map(MAPS), [[1, 1], [1, 1], [2, 1]])


@pytest.mark.parametrize(
    "changes",
    [{"roi": np.array([1, 3])}, {"decoder": "other"}, {"frame": np.arange(3)}, {"output": "logit"}],
)
def test_maps_of_other_analyses_are_not_averaged(changes):
    with pytest.raises(UserError, match="allocations one and two: of other ROIs"):
        shap_tables.mean_map([MAPS[0], dataclasses.replace(MAPS[1], **changes)])


def test_summary_writes_table_and_figure(tmp_path):
    paths = [tmp_path / f"{one.allocation}.h5" for one in MAPS]
    for one, path in zip(MAPS, paths, strict=True):
        one.write(path)
    (tmp_path / "maps.txt").write_text("".join(f"{path}\n" for path in paths))
    words = ["shap-summary", "--maps", str(tmp_path / "maps.txt"), "--name", "fig6"]
    out = ["--out", str(tmp_path / "t.tsv"), "--figure", str(tmp_path / "f")]
    assert cli.main([*words, *out]) == 0
    assert pd.read_csv(tmp_path / "t.tsv", sep="\t")["mean"].tolist() == [4, 3]
    svg = (tmp_path / "f.svg").read_text()
    assert "fig6: ROIs that roi_gru looks at" in svg and "n = 2" in svg and "Time (s)" in svg
    assert (tmp_path / "f.png").stat().st_size > 10_000


def test_summary_tests_against_permuted_labels_and_marks_what_differs(tmp_path):
    """20 allocations: ROI 1 is above the null in all, ROI 2 is not."""
    rng = np.random.default_rng(0)
    files = {}
    for decoder, size in (("roi_gru", 5.0), ("null", 1.0)):
        for index in range(20):
            values = rng.uniform(0.5, 1.5, (3, 2)) * [size, 1]
            path = tmp_path / f"{decoder}{index}.h5"
            map_of(values, str(index), decoder=decoder).write(path)
            files.setdefault(decoder, []).append(str(path))
    words = ["shap-summary", "--maps", *files["roi_gru"], "--null-maps", *files["null"]]
    out = ["--out", str(tmp_path / "t.tsv"), "--figure", str(tmp_path / "f")]
    assert cli.main([*words, *out]) == 0
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    assert table["statistic"][0] == 400 and table["p_holm"][0] < 1e-6 < 0.05 < table["p_holm"][1]
    null = np.array([shap_files.read(path).mean_abs.sum(axis=0) for path in files["null"]])
    np.testing.assert_allclose(table["mean_null"], null.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(table["sd_null"], null.std(axis=0, ddof=1), rtol=1e-5)
    svg = (tmp_path / "f.svg").read_text()
    assert "permuted labels (n = 20)" in svg and "none can differ" not in svg
    assert svg.count(">*</text>") == 1
    (tmp_path / "null.txt").write_text("\n".join(files["null"][:3]))  # a list of files
    null = ["--null-maps", str(tmp_path / "null.txt")]
    few = ["shap-summary", "--maps", *files["roi_gru"][:3], *null]
    assert cli.main([*few, *out]) == 0
    assert "p cannot be less than 0.16: none can differ" in (tmp_path / "f.svg").read_text()
    other = map_of(np.ones((3, 2)), decoder="null", roi=np.array([1, 3]))
    other.write(tmp_path / "other.h5")
    assert cli.main([*words[:-20], str(tmp_path / "other.h5"), *out]) == 1


@pytest.mark.skipif(not PUBLISHED.exists(), reason=f"the published values are not at {PUBLISHED}")
def test_published_values_put_the_limb_areas_on_top():
    values = scipy.io.loadmat(PUBLISHED)["mean_val"]  # allocations, frames, ROIs
    maps = [map_of(one, str(index)) for index, one in enumerate(values)]
    mean, table = shap_tables.mean_map(maps), shap_tables.roi_table(maps)
    assert mean.shape == (31, 50) and set(table["n"]) == {20}
    assert table.sort_values("mean", ascending=False)["roi"][:4].tolist() == [8, 31, 33, 6]
    figure = shap_figure.draw(mean, table, maps[0].frame, 30.0)
    heat, bars, _ = figure.axes
    np.testing.assert_array_equal(heat.images[0].get_array(), mean)
    np.testing.assert_allclose(heat.images[0].get_extent(), [-0.5, 49.5, -31 / 60, 31 / 60])
    np.testing.assert_allclose([bar.get_height() for bar in bars.patches], table["mean"])


def test_verb_takes_its_background_from_the_recordings_named_so(tmp_path):
    """Image sizes of mice differ, and do not matter."""
    mice = {
        mouse: dataclasses.replace(recording(mouse), rois=recording(mouse).rois + ord(mouse) / 10)
        for mouse in "abd"
    }
    files = {mouse: write_rois(tmp_path, one) for mouse, one in mice.items()}
    trained().save(tmp_path / "gru.pt")
    words = ["shap", "--weights", tmp_path / "gru.pt", "--recordings", files["d"], "--threads", 1]
    words += ["--windows", 10, "--background", 20, "--output", "logit", "--decoder", "x"]
    words += ["--background-recordings", files["a"], files["b"], "--out", tmp_path / "map.h5"]
    assert cli.main([str(word) for word in words]) == 0
    found = shap_files.read(tmp_path / "map.h5")
    expected = run(trained(), [mice["d"]], [mice["a"], mice["b"]])
    np.testing.assert_allclose(found.mean_abs, expected.mean_abs, rtol=1e-5)
    assert found.base == pytest.approx(expected.base)


@pytest.mark.parametrize("verb", ["shap", "shap-check"])
def test_windows_that_last_another_time_than_in_training_are_said(tmp_path, capsys, verb):
    files = {mouse: write_rois(tmp_path, recording(mouse)) for mouse in "abd"}
    known = trained()
    settings = known.settings | {"frame_rate": 2 * recording("d").frame_rate}
    dataclasses.replace(known, settings=settings).save(tmp_path / "gru.pt")
    words = ["--weights", tmp_path / "gru.pt", "--recordings", files["d"], "--threads", 1]
    words += ["--background-recordings", files["a"], files["b"], "--out", tmp_path / "map.h5"]
    few = ["--windows", 5, "--background", 5, "--decoder", "x"]
    if verb == "shap-check":  # which needs maps of all allocations, and speaks before it reads them
        few = ["--maps", tmp_path / "none.h5"]
    cli.main([verb, *(str(word) for word in [*words, *few])])
    assert "its windows are counted in frames" in capsys.readouterr().err


# Config and jobs


def test_defaults_fill_in():
    assert study.resolve(with_importance()).config["importance"] == {
        "shap": {
            **{"decoder": "gru", "method": "deep", "background": 1000, "windows": 1000},
            **{"background_from": "train", "output": "probability", "seed": 123},
            **{"null_decoder": None, "seeds": [], "mirror": None},
            "checks": {"frames": 500, "draws": None, "noise_draws": 0},
        }
    }
    assert study.resolve(ROI_STUDY).config["importance"] == {}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            {"decoder": "svm"},
            "shap.decoder: no recurrent decoder of ROI signals 'svm'; known: gru, null, other, s2, "
            "tcn",
        ),
        (
            {"decoder": "x"},
            "shap.decoder: no recurrent decoder of ROI signals 'x'; known: gru, null, other, s2, "
            "tcn",
        ),
        ({"decoder": 1}, "shap.decoder: 1 is not of type 'string'; write it in quotes"),
        ({"background": 1}, "shap.background: 1 is less than the minimum of 2"),
        ({"backgruond": 9}, "shap.backgruond: no such key; did you mean 'background'?"),
        ({"background_from": "valid"}, "shap.background_from: 'valid' is not one of train, test"),
        ({"method": "lime"}, "shap.method: 'lime' is not one of deep, gradient, integrated"),
        ({"windows": 0}, "shap.windows: 0 is less than the minimum of 1"),
        (
            {"null_decoder": "x"},
            "shap.null_decoder: no decoder 'x'; known: gru, svm, null, other, s2, tcn",
        ),
        (
            {"null_decoder": "s2"},
            "shap.null_decoder: 's2' differs from gru by seed; name one that differs by its "
            "labels, such as {like: gru, labels: permuted_between_sessions}",
        ),
        (
            {"null_decoder": "gru", "decoder": "null"},
            "shap.null_decoder: 'gru' differs from null by labels; name one that differs by its "
            "labels, such as {like: null, labels: permuted_between_sessions}",
        ),
        (
            {"seeds": ["s2", "other"]},
            "shap.seeds: 'other' differs from gru by half_window, seed; name one that differs by "
            "its seed, such as {like: gru, seed: 2}",
        ),
        (
            {"seeds": ["gru"]},
            "shap.seeds: 'gru' differs from gru by nothing; name one that differs by its seed, "
            "such as {like: gru, seed: 2}",
        ),
        ({"seeds": "s2"}, "shap.seeds: 's2' is not of type 'array'; write a list: [s2]"),
        ({"seeds": ["s2", "s2"]}, "shap.seeds: ['s2', 's2'] has non-unique elements"),
    ],
)
def test_bad_config_gets_one_line_that_names_the_key(line, message):
    with pytest.raises(UserError, match=f"^{re.escape(f'config: importance.{message}')}$"):
        study.resolve(with_importance(**line))


def test_a_line_needs_a_decoder_and_a_name():
    with pytest.raises(UserError, match=r"^config: importance\.shap: 'decoder' is missing$"):
        study.resolve(ROI_STUDY | {"importance": {"shap": {}}})
    with pytest.raises(UserError, match=r"^config: importance: 'a/b' is not an analysis's name"):
        study.resolve(ROI_STUDY | {"importance": {"a/b": {"decoder": "gru"}}})


def test_a_line_is_not_named_like_the_checks_of_another():
    config = with_importance()
    config["importance"]["shap_checks"] = {"decoder": "gru"}
    with pytest.raises(UserError, match="shap_checks: the name of a table of 'shap'"):
        study.resolve(config)


def test_a_seed_may_start_from_a_cnn_of_another_seed_too():
    decoders = {"cnn": {}, "cnn2": {"like": "cnn", "seed": 2}, "cnn3": {"like": "cnn", "epochs": 9}}
    decoders["own"] = {"start_from": "cnn", "rnn": "gru"}
    for name in ("cnn2", "cnn3"):
        decoders[f"own_{name}"] = {"like": "own", "start_from": name}
    found = study.resolve(STUDY | {"decoders": decoders}).decoders
    by = [importance.differences(found["own"], found[f"own_{k}"], found) for k in ("cnn2", "cnn3")]
    assert by == [{"seed"}, {"start_from"}]


def test_jobs_read_the_mice_that_the_config_names(tmp_path):
    config = with_importance(windows=7)
    add_files(tmp_path, config)
    config["importance"]["published"] = {
        **{"decoder": "gru", "background_from": "test", "null_decoder": "null"},
        "seeds": ["s2"],
    }
    jobs, lines = plan(tmp_path, config=config)
    assert (jobs["shap"], jobs["shap_summary"]) == (20, 2)  # 5 of gru twice, of null and s2 once
    assert (jobs["shap_check"], jobs["map_checks"]) == (10, 2)
    check_commands(lines, jobs)
    name, results = "train-b+c+d.valid-a.test-e", "results/lab"
    own, published = (
        next(line for line in lines if f"--out {results}/importance/{key}/gru/{name}.h5" in line)
        for key in ("shap", "published")
    )
    files = " ".join(f"{results}/recordings/{mouse}.txt" for mouse in "bcd")
    assert f"--background-recordings {files} --decoder gru" in own and "--windows 7 " in own
    assert f"--weights {results}/models/gru/{name}.pt " in own
    assert f"--recordings {results}/recordings/e.txt " in own
    assert "--background-recordings" not in published
    folder = f"{results}/importance/published"
    (null,) = [line for line in lines if f"--out {folder}/null/{name}.h5" in line]
    assert "--decoder null" in null and f"--weights {results}/models/null/{name}.pt " in null
    check = next(line for line in lines if f"--out {folder}/gru/{name}.check.h5" in line)
    assert f"--maps {folder}/maps.txt " in check and "--truth" not in check
    assert jobs["maps_of_analysis"] == 6  # maps and checks of both; null and a seed of one
    (judge,) = [line for line in lines if "map-checks" in line and "--name published" in line]
    assert f"--maps {folder}/maps.txt " in judge
    for flag, listed in (("--checks", "checks"), ("--null-maps", "null"), ("--seed-maps", "seed1")):
        assert judge.count(f" {flag} {folder}/{listed}.txt ") == 1
    (plain,) = [line for line in lines if "map-checks" in line and "--name shap" in line]
    assert "--null-maps" not in plain and "--seed-maps" not in plain
    summaries = [line for line in lines if line.startswith("mesodecode shap-summary")]
    assert sorted("--null-maps" in line for line in summaries) == [False, True]
    (report,) = [line for line in lines if line.startswith("mesodecode report")]
    tables, figures = (
        report.partition(f" {flag} ")[2].partition(" --")[0].split()
        for flag in ("--tables", "--figures")
    )
    for key in ("shap", "published"):
        assert f"{results}/tables/importance_{key}_checks.tsv" in tables
        assert f"{results}/figures/importance_{key}.svg" in figures
        assert f"{results}/figures/importance_{key}_checks.svg" in figures


def test_no_truth_is_known_of_rois_that_the_simulation_does_not_number(tmp_path):
    config = with_importance() | {"simulate": {}, "recordings": {"roi_masks": "masks.tif"}}
    (tmp_path / "masks.tif").touch()
    _, lines = plan(tmp_path, config=config)
    assert any("shap-check" in line for line in lines)
    assert not any("--truth" in line for line in lines)
