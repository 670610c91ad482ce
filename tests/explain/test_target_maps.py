"""Maps of decoders of traces and of named states: by hand, and on what a simulation plants."""

from __future__ import annotations

import functools
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import r2_score
from torch import nn

from make import STUDY
from make_decoders import SIDE, TINY
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.base.metrics import macro_auc
from mesodecode.decoders.networks import CNNDecoder, CNNRNNDecoder, RNNDecoder, rnn_decoder
from mesodecode.decoders.weights import Trained
from mesodecode.explain import (
    check_files,
    cutout_masks,
    explained,
    map_check,
    map_measures,
    map_verdicts,
    shap_files,
    shap_maps,
    shap_tables,
)
from mesodecode.explain.cutout import cutout_importance
from mesodecode.recordings.recording import Recording
from mesodecode.simulation import truth
from mesodecode.simulation.simulate import PUPIL, simulate_session, write_session
from mesodecode.study import schema, study
from mesodecode.study.targets import Target

N_FRAMES = 200
SETTINGS = schema.defaults(
    "roi_rnn", rnn="rnn", hidden_size=3, half_window=0, baseline=None, normalise="zscore"
)
ANALYSIS = schema.defaults("importance_shap", background=60, windows=80)
PX = Target("pupil", unit="px", mean=40.0, sd=5.0)
NAMED = Target("states", ("rest", "walk", "groom"))
MICE = ("d", "e", "f")

pytestmark = pytest.mark.usefixtures("one_thread")


def recording(mouse: str, rois: np.ndarray, labels: np.ndarray, target: Target) -> Recording:
    return Recording(
        **{"path": Path(f"{mouse}.h5"), "session": f"{mouse}_s1", "mouse": mouse},
        **{"frame_rate": 30.0, "labels": labels, "speed": None, "segment": None},
        **{"pixel_mean": None, "stack_sd": 1.0, "rois": rois, "shape": (len(rois), 8, 8)},
        target=Target(target.name, target.states, target.unit),
    )


def reader(weights: np.ndarray, target: Target) -> Trained:
    """A decoder whose outputs are weights (K, R) x signals, as long as these are small."""
    weights = np.atleast_2d(weights)
    settings = SETTINGS | {"dropped": [], "hidden_size": len(weights)} | target.settings()
    model = rnn_decoder(weights.shape[1], settings)
    state = {key: torch.zeros_like(value) for key, value in model.state_dict().items()}
    state["rnn.weight_ih_l0"][:] = torch.as_tensor(1e-3 * weights)
    state["head.weight"][:] = 1000 * torch.eye(len(weights))
    return Trained("roi_rnn", settings, ("a", "b"), ("c",), state)


@functools.cache
def noise(mouse: str, target: Target) -> Recording:
    """Signals of 6 ROIs: ROI 1 is the trace, or ROIs 1 to 3 tell the states."""
    rng = np.random.default_rng(sum(map(ord, mouse)))
    rois = rng.standard_normal((N_FRAMES, 6)).astype(np.float32)
    labels = 40 + 5 * rois[:, 0]
    if target.states:
        labels = rois[:, :3].argmax(axis=1).astype(np.uint8)
    return recording(mouse, rois, labels, target)


