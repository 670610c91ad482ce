"""Controls of traces and of named states: planted ones are found, by score and by correlation."""

from __future__ import annotations

import dataclasses
import re

import h5py
import numpy as np
import pandas as pd
import pytest

from make_decoders import run
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.confounds import confounds_figure, control_verdicts, controls, signals
from mesodecode.confounds.signals import ControlSignals
from mesodecode.report import methods, report, section_words
from mesodecode.study import schema
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import KINDS, Target
from tabled import as_tabled
from texts import as_read

N = 400
PX, NAMED = Target("pupil", unit="px"), Target("states", ("rest", "walk", "groom"))
MICE = "abcde"
ALLOCATION = Allocation(("a", "b", "c"), ("d",), ("e",))
SETTINGS = schema.defaults("confounds", baseline=None, frame_step=1)
MODEL = {"pupil": "ridge", "states": "logistic_regression"}
BOTH = pytest.mark.parametrize("target", [PX, NAMED], ids=lambda one: one.name)


def uncorrelated(mouse, width):
    """Columns (N, width) of mean 0 and SD 1 that know nothing of each other."""
    values = np.random.default_rng(ord(mouse)).standard_normal((N, width))
    values = np.linalg.qr(values - values.mean(0))[0]
    return values / values.std(0)


def session(mouse, target, *, gain=3.0, level=40.0):
    """`outside` knows the target: of a trace all but noise of SD 2 px; `mean` knows nothing."""
    signal, other = np.split(uncorrelated(mouse, 7), [3], axis=1)
    truth = level + gain * signal[:, 0] + 2 * other[:, 3]
    if target.states:
        truth = signal.argmax(1)
    made = {"mean": other[:, :1], "outside": signal}
    why = {name: "gone" for name in signals.SIGNALS if name not in made}
    labels = np.asarray(truth, target.kind.dtype)
    return ControlSignals(f"{mouse}1", mouse, labels, None, made, why, target)


def decode(sessions, target, **more):
    settings = SETTINGS | {"model": MODEL[target.name]} | more
    return controls.decode(sessions, ALLOCATION, {"net": (0, 0)}, settings).set_index("decoder")


@BOTH
def test_a_test_mouse_that_is_shorter_than_a_window_is_named(target):
    *others, last = (session(mouse, target) for mouse in MICE)
    made = {name: values[:9] for name, values in last.signals.items()}
    short = dataclasses.replace(last, labels=last.labels[:9], signals=made)
    words = rf"^controls of {re.escape(ALLOCATION.id)}: .*e1"
    with pytest.raises(UserError, match=words):
        controls.decode(
            [*others, short], ALLOCATION, {"net": (5, 0)}, SETTINGS | {"model": MODEL[target.name]}
        )


@BOTH
def test_what_a_control_knows_is_what_was_planted(tmp_path, target):
    sessions = [session(mouse, target) for mouse in MICE]
    signals.write(tmp_path / "s.h5", sessions)
    back = signals.read(tmp_path / "s.h5")
    np.testing.assert_array_equal(back[0].labels, sessions[0].labels)
    assert {one.target.attributes()["target"] for one in back} == {target.name}
    table = decode(back, target)
    assert ["decoder", *table.columns] == [
        *("decoder", "against", "allocation", "train_mice", "valid_mouse", "test_mouse"),
        *controls.numbers_of(target.kind),
        "missing",
    ]
    row = table.loc["outside"]
    if target == PX:  # 9 of 13 px² are the signal's
        assert row["r2"] == pytest.approx(9 / 13, abs=2e-3)
        assert row["correlation"] == pytest.approx(np.sqrt(9 / 13), abs=2e-3)
        assert abs(table["r2"]["mean"]) < 0.01
    else:
        assert row["macro_auc"] > 0.97 and abs(table["macro_auc"]["mean"] - 0.5) < 0.1
    assert table["missing"].to_dict()["vessels"] == "gone"
    trees = decode(back, target, model="gradient_boosting")
    assert trees[target.kind.metric]["outside"] > {"pupil": 0.4, "states": 0.9}[target.name]


def test_another_mean_of_the_test_mouse_costs_r2_and_no_correlation():
    sessions = [session(mouse, PX, level=40.0 + 10 * (mouse == "e")) for mouse in MICE]
    row = decode(sessions, PX).loc["outside"]
    assert row["r2"] == pytest.approx(1 - (100 + 4) / 13, abs=0.02)  # off by 10 px, SD 2 of noise
    assert row["correlation"] == pytest.approx(np.sqrt(9 / 13), abs=2e-3)


def test_no_control_learns_from_the_test_or_validation_mouse():
    sessions = [session(mouse, PX) for mouse in MICE]
    first = decode(sessions, PX).loc["outside", "correlation"]
    for i in (3, 4):
        sessions[i] = dataclasses.replace(sessions[i], labels=-sessions[i].labels)
    assert decode(sessions, PX).loc["outside", "correlation"] == pytest.approx(-first, abs=1e-6)


