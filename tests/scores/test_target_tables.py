"""Tables of traces and named states, against values by hand and slow ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from make_decoders import refused, run
from mesodecode.base.metrics import macro_auc, r2
from mesodecode.base.tables import read_scores
from mesodecode.decoders.predictions import Predictions, SessionPredictions, read
from mesodecode.report import section_words
from mesodecode.scores import target_tables
from mesodecode.scores.chance_tests import shifts_of
from mesodecode.study.targets import Target
from tabled import as_tabled

STATES = ("rest", "walk", "groom")
ABOUT = {"train_mice": "m1", "valid_mouse": "m2", "test_mouse": "m3"}


def made(sessions, target, decoder="d", allocation="train-m1.valid-m2.test-m3"):
    return Predictions(decoder, allocation, *ABOUT.values(), sessions, target=target)


def trace(seed=0, n=40, noise=0.5):
    rng = np.random.default_rng(seed)
    value = np.cumsum(rng.standard_normal(n)).astype(np.float32)
    guess = (value + noise * rng.standard_normal(n)).astype(np.float32)
    return SessionPredictions("m3", np.arange(3, n + 3), value, guess)


def states(seed=0, n=60):
    rng = np.random.default_rng(seed)
    state = rng.integers(0, 3, n).astype(np.uint8)
    probability = rng.random((n, 3)) + np.eye(3)[state]
    probability /= probability.sum(1, keepdims=True)
    return SessionPredictions("m3", np.arange(n), state, probability.astype(np.float32))


def test_regression_is_scored_over_all_frames_pooled_and_by_session():
    one, two = trace(0), trace(1)
    pooled, sessions, confusion = target_tables.tables(
        made({"a": one, "b": two}, Target("pupil")), 99
    )
    value = np.concatenate([one.label, two.label])
    guess = np.concatenate([one.probability, two.probability])
    (row,) = pooled.to_dict("records")
    assert row["n_frames"] == 80 and row["r2"] == pytest.approx(r2(value, guess))
    assert row["correlation"] == pytest.approx(np.corrcoef(value, guess)[0, 1])
    assert sessions["r2"].tolist() == pytest.approx(
        [r2(s.label, s.probability) for s in (one, two)]
    )
    assert row["p_shift"] == pytest.approx(1 / 100) and row["null_r2"] < row["r2"]
    assert confusion.empty


def test_shifted_r2_is_that_of_rolled_values():
    one, two = trace(0), trace(1, n=31)
    sessions = {"a": one, "b": two}
    fast = target_tables.shifted_r2(sessions, 7)
    shifts = []
    for name, each in sessions.items():
        import zlib

        stream = np.random.default_rng([1, zlib.crc32(name.encode())])
        shifts.append(stream.integers(1, len(each.frame), 7))
    guess = np.concatenate([one.probability, two.probability])
    slow = [
        r2(np.concatenate([np.roll(one.label, a), np.roll(two.label, b)]), guess)
        for a, b in zip(*shifts, strict=True)
    ]
    np.testing.assert_allclose(fast, slow, atol=1e-5)


def test_a_session_without_frames_changes_no_chance():
    none = SessionPredictions("m3", *[np.empty(0, int)] * 3)
    both = target_tables.shifted_r2({"a": trace(0), "none": none}, 7)
    np.testing.assert_array_equal(both, target_tables.shifted_r2({"a": trace(0)}, 7))
    assert np.isnan(target_tables.shifted_r2({"none": none}, 7)).all()


def test_a_trace_shifted_by_its_period_ties_with_the_true_one():
    value = np.tile(np.sin(np.arange(60) / 60 * 2 * np.pi), 10).astype(np.float32)
    guess = (value + np.random.default_rng(5).normal(size=600)).astype(np.float32)
    sessions = {"a": SessionPredictions("m3", np.arange(600), value, guess)}
    row, *_ = target_tables.tables(made(sessions, Target("pupil")), 200)
    best = r2(value, guess)
    shifted = (r2(np.roll(value, by), guess) for by in shifts_of("a", 600, 200))
    ties = sum(found > best - 1e-9 for found in shifted)
    assert ties > 2 and row["p_shift"].item() == pytest.approx((ties + 1) / 201)


def test_chance_is_the_mean_of_shifted_values():
    sessions = {"a": trace(0), "b": trace(1, n=31)}
    pooled, *_ = target_tables.tables(made(sessions, Target("pupil")), 30)
    null = target_tables.shifted_r2(sessions, 30)
    assert pooled["null_r2"].item() == pytest.approx(null.mean())
    assert abs(null.mean() - np.median(null)) > 1e-3


def test_ceiling_is_the_share_of_variance_that_has_memory():
    rng = np.random.default_rng(0)
    slow = np.sin(np.arange(20000) / 200)
    noisy = slow + rng.standard_normal(20000)
    kept = SessionPredictions("m3", np.arange(20000), noisy, noisy)
    assert target_tables.ceiling([kept]) == pytest.approx(0.5 / 1.5, abs=0.02)
    smooth = SessionPredictions("m3", np.arange(20000), slow, slow)
    assert target_tables.ceiling([smooth]) == 1
    # the noise of both, 1, of a variance of 25 between them and 1/4 within
    two = [
        SessionPredictions("m3", np.arange(4), level + np.array([0.0, 1, 0, 1]), None)
        for level in (0, 10)
    ]
    assert target_tables.ceiling(two) == pytest.approx(1 - 1 / 25.25)
    # by hand: g(1) of 0 1 0 1 is 1/2, g(2) is 0; frames apart are no neighbours
    square = SessionPredictions("m3", np.array([0, 1, 2, 3]), np.array([0.0, 1, 0, 1]), None)
    assert target_tables.ceiling([square]) == 0
    apart = SessionPredictions("m3", np.array([0, 5, 9, 13]), np.array([0.0, 1, 0, 1]), None)
    assert np.isnan(target_tables.ceiling([apart]))


def test_states_are_scored_one_against_all_others_and_confused():
    one, two = states(0), states(1)
    target = Target("states", STATES)
    pooled, sessions, confusion = target_tables.tables(made({"a": one, "b": two}, target), 19)
    as_tabled(pooled, "states"), as_tabled(sessions, "states_by_session")
    state = np.concatenate([one.label, two.label])
    probability = np.concatenate([one.probability, two.probability])
    (row,) = pooled.to_dict("records")
    assert row["macro_auc"] == pytest.approx(macro_auc(state, probability))
    assert row["macro_auc"] == pytest.approx(np.mean([row[f"auc_{s}"] for s in STATES]))
    assert row["accuracy"] == (probability.argmax(1) == state).mean()
    assert row["p_shift"] == pytest.approx(1 / 20) and abs(row["null_macro_auc"] - 0.5) < 0.1
    assert len(sessions) == 2 and len(confusion) == 9 and confusion["n_frames"].sum() == 120
    cell = confusion[(confusion["state"] == "walk") & (confusion["predicted"] == "groom")]
    assert cell["n_frames"].item() == ((state == 1) & (probability.argmax(1) == 2)).sum()
    np.testing.assert_allclose(confusion.groupby("state")["share"].sum(), 1)


def test_a_row_of_the_confusion_is_a_state_and_what_it_was_taken_for():
    state, taken = np.array([0, 0, 0, 1, 2], np.uint8), [1, 1, 0, 1, 2]
    one = SessionPredictions("m3", np.arange(5), state, np.eye(3, dtype=np.float32)[taken])
    pooled, _, confusion = target_tables.tables(made({"a": one}, Target("states", STATES)), 9)
    assert pooled["accuracy"].item() == 3 / 5
    as_tabled(confusion, "states_confused")
    table = confusion.pivot(index="state", columns="predicted", values="n_frames")
    assert table.loc[list(STATES), list(STATES)].to_numpy().tolist() == [
        [1, 2, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]
    shares = confusion.pivot(index="state", columns="predicted", values="share")
    assert shares.loc["rest", "walk"] == pytest.approx(2 / 3)


def test_sessions_without_a_state_or_a_frame_are_nan_not_wrong():
    target, one = Target("states", STATES), states(0)
    few = SessionPredictions("m3", one.frame, np.minimum(one.label, 1), one.probability)
    none = SessionPredictions(
        "m3", *(np.empty((0, 3)[: k + 1] if k == 1 else 0) for k in (0, 0, 0))
    )
    pooled, sessions, _ = target_tables.tables(made({"a": few, "b": none}, target), 19)
    assert np.isnan(pooled["auc_groom"].item()) and np.isfinite(pooled["macro_auc"].item())
    assert np.isnan(sessions["macro_auc"].iloc[1]) and sessions["n_frames"].iloc[1] == 0
    flat = SessionPredictions("m3", np.arange(9), np.ones(9), np.arange(9.0))
    pooled, *_ = target_tables.tables(made({"a": flat}, Target("pupil")), 19)
    assert pooled[["r2", "correlation", "ceiling", "p_shift"]].isna().all(axis=None)


def write_all(folder, target, session):
    """Predictions of two decoders in three allocations, and the table of these."""
    names = [f"train-{a}.valid-{b}.test-{c}" for a, b, c in ("xyz", "yzx", "zxy")]
    for decoder in ("one", "two"):
        for seed, name in enumerate(names):
            mice = [part.partition("-")[2] for part in name.split(".")]
            each = session(seed + 10 * (decoder == "two"))
            each = SessionPredictions(mice[2], each.frame, each.label, each.probability)
            item = Predictions(decoder, name, *mice, {f"{mice[2]}_s": each}, target=target)
            (folder / decoder).mkdir(exist_ok=True)
            item.write(folder / decoder / f"{name}.h5")
    pd.DataFrame({"allocation": names}).to_csv(folder / "a.tsv", sep="\t", index=False)
    return ["--decoders", "one", "two", "--allocations", folder / "a.tsv"]


@pytest.mark.parametrize(
    ("target", "session", "metric"),
    [(Target("pupil", unit="px"), trace, "r2"), (Target("states", STATES), states, "macro_auc")],
)
def test_verbs_score_compare_and_draw(tmp_path, capsys, target, session, metric):
    words = write_all(tmp_path, target, session)
    table, sessions = tmp_path / "t.tsv", tmp_path / "s.tsv"
    out = ["--out", table, "--sessions", sessions, "--figure", tmp_path / "f"]
    confusion = ["--confusion", tmp_path / "c.tsv"] if target.states else []
    assert run("score", "--predictions", tmp_path, *words, "--shifts", 9, *out, *confusion) == 0
    assert len(pd.read_csv(table, sep="\t")) == 6 and (tmp_path / "f.svg").stat().st_size
    scores = read_scores(table, metric, ["decoder", "auc"])
    assert {*scores} == {"decoder", "allocation", *ABOUT, "n_frames", "protocol", "auc"}
    by = ["--by", "decoder", "--metric", metric]
    assert run("compare", "--auc", table, *by, "--out", tmp_path / "cmp.tsv") == 0
    compared = pd.read_csv(tmp_path / "cmp.tsv", sep="\t")
    means = scores.groupby("decoder")["auc"].mean()
    assert compared["mean_a"].item() == pytest.approx(means["one"])
    assert run("inference", "--auc", table, "--sessions", sessions, *by, "--out",
               tmp_path / "inf.tsv") == 0  # fmt: skip
    assert run("figures", "--auc", table, "--metric", metric, "--comparisons", tmp_path / "cmp.tsv",
               "--out", tmp_path / "g") == 0  # fmt: skip
    assert ("Test R²" if metric == "r2" else "Test macro AUC") in (tmp_path / "g.svg").read_text()
    # what is of run and rest only says so
    auc = ["--out", tmp_path / "x.tsv", "--sessions", tmp_path / "y.tsv"]
    line = refused(capsys, "auc", "--predictions", tmp_path, *words, *auc)
    assert f"predictions of {target.name}, not of run and rest" in line


def test_predictions_of_other_targets_come_back_and_what_cannot_be_is_refused(tmp_path):
    from mesodecode.base.files import UserError

    path = tmp_path / "p.h5"
    item = made({"a": states()}, Target("states", STATES))
    item.write(path)
    back = read(path, of_any=True)
    assert back.target == item.target
    np.testing.assert_array_equal(back.sessions["a"].probability, item.sessions["a"].probability)
    one = trace()
    one.probability[3] = np.nan
    with pytest.raises(UserError, match="1 values or predictions are no finite numbers"):
        made({"a": one}, Target("pupil")).write(path)
    wrong = states()
    wrong.label[0] = 3
    with pytest.raises(UserError, match="labels must be 0 to 2, not 3"):
        made({"a": wrong}, Target("states", STATES)).write(path)


def test_predictions_that_are_given_twice_are_refused(tmp_path, capsys):
    item = made({"a": trace()}, Target("pupil"))
    for name in ("p.h5", "q.h5"):
        item.write(tmp_path / name)
    words = ["score", "--predictions", tmp_path / "p.h5", tmp_path / "q.h5", "--shifts", 9]
    words += ["--out", tmp_path / "t.tsv", "--sessions", tmp_path / "s.tsv"]
    line = refused(capsys, *words, "--figure", tmp_path / "f")
    assert f"q.h5: decoder and allocation are also in {tmp_path / 'p.h5'}" in line


def test_the_report_has_the_means_of_decoders_and_every_allocation_and_session():
    names = ["train-m1.valid-m2.test-m3", "train-m2.valid-m1.test-m3"]
    items = [
        made({"s1": trace(seed), "s2": trace(seed + 9)}, Target("pupil"), decoder, name)
        for decoder, first in (("slow", 0), ("fast", 4))
        for seed, name in enumerate(names, first)
    ]
    each = [target_tables.tables(item, 0) for item in items]
    table, sessions = (pd.concat([one[i] for one in each], ignore_index=True) for i in (0, 1))
    tables = {"regression": table, "session_regression": sessions}
    config = {"target": "pupil", "decoders": {}, "circular_shifts": 0}
    words = section_words.scores(config, tables)
    assert words["decoders"] == ["slow", "fast"] and words["heading"] == "R²"
    slow = table[table["decoder"] == "slow"]
    first = words["summary"][0]
    assert (first["decoder"], first["n"]) == ("slow", 2)
    for name, value in (("mean", slow["r2"].mean()), ("sd", slow["r2"].std())):
        assert first[name] == pytest.approx(value)
    assert (first["min"], first["max"]) == pytest.approx((slow["r2"].min(), slow["r2"].max()))
    assert first["correlation"] == pytest.approx(slow["correlation"].mean())
    (_, heads, means), (_, columns, rows), (_, _, by_session) = words["blocks"]
    assert repr(means) == repr(words["summary"]) and len(rows) == 4  # with NaN
    assert [title for title, _, _ in heads[:5]] == ["Decoder", "Mean R²", "SD", "Min", "Max"]
    assert ("Ceiling of R²", 1, "ceiling") in columns and ("Test mouse", 0, "test_mouse") in columns
    assert {name for _, _, name in (*heads, *columns)} <= {*rows[0], *means[0]}
    assert [(row["session"], row["decoder"]) for row in by_session] == [
        *(("s1", "slow"), ("s2", "slow"), ("s1", "fast"), ("s2", "fast")),
    ]
    mine = sessions[(sessions["session"] == "s1") & (sessions["decoder"] == "slow")]
    assert by_session[0]["r2"] == pytest.approx(mine["r2"].mean())
    assert "p = " not in words["words"] and "[@" not in words["words"]
    assert section_words.scores(config, {}) is None