def standardised(mouse: str, target: Target) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The signals explained and of the background, and the labels of those explained."""
    one = noise(mouse, target)
    signals = (one.rois - one.rois.mean(axis=0)) / one.rois.std(axis=0)
    at = shap_maps.evenly(N_FRAMES, ANALYSIS["windows"])
    drawn = np.random.default_rng(ANALYSIS["seed"]).choice(N_FRAMES, 60, replace=False)
    return signals[at], signals[drawn], one.labels[at]


def mapped(weights, target, mouse="d", **changes):
    network = reader(np.asarray(weights, float), target)
    return shap_maps.shap_map(
        network, [noise(mouse, target)], [], ANALYSIS | changes, decoder="gru"
    )


TRACE = np.array([0.9, -0.4, 0, 0, 0.2, 0])
OF_STATES = np.array([[2.0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 3, 0, 0.5, 0]])


# By hand


def test_a_trace_is_explained_in_its_unit():
    found = mapped(TRACE, PX)
    signals, usual, labels = standardised("d", PX)
    values = 5 * TRACE * (signals - usual.mean(axis=0))
    np.testing.assert_allclose(found.mean_abs[0], np.abs(values).mean(axis=0), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(found.mean_abs, found.each_abs[0])
    assert found.base == pytest.approx(40 + 5 * (usual @ TRACE).mean(), abs=1e-3)
    np.testing.assert_allclose(found.signed[0], np.sign(TRACE) * found.mean_abs, atol=1e-4)
    high = labels > labels.mean()
    np.testing.assert_allclose(found.one_side[0, 0], values[high].mean(axis=0), atol=0.02)
    np.testing.assert_allclose(found.other_side[0, 0], values[~high].mean(axis=0), atol=0.02)
    assert found.n_one_side == high.sum() and found.completeness_error < 1e-4
    assert found.target == Target("pupil", unit="px") and found.output == "value"


def test_of_states_each_log_probability_less_the_mean_of_all_is_explained():
    network = reader(OF_STATES, NAMED).build()
    windows = torch.randn(20, 1, 6)
    logs = torch.log_softmax(network(windows), 1)
    centred = explained.network_of(network, NAMED)
    made = [output.of(centred(windows)) for output in explained.outputs(NAMED)]
    torch.testing.assert_close(torch.stack(made, 1), logs - logs.mean(1, keepdim=True))
    assert network(windows).mean(1).abs().max() > 0.1  # the decoder itself is as it was
    found = mapped(OF_STATES, NAMED)
    signals, usual, labels = standardised("d", NAMED)
    weights = OF_STATES - OF_STATES.mean(axis=0)
    values = weights[:, None] * (signals - usual.mean(axis=0))  # states, windows, ROIs
    np.testing.assert_allclose(found.each_abs[:, 0], np.abs(values).mean(1), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.mean_abs, found.each_abs.mean(axis=0))
    np.testing.assert_allclose(found.signed.sum(axis=0), 0, atol=1e-4)  # for one is against others
    for code in range(3):
        there = labels == code
        np.testing.assert_allclose(
            found.one_side[code, 0], values[code, there].mean(axis=0), atol=0.02
        )
        assert found.n_one_side[code] == there.sum()


@pytest.mark.parametrize("target", [PX, NAMED])
def test_a_map_is_read_as_written_and_its_tables_say_what_they_are_of(tmp_path, target):
    weights = TRACE if target is PX else OF_STATES
    maps = [mapped(weights, target, mouse) for mouse in MICE[:2]]
    maps[0].write(tmp_path / "m.h5")
    again = shap_files.read(tmp_path / "m.h5")
    for key, value in vars(maps[0]).items():
        assert np.array_equal(getattr(again, key), value), key
    signed, times = shap_tables.signed_table(maps), shap_tables.time_table(maps)
    sides = ["in_high", "in_low"] if target is PX else ["in_state", "in_others"]
    columns = ["roi", "name", "n", "mean_abs", "signed", "sd", *sides]
    if target is PX:
        assert [*signed] == [*columns, "toward", "peak_frame", "peak_s"] and len(signed) == 6
        assert signed["toward"].tolist()[:3] == ["high", "low", "-"]
    else:
        assert [*signed][:9] == ["state", *columns] and len(signed) == 18
        walk = signed[signed["state"] == "walk"].set_index("roi")
        assert walk["toward"].tolist()[:3] == ["others", "state", "others"]
        assert walk.loc[2, "in_state"] > 0 > walk.loc[2, "in_others"]
    assert set(sides) < {*times} and "in_run" not in times
    other = (
        mapped(weights, Target("x", unit="px", mean=40, sd=5))
        if target is PX
        else mapped(OF_STATES, Target("states", ("rest", "groom", "walk")))
    )
    with pytest.raises(UserError, match="summarise maps of one analysis"):
        shap_tables.mean_map([maps[0], other])


def test_a_decoder_explains_recordings_of_its_own_target_alone():
    with pytest.raises(
        UserError,
        match=r"w.pt: decodes pupil \(px\), but the target of the recordings is pupil \(mm\)",
    ):
        PX.check_same(Target("pupil", unit="mm"), "w.pt")
    PX.check_same(Target("pupil", unit="px"), "w.pt")  # whatever mean and SD it was trained with
    NAMED.check_same(Target("states", ("rest", "walk", "groom")), "w.pt")
    for states in (("walk", "rest", "groom"), ("rest", "walk")):  # in another order: other columns
        with pytest.raises(UserError, match=rf"recordings is states \({', '.join(states)}\)"):
            NAMED.check_same(Target("states", states), "w.pt")


# What is planted


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the simulated sessions lie, each made once."""
    return tmp_path_factory.mktemp("simulated")