def test_targets_that_differ_and_models_that_cannot_are_refused():
    mixed = [session(mouse, NAMED if mouse == "b" else PX) for mouse in MICE]
    with pytest.raises(UserError, match=r"b1: decodes states \(rest, walk, groom\), but a1 pupil"):
        decode(mixed, PX)
    with pytest.raises(UserError, match="logistic_regression tells states apart; take ridge"):
        decode([session(m, PX) for m in MICE], PX, model="logistic_regression")


def both(kind, own, control, signal="outside", **change):
    """Tables of a decoder and a control with these scores, an allocation a test mouse."""
    mice = list("abcdefgh"[: len(own[0])])
    about = {"allocation": [f"train-x.valid-y.test-{m}" for m in mice], "test_mouse": mice}
    made = [dict(zip(kind.scores, each, strict=True)) for each in (own, control)]
    rows = pd.DataFrame({"against": "net", "decoder": signal, **about, "missing": ""} | made[1])
    return rows.assign(**change), pd.DataFrame({"decoder": "net", **about} | made[0])


OWN = [0.40, 0.42, 0.38, 0.40], [0.70, 0.72, 0.68, 0.70]
NONE = [0.01, -0.02, 0.02, -0.01]


@pytest.mark.parametrize(
    ("r2", "correlation", "verdict", "words"),
    [
        (NONE, NONE, "pass", "the trace is not decoded above chance: R² 0.000"),
        ([0.10, 0.11, 0.09, 0.10], [0.32, 0.33, 0.31, 0.32], "part", "R² 0.100"),
        ([0.39, 0.42, 0.39, 0.40], [0.6, 0.6, 0.6, 0.6], "flag", "as well as by net: R² 0.400"),
        # all that the decoder knows of the trace, at another level in each mouse
        ([-0.5, -2.0, -0.9, -1.0], [0.69, 0.72, 0.69, 0.70], "flag", "correlation 0.700"),
        ([-0.5, -2.0, -0.9, -1.0], [0.30, 0.31, 0.29, 0.30], "part", "correlation 0.300"),
        # predictions that never change have no correlation, and know nothing
        (NONE, [np.nan] * 4, "pass", "correlation: 0.000"),
    ],
)
def test_verdicts_of_a_trace_by_hand(r2, correlation, verdict, words):
    kind = KINDS["regression"]
    row = control_verdicts.table(*both(kind, OWN, (r2, correlation))).iloc[0]
    assert row["verdict"] == verdict and words in as_read(row["sentence"]), as_read(row["sentence"])
    assert row["r2_control"] == pytest.approx(np.mean(r2))
    assert row["difference"] == pytest.approx(0.4 - np.mean(r2))
    assert row["share"] == pytest.approx(np.mean(r2) / 0.4)
    if np.isfinite(correlation[0]):
        assert row["correlation_difference"] == pytest.approx(0.7 - np.mean(correlation))
        # Student's t of 3 degrees of freedom at .975 is 3.1824
        half = 3.1824 * np.std(correlation, ddof=1) / 2
        low = np.mean(correlation) - half
        assert row["correlation_low"] == pytest.approx(low, abs=1e-4)
    mean = control_verdicts.table(*both(kind, OWN, (r2, correlation), "mean")).iloc[0]
    assert mean["verdict"] == {"flag": "note"}.get(verdict, verdict)


def test_verdicts_of_states_are_of_the_macro_auc():
    kind = KINDS["states"]
    own = ([0.9, 0.92, 0.88, 0.9],)
    for control, verdict in (([0.9, 0.91, 0.89, 0.9], "flag"), ([0.5, 0.52, 0.48, 0.5], "pass")):
        row = control_verdicts.table(*both(kind, own, (control,))).iloc[0]
        assert row["verdict"] == verdict and "the state is" in as_read(row["sentence"])
        assert row["macro_auc_control"] == pytest.approx(np.mean(control))


def test_mice_that_never_change_are_left_out_and_said():
    kind = KINDS["regression"]
    gap = [0.4, np.nan, 0.38, 0.40], OWN[1]
    row = control_verdicts.table(*both(kind, gap, OWN)).iloc[0]
    assert (row["verdict"], row["n_mice"]) == ("flag", 3)
    none = [np.nan, np.nan, np.nan, 0.4], OWN[1]
    row = control_verdicts.table(*both(kind, none, OWN)).iloc[0]
    assert row["verdict"] == "not made"
    assert row["sentence"].endswith(": the trace changes in fewer than two test mice.")


