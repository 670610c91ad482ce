"""Ceilings against other mice: differences by hand, over mice."""

from __future__ import annotations

import dataclasses
import datetime

import numpy as np
import pandas as pd
import pytest

from drawn import as_drawn
from mesodecode.base.files import UserError
from mesodecode.decoders.held_out import HeldOut
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.scores import auc, ceiling_gaps, ceilings_figure
from mesodecode.study.ceilings import Member, SessionSplit
from tabled import as_tabled
from texts import as_read, as_written

SESSIONS = {mouse: [f"{mouse}{i}" for i in (1, 2, 3)] for mouse in "abc"}
DATES = {f"{mouse}{i}": datetime.date(2024, 1, i * i) for mouse in "abc" for i in (1, 2, 3)}
LABEL = np.array([0, 0, 1, 1])
# with these labels: of four pairs 4, 3 and 2 are in order
AUC = {1.0: [0.1, 0.2, 0.3, 0.4], 0.75: [0.1, 0.3, 0.2, 0.4], 0.5: [0.2, 0.3, 0.1, 0.4]}


def held(arm, test, train, value, valid=()):
    roles = (tuple(Member(name[0], name) for name in names) for names in (train, valid, [test]))
    split = SessionSplit(arm, *roles)
    made = SessionPredictions(test[0], np.arange(4), LABEL, np.array(AUC[value]))
    return HeldOut("net", split, made)


def study_auc(**values):
    """The study's AUCs of sessions, each in two allocations, .05 below and above."""
    rows = [
        {"decoder": "net", "allocation": f"{at}", "train_mice": "+".join(others), "session": name}
        | {"valid_mouse": "z", "test_mouse": name[0], "n_frames": 4, "n_run": 2}
        | {"auc": value + change, "accuracy": 0.5}
        for name, value in values.items()
        for at, change in enumerate((-0.05, 0.05))
        for others in [[m for m in SESSIONS if m != name[0]][: at + 1]]
    ]
    return pd.DataFrame(rows)[auc.SESSION_COLUMNS]


HELD = [
    held("own", "a1", ["a2", "a3"], 1.0, valid=["a4", "a5"]),
    held("own", "a2", ["a1", "a3"], 0.75),
    held("own", "b1", ["b2", "b3"], 0.75),
    held("own", "c1", ["c2", "c3"], 1.0),
    held("own_near", "a1", ["a2"], 1.0),
    held("own_far", "a1", ["a3"], 0.5),
    held("own_near", "b1", ["b2"], 1.0),
    held("own_far", "b1", ["b3"], 0.75),
    held("others_equal", "a1", ["b1", "c1"], 0.5, valid=["d1"]),
]
STUDY = {"a1": 0.9, "a2": 0.45, "b1": 0.65, "c1": 0.7}


def rows(dates=DATES):
    return ceiling_gaps.table(HELD, study_auc(**STUDY), SESSIONS, dates)


def test_table_of_arms_by_hand():
    found = as_tabled(rows(), "ceilings").set_index(["arm", "session"])
    assert list(found.loc["own", "a1"][["n_train", "days", "auc"]]) == [2, (3 + 8) / 2, 1.0]
    assert found.loc["own", "a2"]["days"] == (3 + 5) / 2  # before it and after it
    sets = found[["train_sessions", "valid_sessions"]]
    assert list(sets.loc["own", "a1"]) == ["a/a2+a/a3", "a/a4+a/a5"]
    assert list(sets.loc["own_near", "a1"]) == ["a/a2", "-"]  # a decoder that chooses no epoch
    assert list(sets.loc["others", "a1"]) == ["of 2 allocations", "-"]
    others = found.loc["others", "a1"]
    # one training mouse in one allocation, two in the other, of three sessions each
    assert others["auc"] == pytest.approx(0.9) and others["n_train"] == 4.5
    assert others["days"] == pytest.approx((0 + 3 + 8) / 3)
    assert len(found) == len(HELD) + 4
    undated = rows({}).set_index(["arm", "session"])
    assert undated[["days", "n_same_day"]].isna().all(axis=None)