@functools.cache
def simulated(mouse: str, folder: Path):
    """A simulated session with a pupil; its file of truth."""
    settings = schema.defaults("simulate") | {
        **{"image_size": 32, "n_frames": 400, "run_signal": 0.1, "pupil_signal": 0.08},
        "pupil_time_s": 0.5,
    }
    made = simulate_session(mouse=mouse, session=f"{mouse}_s1", run_share=0.4, **settings)
    write_session(made, folder)
    return made, folder / f"{mouse}_s1_truth.h5"


def planted(mouse: str, target: Target, folder: Path) -> Recording:
    made, _ = simulated(mouse, folder)
    labels = (PUPIL[0] + PUPIL[1] * made.truth.pupil).astype(np.float32)
    if target.states:
        labels = np.where(made.label, np.where(made.truth.pupil > 0, 2, 1), 0).astype(np.uint8)
    return recording(mouse, made.rois.T.copy(), labels, target)


def fitted(target: Target, folder: Path) -> Trained:
    """A ridge regression of the trace, or of each state, on the signals of two mice."""
    ones = [planted(mouse, target, folder) for mouse in ("a", "b")]
    x = np.concatenate([(one.rois - one.rois.mean(0)) / one.rois.std(0) for one in ones])
    y = np.concatenate([one.labels for one in ones]).astype(float)
    if not target.states:
        target = Target(target.name, (), target.unit, float(y.mean()), float(y.std()))
        y = ((y - target.mean) / target.sd)[:, None]
    else:
        y = np.eye(3)[y.astype(int)] - 1 / 3
    weights = np.linalg.solve(x.T @ x + 200 * np.eye(x.shape[1]), x.T @ y).T
    return reader(weights * (4 if target.states else 1), target)


