"""Ceilings of traces and of named states: sessions held out, arms, gaps and words, all planted."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from make_decoders import refused, run
from mesodecode.base.metrics import r2
from mesodecode.base.tables import read_table, write_table
from mesodecode.decoders import held_out
from mesodecode.decoders.held_out import HeldOut
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.report import methods, report, section_words
from mesodecode.scores import ceiling_gaps, ceilings_figure
from mesodecode.study import study as studies
from mesodecode.study import targets
from mesodecode.study.targets import Target
from texts import as_read

N = 600
PX = Target("pupil", unit="px")
NAMED = Target("states", ("rest", "walk", "groom"))
BOTH = pytest.mark.parametrize("target", [PX, NAMED], ids=lambda one: one.name)
MICE = {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abc"}
# px of the pupil that a unit of the first ROI goes with, and px (SD) of what no ROI knows
GAIN, NOISE = {"a": 3.0, "b": 4.0, "c": 5.0}, 2.0
# the ROI that speaks for each state: each mouse has its own
SPEAKS = {"a": [0, 1, 2], "b": [1, 2, 0], "c": [2, 0, 1]}
RIDGE = {"input": "rois", "model": "ridge", "half_window": 0, "frame_step": 1}
RIDGE |= {"baseline": None, "normalise": "zscore", "C": 1e6}  # least squares
SETTINGS = {"pupil": RIDGE, "states": RIDGE | {"model": "logistic_regression", "C": 1.0}}


def uncorrelated(values):
    values = np.linalg.qr(values - values.mean(0))[0]
    return values / values.std(0)


def write_recording(folder, session, target, *, truth=None):
    """A session whose signals know the target as its mouse, the first letter, has it."""
    rng = np.random.default_rng([*map(ord, session)])
    # columns of mean 0 and SD 1 that know nothing of each other, so that what is planted is exact
    rois, noise = np.split(uncorrelated(rng.standard_normal((N, 4))), [3], axis=1)
    if truth is None and target.states:
        truth = rois[:, SPEAKS[session[0]]].argmax(1)
    elif truth is None:
        truth = 40 + GAIN[session[0]] * rois[:, 0] + NOISE * noise[:, 0]
    frames = np.full((N, 4, 4), 100, np.uint16)
    path = folder / f"{session}.h5"
    with h5py.File(path, "w") as file:
        file["frames"], file["labels"] = frames, np.zeros(N, np.uint8)
        file["pixel_mean"], file["stack_sd"] = frames.mean(0).astype("f4"), np.float32(1)
        file["rois"] = rois.astype(np.float32)
        file["target"] = np.asarray(truth, target.kind.dtype)
        file["target"].attrs.update(target.attributes())
        file.attrs.update(session=session, mouse=session[0], frame_rate=30.0)
    return path


def hold_out(folder, train, test, target, arm="own"):
    files = [folder / f"{name}.h5" for name in train]
    words = ["hold-out", "--arm", arm, "--train", *files, "--test", folder / f"{test}.h5"]
    words += ["--settings", json.dumps(SETTINGS[target.name]), "--decoder", "roi"]
    return [*words, "--out", folder / f"{arm}.test-{test}.h5"]


def config_of(target):
    """A study with a ceiling of one decoder; a mouse has two sessions."""
    states = {"target_states": ["rest", "walk", "groom"]} if target.states else {}
    files = {"movie": "{session}.tif", "behavior": "{session}.mat", "rois": "{session}_roi.mat"}
    return {
        **{"study": "lab", "recordings": files | states, "mice": MICE, "target": target.name},
        **{"allocation": {"train": 1, "choose": "each_test"}},
        **{"decoders": {"roi": SETTINGS[target.name]}, "ceilings": {"decoders": ["roi"]}},
    }


@pytest.fixture(scope="module", params=[PX, NAMED], ids=lambda one: one.name)
def study(request, tmp_path_factory):
    """Folder of a study whose sessions are all held out, its target, and its two tables."""
    target, folder = request.param, tmp_path_factory.mktemp(request.param.name)
    (folder / "config.yaml").write_text(yaml.safe_dump(config_of(target)))
    for names in MICE.values():
        for name in names:
            write_recording(folder, name, target)
    splits = studies.load(folder / "config.yaml").ceilings["roi"]
    (folder / "roi").mkdir()
    for split in splits.values():
        train = [one.session for one in split.train]
        assert run(*hold_out(folder, train, split.test[0].session, target, split.arm)) == 0
        (folder / f"{split.id}.h5").rename(folder / f"roi/{split.id}.h5")
    kind = target.kind
    rows = [
        {"decoder": "roi", "allocation": f"{mouse}{at}", "train_mice": other, "valid_mouse": "-"}
        | {"test_mouse": mouse, "session": name, "n_frames": N, kind.metric: 0.6 + 0.1 * at}
        | {other_score: 0.8 for other_score in kind.beside}
        for mouse, names in MICE.items()
        for name in names
        for at, other in enumerate(sorted({*"abc"} - {mouse}))
    ]
    write_table(pd.DataFrame(rows), folder / "sessions.tsv")
    words = ["--held-out", folder, "--session-auc", folder / "sessions.tsv", "--figure"]
    words += [folder / "c", "--out", folder / "c.tsv", "--gaps", folder / "gaps.tsv"]
    assert run("ceilings", "--config", folder / "config.yaml", *words) == 0
    of_rows = ceiling_gaps.columns_of(kind), ceiling_gaps.numbers_of(kind)
    of_gaps = ceiling_gaps.gap_columns_of(kind), ceiling_gaps.gap_numbers_of(kind)
    tables = read_table(folder / "c.tsv", *of_rows), read_table(folder / "gaps.tsv", *of_gaps)
    return folder, target, *tables


def test_the_planted_ceiling_and_what_other_mice_lack_of_it(study):
    _, target, rows, _ = study
    found = rows.set_index(["arm", "session"])
    assert "auc" not in rows and "n_run" not in rows
    if target.states:
        # own ROIs speak for their states; those of other mice for others
        assert (found.loc["own", "macro_auc"] > 0.97).all()
        assert (found.loc["others_equal", "macro_auc"] < 0.6).all()
        assert found.loc[("others", "a1"), "macro_auc"] == pytest.approx(0.65)
        return
    for (arm, session), row in found.iterrows():
        gain, variance = GAIN[session[0]], GAIN[session[0]] ** 2 + NOISE**2
        # r of the ROI and the trace is the same whatever gain is learned
        r = gain / np.sqrt(variance)
        if arm == "others":
            assert (row["r2"], row["correlation"]) == (pytest.approx(0.65), pytest.approx(0.8))
            continue
        learned = gain
        if arm == "others_equal":
            learned = GAIN[row["train_sessions"][0]]
        expected = 1 - ((gain - learned) ** 2 + NOISE**2) / variance
        assert row["r2"] == pytest.approx(expected, abs=2e-4), (arm, session)
        assert row["correlation"] == pytest.approx(r, abs=2e-4)


def test_gaps_are_of_the_targets_score_in_columns_words_figure_and_report(study):
    folder, target, rows, gaps = study
    kind = target.kind
    axis = {"pupil": "R²", "states": "macro AUC"}[target.name]
    gap = gaps.set_index(["a", "b"]).loc["own", "others"]
    own = rows[rows["arm"] == "own"].groupby("test_mouse")[kind.metric].mean()
    assert gap["difference"] == pytest.approx((own - 0.65).mean(), abs=1e-5)
    assert gap["sentence"].startswith(f"roi: mean {axis} {gap[f'{kind.metric}_a']:.3f} after")
    ((verdict, text),) = as_read(ceiling_gaps.headlines(gaps))
    an = {"pupil": "an", "states": "a"}[target.name]
    assert text.startswith(f"roi reaches {an} {axis} of 0.650 in a mouse it never saw, and ")
    if target == PX:
        r = rows[rows["arm"] == "own"].groupby("test_mouse")["correlation"].mean()
        assert gap["correlation_a"] == pytest.approx(r.mean(), abs=1e-5)
        assert gap["correlation_difference"] == pytest.approx((r - 0.8).mean(), abs=1e-5)
        assert gap["correlation_low"] < gap["correlation_difference"] < gap["correlation_high"]
        assert f" instead (correlation 0.800 and {r.mean():.3f}): " in text
    else:
        assert verdict == "gap" and "correlation" not in text
    svg = (folder / "c.svg").read_text()
    assert f"{axis} of the session left out" in svg
    assert f"Dashed: chance ({kind.chance:g})" in as_read(ceilings_figure.caption(rows))
    config = studies.load(folder / "config.yaml").config
    words = section_words.ceilings(config, {"ceilings_gaps": gaps, "ceilings": rows})
    environment = report.environment(report.TEMPLATES)
    page = environment.get_template("ceilings.html.j2").render(words | {"figures": {}})
    assert f">{axis}<" in page and f"{gap['difference']:.3f}" in page and ">AUC<" not in page
    assert ("Difference of correlation, 95 % CI" in page) == (target == PX)
    mouse = ceiling_gaps.of_mice(rows).set_index("test_mouse").loc["b"]
    assert mouse["own"] == pytest.approx(own["b"]) and mouse["others"] == pytest.approx(0.65)
    assert f"Differences of {axis}" in methods.ceilings(config)


@BOTH
def test_a_file_holds_the_session_and_its_target(tmp_path, target):
    for name in ("a1", "a2"):
        write_recording(tmp_path, name, target)
    assert run(*hold_out(tmp_path, ["a1"], "a2", target)) == 0
    path = tmp_path / "own.test-a2.h5"
    found = held_out.read(path)
    with h5py.File(path) as file, h5py.File(tmp_path / "a2.h5") as recording:
        truth = recording["target"][()]
        names = {"value", "predicted"} if target == PX else {"state", *target.datasets}
        assert {*file} == {"frame"} | names and file.attrs["target"] == target.name
    np.testing.assert_array_equal(found.predictions.label, truth)
    assert found.target.attributes() == target.attributes()
    if target == PX:  # ordinary least squares, by hand
        with h5py.File(tmp_path / "a1.h5") as file:
            x, y = file["rois"][()].astype(float), file["target"][()]
        with h5py.File(tmp_path / "a2.h5") as file:
            z = file["rois"][()].astype(float)
        weights = np.linalg.lstsq(np.c_[x, np.ones(N)], y, rcond=None)[0]
        made = np.c_[z, np.ones(N)] @ weights
        np.testing.assert_allclose(found.predictions.probability, made, atol=1e-4)
        assert r2(truth, found.predictions.probability) == pytest.approx(9 / 13, abs=2e-4)
    else:
        assert found.predictions.probability.shape == (N, 3)


@pytest.mark.parametrize(
    ("target", "train", "test", "said"),
    [
        (PX, np.full(N, 7.5), None, "has no R², as its training sessions are all of one value"),
        (NAMED, np.zeros(N), None, "has no macro AUC, as its training sessions are all of one st"),
        (
            NAMED,
            np.arange(N) % 2,
            np.arange(N) % 3,
            "has no macro AUC, as no frame of its training sessions is groom, which it is tested",
        ),
        # a state that is neither trained nor tested is none of this session's
        (NAMED, np.arange(N) % 2, np.arange(N) % 2, ""),
    ],
)
def test_what_was_never_trained_on_is_no_ceiling(tmp_path, capsys, target, train, test, said):
    write_recording(tmp_path, "a1", target, truth=train)
    write_recording(tmp_path, "a2", target, truth=test)
    assert run(*hold_out(tmp_path, ["a1"], "a2", target)) == 0
    assert f"own.test-a2: {said}" in capsys.readouterr().err or not said
    found = held_out.read(tmp_path / "own.test-a2.h5")
    assert (len(found.predictions.frame) == 0) == bool(said)
    table = ceiling_gaps.table([found], _study("a2", target), MICE, {}, target.kind)
    assert np.isnan(table.loc[0, target.kind.metric]) == bool(said)


def test_a_state_that_validation_sessions_alone_have_was_not_learnt(tmp_path, capsys):
    truths = {"a1": np.arange(N) % 2, "a2": np.arange(N) % 3, "a3": np.arange(N) % 3}
    for name, truth in truths.items():
        write_recording(tmp_path, name, NAMED, truth=truth)
    network = json.dumps({"input": "rois", "rnn": "gru", "epochs": 1})
    words = hold_out(tmp_path, ["a1"], "a2", NAMED)
    words[words.index("--settings") + 1] = network
    assert run(*words, "--valid", tmp_path / "a3.h5") == 0
    said = "own.test-a2: has no macro AUC, as no frame of its training sessions is groom, which"
    assert said in capsys.readouterr().err
    assert len(held_out.read(tmp_path / "own.test-a2.h5").predictions.frame) == 0


def _study(session, target):
    row = {"decoder": "roi", "session": session, "train_mice": "b", "n_frames": N}
    return pd.DataFrame([row | dict.fromkeys(target.kind.scores, 0.5)])


def test_recordings_and_files_of_another_target_are_refused(tmp_path, capsys):
    write_recording(tmp_path, "a1", PX)
    write_recording(tmp_path, "a2", NAMED)
    text = refused(capsys, *hold_out(tmp_path, ["a1"], "a2", PX))
    assert "its target is states (rest, walk, groom), but pupil (px) in" in text
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_of(NAMED)))
    split = studies.load(tmp_path / "config.yaml").ceilings["roi"]["own.test-a1"]
    (tmp_path / "roi").mkdir()
    nothing = SessionPredictions("a", *[np.empty(0)] * 3)
    HeldOut("roi", split, nothing, PX).write(tmp_path / "roi/own.test-a1.h5")
    words = ["--held-out", tmp_path, "--session-auc", tmp_path / "s.tsv", "--figure"]
    words += [tmp_path / "c", "--out", tmp_path / "c.tsv", "--gaps", tmp_path / "gaps.tsv"]
    text = refused(capsys, "ceilings", "--config", tmp_path / "config.yaml", *words)
    assert text.endswith("own.test-a1.h5: decodes pupil, not states; make it again")


def test_the_score_of_a_table_is_told_by_its_columns():
    for name, kind in targets.KINDS.items():
        gaps = ceiling_gaps.gap_columns_of(kind)
        assert targets.kind_scored(gaps, "_a").name == name
        assert targets.kind_scored(ceiling_gaps.columns_of(kind)).name == name