def test_gaps_are_means_of_mice_with_their_interval():
    found = as_tabled(ceiling_gaps.gaps(rows()), "ceiling_gaps").set_index(["a", "b"])
    gap = found.loc["own", "others"]
    # a: (.1 + .3) / 2, b: .1, c: .3; SD .1, t of 2 degrees of freedom 4.3027
    assert gap["difference"] == pytest.approx(0.2) and gap["n_sessions"] == 4
    half = 4.3027 * 0.1 / np.sqrt(3)
    assert [gap["ci_low"], gap["ci_high"]] == pytest.approx([0.2 - half, 0.2 + half], abs=1e-4)
    assert gap["auc_a"] == pytest.approx((0.875 + 0.75 + 1) / 3)
    days = found.loc["own_near", "own_far"]
    assert days["difference"] == pytest.approx((0.5 + 0.25) / 2) and days["n_mice"] == 2
    assert (days["days_a"], days["days_b"], days["n_train_a"]) == (3, 8, 1)
    assert np.isnan(found.loc[("own", "others_equal"), "difference"])  # of one mouse
    assert "net: not made, " in found.loc[("others_near", "others_far"), "sentence"]


def test_other_mice_are_the_mean_over_allocations_in_score_number_and_days():
    study = study_auc(**STUDY)
    second = study[study["allocation"] == "1"]
    more = second.assign(allocation="2", auc=second["auc"] + 0.1)
    table = ceiling_gaps.table(HELD, pd.concat([study, more]), SESSIONS, DATES)
    row = table.set_index(["arm", "session"]).loc["others", "a1"]
    # .85, .95 and 1.05; three sessions of one mouse, six of two and again
    assert row["auc"] == pytest.approx(0.95) and row["n_train"] == 5
    kept = more.assign(allocation="3", auc=0.35)
    table = ceiling_gaps.table(HELD, pd.concat([study, more, kept]), SESSIONS, DATES)
    row = table.set_index(["arm", "session"]).loc["others", "a1"]
    assert row["auc"] == pytest.approx((0.85 + 0.95 + 1.05 + 0.35) / 4) and row["n_train"] == 5.25