@pytest.mark.parametrize("kind", ["pupil", "states"])
def test_what_a_simulation_plants_is_found_and_a_wrong_map_is_flagged(folder, kind):
    target = Target("pupil", unit="px") if kind == "pupil" else NAMED
    network = fitted(target, folder)
    tested = {mouse: planted(mouse, target, folder) for mouse in MICE}
    maps = [
        shap_maps.shap_map(network, [one], [], ANALYSIS, decoder="x") for one in tested.values()
    ]
    index = pd.MultiIndex.from_tuples([(m.allocation, m.test_mouse) for m in maps])
    index.names = ["allocation", "test_mouse"]
    rois = pd.Index(map(str, maps[0].roi), name="ROI")
    right = pd.DataFrame([m.mean_abs.sum(axis=0) for m in maps], index, rois)
    running = truth.planted_rois([simulated("d", folder)[1]], maps[0].roi)
    wrong = right.mean().to_numpy() * 0 + running * (kind == "pupil") + np.arange(50) / 1e3
    wrong = pd.DataFrame([wrong] * 3, index, rois)
    tables = {}
    for name, scores in (("right", right), ("wrong", wrong)):
        made = [
            map_check.check_shap(
                *(network, [one], [], ANALYSIS),
                **{"maps": scores, "signed": maps, "limit": 200},
                truth=[simulated(mouse, folder)[1]],
            )
            for mouse, one in tested.items()
        ]
        evidence = map_verdicts.gather(scores, made, timed=maps)
        tables[name] = map_verdicts.table(evidence).set_index("check")
    assert evidence.truth.sum() == (4 if kind == "pupil" else 4 + running.sum())
    assert np.mean(evidence.auc_intact) > (0.6 if kind == "pupil" else 0.8)
    right, wrong = tables["right"], tables["wrong"]
    # of states two of the eight ROIs that tell them are hardly used by a linear decoder
    assert right.loc["planted truth", "value"] > 0.85 > 0.5 > wrong.loc["planted truth", "value"]
    for check in ("planted truth", "deletion", "deletion one by one")[kind == "states" :]:
        assert right.loc[check, "verdict"] == "pass", right.loc[check, "sentence"]
        assert wrong.loc[check, "verdict"] == "flag", wrong.loc[check, "sentence"]
    assert right.loc["deletion by sign", "verdict"] == "pass"
    axis, steps = ("R²", "px") if kind == "pupil" else ("macro AUC", "nats")
    assert f"the {axis} falls faster" in right.loc["deletion", "sentence"]
    assert f" {steps} on average" in right.loc["deletion one by one", "sentence"]
    if kind == "pupil":
        assert right.loc["planted signs", "verdict"] == "pass"
        assert "of 4 speaks for high values" in right.loc["planted signs", "sentence"]
    else:
        assert "planted signs" not in right.index


def test_carriers_of_a_target_are_those_that_the_simulation_gave_it(folder):
    _, path = simulated("d", folder)
    with h5py.File(path) as file:
        running, pupil = ({*file.attrs[f"{kind}_rois"].tolist()} for kind in ("signal", "pupil"))
    for target, expected in (
        *(("run", running), ("speed", running), ("pupil", pupil), ("states", running | pupil)),
    ):
        found = truth.planted_rois([path], range(1, 51), target)
        assert {*(np.flatnonzero(found) + 1)} == expected, target
    assert np.isnan(truth.planted_rois([path], [1, 2], "whisking")).all()
    assert np.isnan(truth.planted_signs([path], [18], "states")).all()
    assert truth.planted_signs([path], [18, 1], "pupil").tolist() == [1, 0]


# The verbs


def write(path: Path, one: Recording, made: np.ndarray | None = None) -> Path:
    frames = np.zeros((len(one.rois), 8, 8), np.uint16) if made is None else made
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, np.zeros(len(one.rois), np.uint8)
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        file["rois"], file["target"] = one.rois, one.labels
        file["target"].attrs.update(one.target.attributes())
        file.attrs.update(session=one.session, mouse=one.mouse, frame_rate=30.0)
    return path