@BOTH
def test_headlines_figure_report_and_methods_speak_of_the_target(target):
    kind = target.kind
    own = OWN[: len(kind.scores)]
    parts = [both(kind, own, own, name)[0] for name in ("outside", "vessels")]
    parts[1].loc[:, [*kind.scores]] = kind.chance
    found, auc = pd.concat(parts), both(kind, own, own)[1]
    rows = as_tabled(control_verdicts.table(found, auc), f"controls_of_{target.name}")
    ((verdict, text),) = as_read(control_verdicts.headlines(rows))
    axis = {"pupil": "R²", "states": "macro AUC"}[target.name]
    # .4 is below chance for states, which no control is worse than
    assert (verdict == "flag") == (target == PX) and kind.decoded in text
    figure = confounds_figure.draw(found, auc, rows)
    assert figure.axes[0].get_ylabel() == f"Test {axis}"
    assert f"Dashed: chance ({kind.chance:g})" in as_read(confounds_figure.caption(rows))
    environment = report.environment(report.TEMPLATES)
    words = section_words.confounds({}, {"confounds": rows}) | {"figures": {}}
    page = environment.get_template("confounds.html.j2").render(words)
    assert f">{axis} of the control<" in page and f"{kind.decoded[1:]} is decoded from" in page
    assert (">Correlation of the control<" in page) == (target == PX)
    settings = SETTINGS | {"decoders": ["net"], "model": kind.control}
    text = methods.confounds({"confounds": settings, "target": target.name})
    assert f"interval of its {axis} over test mice lies above {kind.chance:g} and" in text
    assert ("or the same of the correlation" in text) == (target == PX)
    model = {"pupil": "ridge", "states": "logistic"}[target.name]
    assert f", less its mean and z-scored in its session, was decoded by {model} regression" in text
    moving = {"confounds": settings | {"baseline": 1200}, "target": target.name}
    assert "less a moving mean of 1,200 frames and z-scored" in methods.confounds(moving)


def write_recording(folder, mouse):
    """A pupil that the pixels beside the brain follow, and nothing else of the movie does."""
    rng = np.random.default_rng(ord(mouse))
    pupil = np.convolve(rng.standard_normal(220), np.ones(21) / 4.6, "valid")
    frames = np.full((200, 40, 40), 100.0)
    frames[:, 8:32, 8:32] = 1000
    frames[:, 19:22, 8:32] = 600
    frames += rng.normal(0, 3, frames.shape)
    frames[:, :6] += 5 * pupil[:, None, None]
    path = folder / f"{mouse}.h5"
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, np.zeros(200, np.uint8)
        file["pixel_mean"] = frames.mean(axis=0).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std())
        file["target"] = (40 + 5 * pupil).astype(np.float32)
        file["target"].attrs.update(PX.attributes())
        file.attrs.update(session=mouse, mouse=mouse, frame_rate=30.0)


def test_verbs_find_the_light_beside_the_brain_and_no_other_control(tmp_path):
    brain = np.zeros((40, 40), bool)
    brain[8:32, 8:32] = True
    np.save(tmp_path / "brain.npy", brain)
    files = [tmp_path / f"signals_{mouse}.h5" for mouse in MICE]
    for mouse, out in zip(MICE, files, strict=True):
        write_recording(tmp_path, mouse)
        words = ["--recordings", tmp_path / f"{mouse}.h5", "--brain-mask", tmp_path / "brain.npy"]
        assert run("control-signals", *words, "--out", out) == 0
    tables, rows = [], []
    for test, valid, *train in ("abcde", "bcdea", "cdeab", "deabc"):
        tables.append(tmp_path / f"{test}.tsv")
        mice = ["--train-mice", *train, "--valid-mice", valid, "--test-mice", test]
        words = ["--signals", *files, *mice, "--windows", "net=1", "--model", "ridge"]
        words += ["--baseline", "none", "--frame-step", "1", "--out", tables[-1]]
        assert run("decode-controls", *words) == 0
        about = Allocation(tuple(train), (valid,), (test,))
        row = {"decoder": "net", "allocation": about.id, "train_mice": about.joined("train")}
        row |= {"valid_mouse": valid, "test_mouse": test}
        rows.append(row | {"n_frames": 198, "r2": 0.6, "correlation": 0.8, "ceiling": 1.0})
    pd.DataFrame(rows).to_csv(tmp_path / "regression.tsv", sep="\t", index=False)
    out = ["--out", tmp_path / "found.tsv", "--figure", tmp_path / "c"]
    assert run("confounds", "--controls", *tables, "--auc", tmp_path / "regression.tsv", *out) == 0
    kind = KINDS["regression"]
    found = read_table(
        tmp_path / "found.tsv", control_verdicts.columns_of(kind), control_verdicts.numbers_of(kind)
    ).set_index("signal")
    assert found["verdict"]["outside"] == "flag" and found["verdict"]["reference"] == "not made"
    assert found["correlation_control"]["outside"] > 0.9
    assert {found["verdict"][name] for name in ("vessels", "movement")} <= {"pass", "part"}
    assert "Test R²" in (tmp_path / "c.svg").read_text()