def test_other_mice_of_each_session_are_those_of_its_decoder():
    """Two decoders in one table of the study; sessions of several lengths."""
    lengths = {"a1": 40, "a2": 50, "b1": 60, "c1": 70}
    net = study_auc(**STUDY)
    net = net.assign(n_frames=net["session"].map(lengths), n_run=net["session"].map(lengths) // 5)
    gru = net.assign(decoder="gru", auc=net["auc"] - 0.3, n_frames=net["n_frames"] + 1)
    both = [*HELD, *(dataclasses.replace(one, decoder="gru") for one in HELD[1:])]
    table = ceiling_gaps.table(both, pd.concat([gru, net]), SESSIONS, DATES)
    others = table[table["arm"] == "others"].set_index(["decoder", "session"])
    for session, n_frames in lengths.items():
        for decoder, less, more in (("net", 0, 0), ("gru", 0.3, 1)):
            row = others.loc[decoder, session]
            assert row["auc"] == pytest.approx(STUDY[session] - less)
            assert (row["n_frames"], row["n_run"]) == (n_frames + more, n_frames // 5)


def test_decoders_and_mice_stand_in_the_order_of_the_table_not_of_letters():
    turned = pd.concat([rows()[::-1], rows()[::-1].assign(decoder="a")])
    assert list(dict.fromkeys(ceiling_gaps.of_mice(turned)["decoder"])) == ["net", "a"]
    assert list(ceiling_gaps.of_mice(turned)["test_mouse"]) == ["c", "b", "a"] * 2
    gaps = ceiling_gaps.gaps(turned)
    assert list(dict.fromkeys(gaps["decoder"])) == ["net", "a"]
    first, second = ceiling_gaps.headlines(gaps)
    assert first[1].startswith("net reaches") and second[1].startswith("a reaches")


def test_a_mouse_of_two_sessions_counts_once():
    table = ceiling_gaps.table(HELD, study_auc(a1=0.9, a2=0.7, b1=0.5, c1=0.6), SESSIONS, DATES)
    gap = ceiling_gaps.gaps(table).set_index(["a", "b"]).loc["own", "others"]
    assert gap["auc_b"] == pytest.approx((0.8 + 0.5 + 0.6) / 3)


def test_the_ceiling_of_each_mouse_by_hand():
    found = as_tabled(ceiling_gaps.of_mice(rows()), "ceilings_of_mice").set_index("test_mouse")
    assert list(found.index) == ["a", "b", "c"] and list(found["n_sessions"]) == [2, 1, 1]
    # of a: own 1 and .75, others .9 and .45; one session has as many of others, .5
    assert list(found.loc["a"])[2:] == pytest.approx([0.875, 0.675, 0.2, 0.5, 0.5])
    assert found.loc["b", "gap"] == pytest.approx(0.1)
    assert np.isnan(found.loc["b", ["others_equal", "gap_equal"]].astype(float)).all()
    empty = rows().assign(auc=np.nan)
    assert list(ceiling_gaps.of_mice(empty)["n_sessions"]) == [0, 0, 0]


def test_a_session_that_nothing_was_decoded_of_is_a_row_without_an_auc():
    none = HeldOut("net", HELD[0].split, SessionPredictions("a", *[np.empty(0)] * 3))
    table = ceiling_gaps.table([none, *HELD[1:]], study_auc(**STUDY), SESSIONS, DATES)
    row = table.set_index(["arm", "session"]).loc["own", "a1"]
    assert np.isnan(row["auc"]) and row["n_frames"] == 0
    gap = ceiling_gaps.gaps(table).set_index(["a", "b"]).loc["own", "others"]
    assert gap["n_sessions"] == 3


def test_the_answer_is_one_sentence_a_decoder():
    ((verdict, text),) = as_written(
        ceiling_gaps.headlines(ceiling_gaps.gaps(rows())), "ceilings_no_gap"
    )
    assert verdict == "none"  # the interval of three mice holds 0
    assert "no gap is shown, 0.200 (95 % interval -0.048 to 0.448, 3 mice)" in text
    assert "net reaches an AUC of 0.675 in a mouse it never saw, and 0.875 if trained" in text
    assert "in days (3 on average) rather than far (8) changes the AUC by 0.375 (95 % i" in text
    better = study_auc(a1=0.8, a2=0.55, b1=0.55, c1=0.8)  # .2 below in each
    table = ceiling_gaps.gaps(ceiling_gaps.table(HELD, better, SESSIONS, DATES))
    ((verdict, text),) = as_read(ceiling_gaps.headlines(table))
    assert verdict == "gap" and ": 0.200 (95 % interval 0.200 to 0.200, 3 mice) below its" in text
    one_mouse = [one for one in HELD if one.split.arm == "own"][:2]
    few = ceiling_gaps.gaps(ceiling_gaps.table(one_mouse, study_auc(**STUDY), SESSIONS, DATES))
    ((verdict, text),) = as_written(ceiling_gaps.headlines(few), "ceilings_of_one_mouse")
    assert verdict == "not made" and text.startswith("net: not made, ")
    plain = [one for one in HELD if one.split.arm in ("own", "others_equal")]
    table = ceiling_gaps.table(plain, study_auc(**STUDY), SESSIONS, {})
    ((_, text),) = as_read(ceiling_gaps.headlines(ceiling_gaps.gaps(table)))
    assert "no dates of sessions are known (set nwb.session_start, or nwb.sessions to a" in text


def test_the_whole_answer_has_equal_numbers_and_days_of_both():
    numbers = {
        ("own", "others"): (0.9, 0.8, 0.1, 0.05, 0.15, 5),
        ("own", "others_equal"): (0.9, 0.88, 0.02, -0.01, 0.05, 4),
        ("own_near", "own_far"): (0.9, 0.87, 0.03, 0.01, 0.05, 4),
        ("others_near", "others_far"): (0.8, 0.79, 0.01, -0.02, 0.04, 3),
    }
    columns = ["auc_a", "auc_b", "difference", "ci_low", "ci_high", "n_mice"]
    table = [
        {"decoder": "net", "a": a, "b": b, "days_a": 3.0, "days_b": 8.0, "n_same_day_a": 0.5}
        | dict(zip(columns, values, strict=True))
        for (a, b), values in numbers.items()
    ]
    ((verdict, text),) = as_read(ceiling_gaps.headlines(pd.DataFrame(table)))
    assert verdict == "gap" and text == (
        "net reaches an AUC of 0.800 in a mouse it never saw, and 0.900 if trained on other "
        "sessions of that mouse instead: 0.100 (95 % interval 0.050 to 0.150, 5 mice) below its "
        "ceiling; at equal numbers of training sessions it is 0.020 (95 % interval -0.010 to "
        "0.050, 4 mice). Training near in days (3 on average) rather than far (8) changes the AUC "
        "by 0.030 (95 % interval 0.010 to 0.050, 4 mice) in a mouse's own sessions, by 0.010 (95 % "
        "interval -0.020 to 0.040, 3 mice) in those of other mice. Of a session's own training "
        "sessions 0.5 are of its day on average: if they are parts of one recording, the ceiling "
        "is too high."
    )


def test_sessions_of_one_day_in_training_are_warned_of():
    dates = DATES | {"a2": DATES["a1"], "b2": DATES["b1"], "c2": DATES["c1"]}
    table = rows(dates).set_index(["arm", "session"])
    assert table.loc[("own", "a1"), "n_same_day"] == 1
    # of mouse a two of two tests have one, of the others one of one
    ((_, text),) = as_read(ceiling_gaps.headlines(ceiling_gaps.gaps(rows(dates))))
    assert "Of a session's own training sessions 1 are of its day on average" in text
    assert "of its day" not in as_read(ceiling_gaps.headlines(ceiling_gaps.gaps(rows())))[0][1]


def test_other_mice_that_serve_better_are_said_so():
    better = study_auc(**dict.fromkeys(STUDY, 0.95))
    table = ceiling_gaps.table(HELD, better, SESSIONS, DATES)
    own = table["arm"] == "own"
    table.loc[own, "auc"] = 0.8 + 0.01 * np.arange(own.sum())
    ((verdict, text),) = as_written(
        ceiling_gaps.headlines(ceiling_gaps.gaps(table)), "ceilings_below_others"
    )
    # own .805, .82, .83 of a, b and c: .145, .13 and .12 below, t(2) = 4.3027
    numbers = "0.132 (95 % interval 0.100 to 0.163, 3 mice)"
    assert verdict == "none" and f"{numbers} above what its own sessions reach" in text


@pytest.mark.parametrize(
    ("study", "verdict"),
    [
        ({"a1": 0.8, "a2": 0.55, "b1": 0.55, "c1": 0.8}, "the first is better"),  # .2 in each
        ({"a1": 1.0, "a2": 0.95, "b1": 0.85, "c1": 1.1}, "the second is better"),  # -.1 in each
        ({"a1": 0.95, "a2": 0.95, "b1": 0.85, "c1": 0.9}, "no difference is shown"),  # -.03
        (STUDY, "no difference is shown"),  # .2, of an interval that holds 0
    ],
)
def test_a_gap_is_said_where_its_interval_leaves_0_out(study, verdict):
    table = ceiling_gaps.table(HELD, study_auc(**study), SESSIONS, DATES)
    row = ceiling_gaps.gaps(table).set_index(["a", "b"]).loc["own", "others"]
    assert row["sentence"].endswith(f": {verdict}.")
    assert (row["difference"] > 0) == (study["a1"] < 0.95)


def test_sessions_of_one_state_and_sessions_that_the_study_lacks():
    table = study_auc(**STUDY)
    table.loc[table["session"] == "a2", "auc"] = np.nan
    found = ceiling_gaps.gaps(ceiling_gaps.table(HELD, table, SESSIONS, DATES))
    assert found.set_index(["a", "b"]).loc[("own", "others"), "n_sessions"] == 3
    with pytest.raises(UserError, match="no AUC of net in session c1"):
        ceiling_gaps.table(HELD, table[table["session"] != "c1"], SESSIONS, DATES)


def test_figure_has_a_panel_a_decoder_and_says_what_is_near():
    both = pd.concat([rows(), rows().assign(decoder="other")])
    figure = as_drawn(ceilings_figure.draw(both), "ceilings_near_far")
    assert [axes.get_title() for axes in figure.axes] == ["net", "other"]
    labels = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert labels == ["own", "others", "others,\nequal n", "own,\nnear", "own,\nfar"]
    caption = as_written(ceilings_figure.caption(both), "ceilings_near_far")
    assert "n = 4 sessions of 3 mice" in caption and "Near, far" in caption
    plain = both[~both["arm"].str.contains("near|far")]
    assert "Near" not in as_read(ceilings_figure.caption(plain))
    few = ceilings_figure.draw(both[both["arm"].isin(["own_far", "others_equal"])]).axes[0]
    names = [text.get_text() for text in few.get_xticklabels()]
    assert names == ["others,\nequal n", "own,\nfar"]