@pytest.mark.parametrize("target", [PX, NAMED])
def test_verbs_map_check_and_summarise(tmp_path, target):
    files = {mouse: write(tmp_path / f"{mouse}.h5", noise(mouse, target)) for mouse in MICE}
    reader(TRACE if target is PX else OF_STATES, target).save(tmp_path / "w.pt")

    def run(verb, *words):
        assert cli.main([verb, *map(str, words)]) == 0

    maps = [tmp_path / f"{mouse}.map.h5" for mouse in MICE]
    few = ["--background", 30, "--windows", 40]
    for mouse, out in zip(MICE, maps, strict=True):
        words = ["--weights", tmp_path / "w.pt", "--recordings", files[mouse], *few]
        run("shap", *words, "--decoder", "gru", "--out", out)
    checks = [tmp_path / f"{mouse}.check.h5" for mouse in MICE]
    for mouse, out in zip(MICE, checks, strict=True):
        words = ["--weights", tmp_path / "w.pt", "--recordings", files[mouse], *few]
        run("shap-check", *words, "--maps", *maps, "--out", out)
    run("shap-summary", "--maps", *maps, "--out", tmp_path / "t.tsv", "--figure", tmp_path / "f",
        "--signed", tmp_path / "s.tsv", "--times", tmp_path / "times.tsv", "--signed-figure",
        tmp_path / "signed")  # fmt: skip
    run("map-checks", "--maps", *maps, "--checks", *checks, "--out", tmp_path / "c.tsv",
        "--figure", tmp_path / "c")  # fmt: skip
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    assert [*table] == ["roi", "name", "n", "mean", "sd"] and table["mean"].argmax() in (0, 2)
    judged = pd.read_csv(tmp_path / "c.tsv", sep="\t").set_index("check")
    assert judged.loc["deletion by sign", "verdict"] == "pass", judged.loc["deletion by sign"]
    words = "value of pupil (px)" if target is PX else "each of rest, walk, groom"
    for name in ("f", "signed"):
        assert words in (tmp_path / f"{name}.svg").read_text(), name
    (tmp_path / "run.h5").write_bytes(files["d"].read_bytes())
    with h5py.File(tmp_path / "run.h5", "a") as file:
        del file["target"]
    few = ["--weights", tmp_path / "w.pt", "--recordings", tmp_path / "run.h5", "--decoder", "x"]
    assert cli.main(["shap", *map(str, few), "--out", str(tmp_path / "none.h5")]) == 1


def test_importance_is_asked_for_in_the_config_of_a_target():
    config = STUDY | {
        "target": "pupil",
        "recordings": STUDY["recordings"] | {"rois": "{session}_roi.mat"},
        "decoders": {"gru": {"input": "rois", "rnn": "gru"}, "linear": {"model": "ridge"}},
        "importance": {
            "shap": {"decoder": "gru"},
            "cut": {"decoder": "linear", "masks": "squares"},
        },
    }
    assert [*study.resolve(config).config["importance"]] == ["shap", "cut"]


# Cut-outs


class Reads(nn.Module):
    """Outputs are the values of pixels (y, x) of frame t; of one pixel (N,)."""

    def __init__(self, *at):
        super().__init__()
        self.at = np.array(at).T

    def forward(self, images):
        found = images[:, 1, self.at[0], self.at[1]]
        return found[:, 0] if found.shape[1] == 1 else found


def small_movie(labels, *at):
    """Frames (T, 6, 6) whose pixels `at` rise with what labels (T, K) say; as they are read."""
    rng = np.random.default_rng(1)
    frames = rng.normal(2000, 60, (len(labels), 6, 6))
    for column, (y, x) in enumerate(at):
        frames[:, y, x] += 60 * labels[:, column]
    frames = frames.astype(np.uint16)
    read = (frames - frames.mean(axis=0)) / frames.std()
    return frames, np.stack([read[1:-1, y, x] for y, x in at], axis=1)


def pixel_masks(*at):
    areas = np.zeros((len(at), 6, 6), bool)
    for area, (y, x) in zip(areas, at, strict=True):
        area[y, x] = True
    return areas


def test_a_cut_out_of_a_trace_is_scored_by_r2_and_says_by_how_much():
    trace = np.random.default_rng(2).normal(40, 5, 120)
    frames, read = small_movie((trace[:, None] - 40) / 5, (1, 2))
    gain = 1 / read.std()  # of the pixel, to what the network learned
    target = Target("pupil", unit="px", mean=40.0, sd=5.0 * gain)
    table = cutout_importance(
        Reads((1, 2)), frames, trace, pixel_masks((1, 2), (4, 4)), target=target
    )
    assert [*table] == [
        *("mask", "r2_intact", "r2_masked", "score", "n_frames", "n_decodable"),
        *("in_high", "in_low"),
    ]
    made, known = 40 + 5 * gain * read[:, 0], trace[1:-1]
    intact, masked = r2_score(known, made), r2_score(known, np.full(118, 40.0))
    np.testing.assert_allclose(table["r2_intact"], intact, rtol=1e-5)
    np.testing.assert_allclose(table["r2_masked"], [masked, intact], rtol=1e-4, atol=1e-5)
    assert table["score"][0] > 0.2 and table["score"][1] == 0
    high = known > known.mean()
    np.testing.assert_allclose(
        table.loc[0, ["in_high", "in_low"]].astype(float),
        [(made - 40)[high].mean(), (made - 40)[~high].mean()],
        rtol=1e-4,
    )
    with pytest.raises(UserError, match="all alike in pupil; R² needs two values"):
        cutout_importance(
            Reads((1, 2)), frames, np.full(120, 3.0), pixel_masks((1, 2)), target=target
        )


