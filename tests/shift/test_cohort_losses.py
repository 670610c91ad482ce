"""Which difference goes with a loss across cohorts: ranks by hand, and simulated tables."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from mesodecode.cli import main
from mesodecode.shift import cohort_losses, columns
from tabled import as_tabled
from texts import as_read, as_written

COHORTS = {"lab": [f"l{i}" for i in range(5)], "rig": [f"r{i}" for i in range(5)]}
RATES = {m: 30.0 if m[0] == "l" else 15.0 for members in COHORTS.values() for m in members}


def shift_of(loss, rng=None, n=5, **differences):
    """A table of shift: each mouse from its own cohort (AUC .9) and from the other, less `loss`.

    `differences`: measure -> value of each mouse (lab, then rig) across; 0 within.
    """
    rng = rng or np.random.default_rng(0)
    rows = []
    mice = [(c, m) for c, members in COHORTS.items() for m in members[:n]]
    for at, (cohort, mouse) in enumerate(mice):
        for train, members in COHORTS.items():
            across = train != cohort
            row = dict.fromkeys(columns.columns_of(), np.nan)
            known = [m for m in members if m != mouse][:2]
            row |= {"decoder": "cnn", "allocation": f"{train}-{mouse}", "session": mouse}
            row |= {"train_mice": "+".join(known), "test_mouse": mouse}
            row["auc"] = 0.9 - (loss[at] if across else 0)
            for name in columns.OF_IMAGES:
                drawn = float(rng.random())
                value = differences.get(name, [drawn] * len(mice))[at]
                row[f"{name}_shift"] = value if across else 0.1
            rows.append(row)
    return pd.DataFrame(rows)


def found(table):
    return cohort_losses.table(table, COHORTS, RATES).set_index("difference")


def test_a_mouse_of_which_one_difference_is_not_known_counts_for_the_others():
    table = shift_of([0.1 * i for i in range(10)])
    table.loc[table["test_mouse"] == "l2", "rotation_shift"] = np.nan
    counts = found(table)["n_mice"]
    assert counts.pop("rotation") == 9 and set(counts) == {10}
    for across, n_mice in ((True, 9), (False, 10)):  # from its own cohort: against the other's
        table = shift_of([0.1 * i for i in range(10)])
        one = (table["test_mouse"] == "l2") & (table["train_mice"].str[0].eq("r") == across)
        table.loc[one, "rotation_shift"] = np.nan
        row = found(table).loc["rotation"]
        assert (row["n_mice"], row["n_both"]) == (n_mice, 9)


def test_decoders_stand_in_the_order_of_the_table():
    one = shift_of([0.1] * 10, n=2)
    both = pd.concat([one.assign(decoder=name) for name in ("net", "cnn")])
    assert cohort_losses.table(both, COHORTS, RATES)["decoder"].unique().tolist() == ["net", "cnn"]


def test_ranks_within_each_way_by_hand():
    loss = [0.1, 0.2, 0.3, 0.4, 0.5, 0.05, 0.01, 0.02, 0.03, 0.04]
    # of lab in the order of the loss, of rig in reverse but for one: cohorts' levels say nothing
    rotation = [1, 2, 3, 4, 5, 101, 105, 104, 103, 102]
    row = as_tabled(found(shift_of(loss, rotation=rotation)), "cohort_losses").loc["rotation"]
    lab, rig = spearmanr(loss[:5], rotation[:5])[0], spearmanr(loss[5:], rotation[5:])[0]
    assert (lab, rig) == (pytest.approx(1), pytest.approx(-1))
    assert row["rho"] == pytest.approx((lab + rig) / 2, abs=1e-9)  # ranks of five vary alike
    assert row["n_mice"] == 10 and row["p"] > 0.9
    assert (row["within"], row["across"]) == (pytest.approx(0.1), np.median(rotation))
    assert "not shown to go with the loss" in as_read(row["sentence"])


def test_the_planted_difference_is_named_and_no_other():
    loss = np.random.default_rng(1).permutation(np.linspace(0, 0.3, 10))
    dark = [2.0] * 5 + [2.5] * 5  # the same in all mice of a cohort
    table = found(shift_of(loss, rotation=20 + 50 * loss, brightness=dark))
    row = table.loc["rotation"]
    assert row["rho"] == pytest.approx(1) and row["p"] < 0.001 and row["p_holm"] < 0.01
    draws = 10_000 * row["p"]  # the true order is one of 10,000, so that no p is 0
    assert draws >= 1 and draws == pytest.approx(round(draws))
    assert "mice that differ more lose more (rank correlation 1.00 over 10 mice" in as_read(
        row["sentence"]
    )
    for name in ("brightness", "rate"):
        assert (
            np.isnan(table.loc[name, "rho"])
            and "cannot be told from" in (table.loc[name, "sentence"])
        )
    assert table.loc["rate", "across"] == 1 and table.loc["rate", "within"] == 0  # 15 of 30: octave
    (text,) = as_written(cohort_losses.headlines(table.reset_index()), "cohort_losses_named")
    assert text.startswith("cnn: mice of a cohort lose more that differ more in rotation (1.00)")
    assert "over 10 mice, which prove no cause. Every mouse is further" in text
    assert "rate (1 against 0 octaves of the frame rate as recorded)" in text
    assert "brightness (2.25 against 0.1 octaves)" in text and "cannot be told apart" in text
    assert table.loc["rate", ["n_both", "n_larger"]].tolist() == [10, 10]


def test_a_mouse_is_the_mean_of_its_rows_not_the_middle_one():
    table = shift_of(list(np.linspace(0, 0.3, 10)), rotation=list(range(20, 30)))
    at = (table["test_mouse"] == "l2") & (table["train_mice"].str[0] == "r")
    numbers = table.columns[table.columns.str.endswith("_shift")].union(["auc"])
    more = [table[at].assign(**table.loc[at, numbers] + off) for off in (-0.4, -0.2, 0.6)]
    pd.testing.assert_frame_equal(found(pd.concat([table[~at], *more])), found(table))


def test_p_is_the_share_of_exchanges_that_reach_as_much():
    """Three and three mice: all 36 exchanges within cohorts, slowly."""
    loss, far = [0.1, 0.3, 0.2, 0.5, 0.4, 0.6], [1, 3, 2, 6, 4, 5]
    few = shift_of(loss, n=3, position=far)
    row = found(few).loc["position"]
    centred = np.array([-1, 1, 0, 1, -1, 0])  # ranks of far
    ranks = [(-1, 1, 0), (0, -1, 1)]
    reached = [
        abs(centred @ np.array([*a, *b])) >= abs(centred @ np.array([*ranks[0], *ranks[1]]))
        for a in itertools.permutations(ranks[0])
        for b in itertools.permutations(ranks[1])
    ]
    assert row["p"] == pytest.approx(np.mean(reached), abs=0.02)


def test_nothing_is_shown_where_nothing_was_planted():
    """At most about one in twenty studies names a difference that has nothing to do with it."""
    named = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        drawn = {name: rng.random(10) for name in columns.OF_IMAGES}
        table = found(shift_of(rng.random(10), rng, **drawn))
        named += bool((table["p_holm"] < 0.05).any())
    assert named <= 4  # of 20 at .05: more than four once in four hundred


def test_few_mice_are_not_ranked():
    table = found(shift_of([0.1, 0.2, 0.3, 0.4], n=2))
    assert table["rho"].isna().all()
    assert table.loc["noise", "sentence"] == (
        "cnn, noise: 0 mice tested from another cohort are too few to rank."
    )
    (text,) = as_written(cohort_losses.headlines(table.reset_index()), "cohort_losses_of_few")
    assert "what goes with the loss is not known" in text


def test_mice_that_differ_more_and_lose_less_explain_no_loss():
    loss = np.random.default_rng(1).permutation(np.linspace(0, 0.3, 10))
    table = found(shift_of(loss, rotation=20 - 50 * loss))
    row = table.loc["rotation"]
    assert row["rho"] == pytest.approx(-1) and row["p"] >= 1 / 10_000  # the own order counts
    assert "mice that differ more lose less" in as_read(row["sentence"])
    (text,) = as_written(
        cohort_losses.headlines(table.reset_index()), "cohort_losses_not_explained"
    )
    assert "lose more" not in text and "differences is shown to go with the loss" in text


def test_a_difference_is_from_the_nearest_training_mouse_and_its_median_of_mice():
    mixed = RATES | {"l0": 15.0, "l4": 7.5}
    table = shift_of([0.1] * 10)
    table["train_mice"] = "l0+l1"  # of 15 and 30 frames/s
    rows = cohort_losses.table(table, COHORTS, mixed).set_index("difference")
    # lab: 0, 0, 0, 0 and an octave; rig, of 15: 0
    assert rows.loc["rate", ["within", "across"]].tolist() == [0, 0]


def test_a_mouse_that_is_as_far_from_both_cohorts_is_no_further_from_the_other():
    row = found(shift_of([0.1] * 10, rotation=[0.1] * 9 + [0.2])).loc["rotation"]
    assert (row["n_both"], row["n_larger"]) == (10, 1)


def test_where_one_mouse_has_no_auc_of_its_own_cohort_all_are_ranked_by_their_auc():
    rng = np.random.default_rng(2)
    table = shift_of(list(np.linspace(0, 0.3, 10)), rng, rotation=rng.random(10))
    own = table["allocation"].str[0] == table["test_mouse"].str[0]
    table.loc[own, "auc"] = 0.6 + 0.4 * rng.random(10)
    lacking = own & (table["test_mouse"] == "r4")
    whole, one, none = (found(table[~gone]).loc["rotation"] for gone in (own & False, lacking, own))
    assert one["n_mice"] == none["n_mice"] == 10
    assert one["rho"] == none["rho"] != whole["rho"]


def test_losses_go_to_the_same_other_mice_in_all_ways_that_test_them():
    """Two cohorts train for one whose six mice lose alike from both: 2 of 720 orders reach it."""
    cohorts = {name: [f"{name}{i}" for i in range(6)] for name in "abc"}
    rows = [
        dict.fromkeys(columns.columns_of(), 0.1)
        | {"decoder": "cnn", "train_mice": f"{train}0", "test_mouse": mouse, "session": mouse}
        | {"auc": 0.9 - 0.02 * at * (train != "a"), "rotation_shift": at * (train != "a")}
        for train in "abc"
        for at, mouse in enumerate(cohorts["a"])
        if mouse != f"{train}0"
    ]
    rates = dict.fromkeys((m for members in cohorts.values() for m in members), 30.0)
    own = [dict(rows[0]) | {"train_mice": "a1", "test_mouse": "a0", "session": "a0", "auc": 0.9}]
    table = cohort_losses.table(pd.DataFrame(own + rows), cohorts, rates)
    row = table.set_index("difference").loc["rotation"]
    assert row["rho"] == pytest.approx(1) and row["n_mice"] == 6
    assert row["p"] == pytest.approx(2 / 720, abs=0.0015)


def test_mice_of_a_cohort_that_was_trained_with_another_are_not_tested_across():
    table = shift_of(np.linspace(0, 0.3, 10))
    across = table["allocation"].str[0] != table["test_mouse"].str[0]
    table.loc[across, "train_mice"] = "l1+r1"
    rows = found(table)
    assert rows["n_mice"].eq(0).all() and rows["rho"].isna().all()


def test_where_all_lose_alike_no_difference_goes_with_it():
    row = found(shift_of([0.1] * 10, rotation=range(10))).loc["rotation"]
    assert (row["n_mice"], row["rho"], row["p"], row["p_holm"]) == (10, 0, 1, 1)


def test_the_verb_knows_the_frame_rate_of_each_cohort(tmp_path):
    files = {"movie": "{session}.tif", "behavior": "{session}.csv", "frame_rate": 30}
    config = {
        "study": "s",
        "recordings": files,
        "mice": {mouse: [f"{mouse}_1"] for mouse in RATES},
        "cohorts": COHORTS,
        "by_cohort": {"rig": {"recordings": {"frame_rate": 15}}},
        "frame_rate": 15,
        "allocation": {"train": 2, "cohorts": "across"},
        "decoders": {"linear": {"model": "logistic_regression"}},
    }
    (tmp_path / "s.json").write_text(json.dumps(config))
    shift_of([0.1] * 10).to_csv(tmp_path / "shift.tsv", sep="\t", index=False, na_rep="NaN")
    out = tmp_path / "out.tsv"
    words = ["--config", tmp_path / "s.json", "--shift", tmp_path / "shift.tsv", "--out", out]
    assert main(["cohort-shift", *map(str, words)]) == 0
    row = pd.read_csv(out, sep="\t").set_index("difference").loc["rate"]
    assert (row["within"], row["across"]) == (0, 1)