def test_a_cut_out_of_states_is_scored_by_macro_auc_and_says_for_which():
    codes = np.random.default_rng(3).integers(0, 3, 120)
    at = ((0, 0), (2, 3), (5, 1))
    frames, read = small_movie(np.eye(3)[codes], *at)
    table = cutout_importance(
        Reads(*at), frames, codes.astype(np.uint8), pixel_masks(*at, (4, 4)), target=NAMED
    )
    in_states = [f"in_{state}" for state in NAMED.states]
    assert [*table][:4] == ["mask", "macro_auc_intact", "macro_auc_masked", "score"]
    assert [*table][6:] == in_states
    known = codes[1:-1]
    for mask, hidden in enumerate(np.vstack([np.eye(3), np.zeros(3)])):
        made = softmax(read * (1 - hidden), axis=1)
        assert table["macro_auc_masked"][mask] == pytest.approx(macro_auc(known, made), abs=1e-4)
        change = read * hidden - (read * hidden).mean(axis=1, keepdims=True)
        expected = [change[known == code, code].mean() for code in range(3)]
        np.testing.assert_allclose(table.loc[mask, in_states].astype(float), expected, atol=1e-4)
    assert (table["score"][:3] > 0.02).all() and table["score"][3] == 0
    assert (np.diag(table[in_states].to_numpy()[:3]) > 0.2).all()


def test_what_a_network_gives_is_explained_in_the_unit_of_its_trace():
    """Of 0, 1 and -2 SDs of a pupil of 3 mm with an SD of .5, and the second of two states."""
    made = torch.tensor([0.0, 1.0, -2.0])
    (of_trace,) = explained.outputs(Target("pupil", unit="mm", mean=3.0, sd=0.5))
    assert of_trace.of(made).tolist() == [3.0, 3.5, 2.0]
    _, second = explained.outputs(Target("states", states=("still", "running")))
    assert second.of(torch.tensor([[1.0, 5.0], [2.0, 6.0]])).tolist() == [5.0, 6.0]


def test_states_of_windows_and_of_each_image_alone(monkeypatch):
    codes = np.random.default_rng(3).integers(0, 3, 40).astype(np.uint8)
    frames = np.random.default_rng(4).normal(2000, 60, (40, SIDE, SIDE)).astype(np.uint16)
    torch.manual_seed(0)
    cnn = CNNDecoder(TINY)
    rnn = RNNDecoder(cnn.n_features, cell="gru", hidden_size=4, outputs=3)
    areas = np.zeros((2, SIDE, SIDE), bool)
    areas[0, :16], areas[1, 16:] = True, True
    how = {"half_window": 1, "times": True, "target": NAMED}
    found, other = (
        cutout_importance(CNNRNNDecoder(cnn, rnn), frames, codes, areas, batch_size=n, **how)
        for n in (7, 64)
    )
    assert [*found][-3:] == ["-1", "0", "1"] and (found[["-1", "0", "1"]] != 0).any(axis=None)
    np.testing.assert_allclose(found.drop(columns="mask"), other.drop(columns="mask"), atol=1e-6)


@pytest.mark.parametrize("kind", ["pupil", "states"])
def test_cut_outs_of_a_simulation_name_what_was_planted(tmp_path, folder, kind):
    """Through all verbs: fitted, cut out, summarised, compared and checked."""
    target = Target("pupil", unit="px") if kind == "pupil" else NAMED
    files = {}
    for mouse in ("a", "b", *MICE):
        made, _ = simulated(mouse, folder)
        one = planted(mouse, target, folder)
        files[mouse] = write(tmp_path / f"{mouse}.h5", one, made.frames)

    def run(verb, *words):
        assert cli.main([verb, *map(str, words)]) == 0

    run("fit-linear", "--train", files["a"], files["b"], "--valid", files["f"], "--test",
        files["d"], "--pixels", 16, "--C", 0.001, "--frame-step", 1, "--predictions",
        tmp_path / "p.h5", "--out", tmp_path / "w.npz")  # fmt: skip
    made = [tmp_path / f"{mouse}.tsv" for mouse in MICE[:2]]
    about = ["--masks", "squares", "--size", 8, "--stride", 4]
    for mouse, out in zip(MICE, made, strict=False):
        words = ["--weights", tmp_path / "w.npz", "--recordings", files[mouse], *about]
        run("cutout", *words, "--decoder", "lin", "--out", out)
        checked = ["--maps", *made] if out == made[-1] else ["--maps", out]
        checked += ["--truth", folder / f"{mouse}_s1_truth.h5", "--frames", 200, "--draws", 3]
        run("cutout-check", *words, *checked, "--out", tmp_path / f"{mouse}.check.h5")
    run("cutout-summary", "--scores", *made, "--recording", files["d"], *about, "--out",
        tmp_path / "t.tsv", "--sessions", tmp_path / "se.tsv", "--signed", tmp_path / "s.tsv",
        "--figure", tmp_path / "f")  # fmt: skip
    run("sides", "--sessions", tmp_path / "se.tsv", "--masks", tmp_path / "t.tsv",
        "--out", tmp_path / "sides.tsv", "--figure", tmp_path / "sides")  # fmt: skip
    run("map-mice", "--maps", *made, "--decoder", "lin", "--out", tmp_path / "m.tsv",
        "--figure", tmp_path / "m")  # fmt: skip
    metric, axis = ("r2", "R²") if kind == "pupil" else ("macro_auc", "macro AUC")
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    assert {f"{metric}_intact", f"{metric}_masked", "n_decodable"} < {*table}
    assert "n_run" not in table and table[f"{metric}_intact"][0] > (0.3 if kind == "pupil" else 0.7)
    for name in ("f", "sides", "m"):
        assert f"{axis} lost when hidden" in (tmp_path / f"{name}.svg").read_text(), name
    sides = {*pd.read_csv(tmp_path / "s.tsv", sep="\t")} & {"in_run", "in_high", "in_walk"}
    assert sides == ({"in_high"} if kind == "pupil" else {"in_walk"})
    squares = cutout_masks.squares(32, 32, size=8, stride=4).areas
    path = [folder / "d_s1_truth.h5"]
    found = {
        name: map_measures.planted_truth(
            table["mean"].to_numpy(), truth.planted_masks(path, squares, name)
        ).average_precision
        for name in ("run", kind)
    }
    assert found[kind] > 0.8 and (kind == "states" or found["run"] < 0.6), found
    last = check_files.read(tmp_path / "e.check.h5")
    assert last.target.name == kind and last.auc.shape == (1, 5)
    assert last.auc.mean() < last.auc_random.mean()
    assert last.moved.shape == last.apart.shape == (1, 5)
    assert last.moved.mean() > last.moved_random.mean()
    assert last.apart.mean() > max(0, last.apart_random.mean())
    # recordings of another target than the decoder's
    other = write(tmp_path / "other.h5", planted("d", Target("x"), folder), made=None)
    words = ["--weights", tmp_path / "w.npz", "--recordings", other, *about, "--decoder", "lin"]
    assert cli.main(["cutout", *map(str, words), "--out", str(tmp_path / "none.tsv")]) == 1
